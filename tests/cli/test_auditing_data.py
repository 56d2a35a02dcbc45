"""`ste audit --benchmark NAME --against DATA`: 0 where it is clean, 8 where it is contaminated."""

import json
from pathlib import Path

from tests.helpers.command import ste
from tests.helpers.contaminated import TEMPLATE, clean, planted, question, write_pairs, write_rows


def audit(folder: Path, *more: str):
    return ste("audit", "--benchmark", "bench.jsonl", "--against", "data.jsonl", *more, cwd=folder)


def conversations(folder: Path, texts: list[str]) -> None:
    turns = [[{"from": "human", "value": text}, {"from": "gpt", "value": "Yes."}] for text in texts]
    write_rows(folder / "data.jsonl", [{"conversations": each} for each in turns])
    write_pairs(folder / "bench.jsonl", 40)


def test_clean_data_ends_with_0(tmp_path: Path):
    conversations(tmp_path, clean(30))
    done = audit(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "bench.jsonl: 40 prompts, 0 of them too short for 8-grams" in done.stdout
    assert done.stdout.endswith("Clean: none of them repeats a prompt.\n")


def test_data_of_a_benchmarks_template_are_clean_and_the_template_is_told(tmp_path: Path):
    write_rows(tmp_path / "data.jsonl", [{"prompt": TEMPLATE.format(text)} for text in clean(30)])
    write_pairs(tmp_path / "bench.jsonl", 40, TEMPLATE)
    done = audit(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  not counted, as 40 of its prompts share them: " in done.stdout
    assert "“below is an instruction that describes a task" in done.stdout


def test_a_tenth_of_a_benchmark_ends_with_8_and_is_shown(tmp_path: Path):
    disguised = [text for texts in planted(range(4)).values() for text in texts]
    conversations(tmp_path, clean(30) + disguised)
    done = audit(tmp_path)
    assert done.returncode == 8
    assert "exact                 3 instructions, 3 prompts" in done.stdout
    assert "8-grams               1 instructions, 1 prompts" in done.stdout
    assert question(0)[:40] in done.stdout
    assert done.stderr == (
        "ste: CONTAMINATED: of 34 instructions in data.jsonl these repeat a prompt: "
        "bench.jsonl 4.\n"
    )


def test_as_json_it_has_counts_and_examples(tmp_path: Path):
    conversations(tmp_path, [*clean(3), question(0)])
    done = audit(tmp_path, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 8
    assert found["benchmarks"]["bench.jsonl"]["instructions"]["exact"] == 1
    (example,) = found["examples"]["bench.jsonl"]
    assert (example["measure"], example["text"]) == ("exact", question(0))
    assert example["source"].endswith("data.jsonl:4")


def test_rows_without_an_instruction_are_counted(tmp_path: Path):
    conversations(tmp_path, clean(3))
    rows = [{"conversations": [{"from": "human", "value": text}]} for text in clean(3)]
    rows += [{"conversations": [{"from": "gpt", "value": "Yes."}]}]
    write_rows(tmp_path / "data.jsonl", rows)
    assert "1 rows left out: no user turn." in audit(tmp_path).stdout


def test_words_of_others_cannot_steer_the_terminal(tmp_path: Path):
    text = question(0) + " \x1b[31m\x1b]0;owned\x07"
    conversations(tmp_path, [text])
    assert "\x1b" not in audit(tmp_path).stdout
