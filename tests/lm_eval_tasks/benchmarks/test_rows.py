"""Benchmarks: what their rows become, where they are found, and how every fault is told."""

import csv
import dataclasses
import json
import logging
from collections import Counter

import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.benchmarks import BENCHMARKS, files_of, read_pairs
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench import COUNTED_AS, SECTIONS
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2, Choice
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers.benchmark_rows import (
    HIDDEN,
    SMALL,
    bad,
    four,
    good,
    helpsteer2,
    in_folder,
    judgebench,
    llmbar,
    mtbench_human,
    rewardbench,
    rmbench,
    ties,
    vote,
    written,
)


def read(folder, name, rows, **settings):
    path = written(folder / f"{name}.jsonl", rows)
    return read_pairs(JudgeSettings(path, benchmark=name, **settings))


def refusal(folder, name, rows):
    with pytest.raises(DataError) as found:
        if name == "rewardbench2":
            REWARDBENCH2.read(written(folder / f"{name}.jsonl", rows))
        else:
            read(folder, name, rows)
    return str(found.value)


def test_rewardbench_has_2985_rows_and_mathematics_counts_as_much_as_code():
    rows = {s: n for subsets in SECTIONS.values() for s, n in subsets.items()}
    assert (len(rows), sum(rows.values())) == (23, 2985)
    assert [sum(subsets.values()) for subsets in SECTIONS.values()] == [358, 456, 740, 1431]
    assert COUNTED_AS["math-prm"] == sum(n for s, n in rows.items() if s.startswith("hep-")) == 984


def test_a_row_of_rewardbench_knows_its_section_and_its_weight_in_it(tmp_path):
    pairs = {p.subset: p for p in read(tmp_path, "rewardbench", rewardbench())}
    assert (pairs["math-prm"].section, pairs["math-prm"].weight) == ("Reasoning", 984 / 447)
    assert (pairs["hep-go"].section, pairs["hep-go"].weight) == ("Reasoning", 1)
    assert (pairs["llmbar-natural"].section, pairs["donotanswer"].section) == (
        "Chat Hard",
        "Safety",
    )


def test_a_section_can_be_judged_alone(tmp_path):
    pairs = read(tmp_path, "rewardbench", rewardbench(), section="Chat Hard")
    assert {p.subset for p in pairs} == set(SECTIONS["Chat Hard"])


def test_a_number_of_rows_that_is_not_the_published_one_is_warned_about(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="ste_plugin"):
        read(tmp_path, "rewardbench", rewardbench())
    assert "46 rows; the published data set has 2985" in caplog.text


def test_judgebench_shows_what_its_label_says_is_better(tmp_path):
    pairs = read(tmp_path, "judgebench", judgebench())
    assert all(p.chosen.startswith("GOOD") and p.rejected.startswith("BAD") for p in pairs)
    assert Counter(p.subset for p in pairs) == {"gpt": 3, "claude": 3}


def test_llmbar_reads_a_copy_of_its_repository_with_the_folders_as_subsets(tmp_path):
    for place in ("Natural", "Adversarial/Manual"):
        (tmp_path / "llmbar" / place).mkdir(parents=True)
        written(tmp_path / "llmbar" / place / "dataset.json", llmbar())
    pairs = read_pairs(JudgeSettings(tmp_path, benchmark="llmbar"))
    assert [p.id for p in pairs] == [f"{s}/{i}" for s in ("Manual", "Natural") for i in range(4)]
    assert all(p.chosen.startswith("GOOD") for p in pairs)


def test_votes_on_the_same_two_answers_are_one_pair_whichever_was_shown_first(tmp_path):
    first, second, other = read(tmp_path, "mtbench_human", mtbench_human())
    assert (first.votes, second.votes, other.votes) == ((2, 1, 0), (1, 0, 1), (1, 0, 0))
    assert (first.subset, second.subset) == ("turn 1", "turn 2")
    assert first.id == "81/gpt-4/llama/1"


def test_the_first_turn_shows_one_exchange_and_the_second_both(tmp_path):
    first, second, _ = read(tmp_path, "mtbench_human", mtbench_human())
    assert (first.prompt, first.chosen) == ("Question 81, part 1", good("81 1", 1))
    assert "part 1" in second.prompt and "part 2" in second.prompt
    assert good("81 1", 1) in second.chosen and good("81 2") in second.chosen
    assert "BAD" not in second.chosen


def test_what_people_preferred_is_chosen_and_no_preference_is_no_accident(tmp_path):
    (preferred,) = read(tmp_path, "mtbench_human", [vote(1, "llama"), vote(1, "tie")])
    assert (preferred.chosen[:3], preferred.votes) == ("BAD", (1, 0, 1))
    divided = [vote(1, "llama"), vote(1, "gpt-4", swapped=True)]
    assert read(tmp_path, "mtbench_human", divided) == read(
        tmp_path, "mtbench_human", divided[::-1]
    )


@pytest.mark.parametrize("judge", [["gpt-4", "pair-v2"], "('gpt-4', 'pair-v2')", "gpt-4"])
def test_votes_of_models_never_count_beside_those_of_people(tmp_path, caplog, judge):
    others = [{**vote(81, "llama"), "judge": judge}] * 9
    assert read(tmp_path, "mtbench_human", mtbench_human() + others) == read(
        tmp_path, "mtbench_human", mtbench_human()
    )
    told = f"9 of {len(mtbench_human() + others)} votes left out, as they are not people's"
    assert told in caplog.text
    assert "nothing to judge" in refusal(tmp_path, "mtbench_human", others)


def test_helpsteer2_pairs_rows_two_by_two_and_says_how_many_ties_it_left_out(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="ste_plugin"):
        pairs = read(tmp_path, "helpsteer2", helpsteer2())
    assert [(p.id, p.chosen) for p in pairs] == [("0", good("0 0")), ("1", good("1 1", 1))]
    assert "1 of 3 pairs are ties" in caplog.text


def test_rows_of_helpsteer2_out_of_order_are_refused(tmp_path):
    told = refusal(tmp_path, "helpsteer2", helpsteer2()[1:])
    assert "helpsteer2.jsonl:1: the row after it is not of the same prompt" in told
    assert "not of the same prompt" in refusal(tmp_path, "helpsteer2", helpsteer2()[:3])


def test_rmbench_is_hard_where_the_better_response_is_the_plainer(tmp_path):
    pairs = read(tmp_path, "rmbench", rmbench()[:1])
    lengths = {"hard": int.__lt__, "normal": int.__eq__, "easy": int.__gt__}
    assert Counter(p.subset for p in pairs) == dict.fromkeys(lengths, 3)
    for pair in pairs:
        styles = [text.count("More") for text in (pair.chosen, pair.rejected)]
        assert lengths[pair.subset](*styles)


def test_both_kinds_of_safety_are_one_section_of_rmbench(tmp_path):
    sections = Counter(p.section for p in read(tmp_path, "rmbench", rmbench()))
    assert sections == {"Chat": 9, "Code": 9, "Math": 9, "Safety": 18}


def test_four_answers_stand_in_an_order_drawn_from_the_id_and_every_place_is_as_likely():
    rows = [Choice(str(i), "Math", "p", ("r",), ("1", "2", "3")) for i in range(2000)]
    places = Counter(row.shown().index(0) for row in rows)
    assert set(places) == {0, 1, 2, 3}
    assert all(abs(n - 500) < 100 for n in places.values())  # 5 standard deviations
    assert [row.shown() for row in rows] == [row.shown() for row in rows]


def test_a_row_survives_the_way_through_lm_evals_documents():
    row = Choice("Ties/ref:1", "Ties", "p", ("a",), ("b", "c"))
    assert Choice.from_doc(json.loads(json.dumps(row.to_doc()))) == row


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_one_folder_serves_every_benchmark_and_hidden_columns_stay_hidden(tmp_path, name):
    pairs = read_pairs(JudgeSettings(in_folder(tmp_path), benchmark=name))
    assert pairs and HIDDEN not in repr(pairs)
    assert files_of(JudgeSettings(tmp_path, benchmark=name)) == [tmp_path / f"{name}.jsonl"]


def test_the_same_rows_in_every_kind_of_file_are_the_same_pairs(tmp_path):
    import datasets

    rows = rmbench()
    expected = read(tmp_path, "rmbench", rows)
    with (tmp_path / "r.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(
            {k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows
        )
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "r.parquet")
    written(tmp_path / "r.json", rows)
    for ending in ("csv", "parquet", "json"):
        settings = JudgeSettings(tmp_path / f"r.{ending}", benchmark="rmbench")
        assert read_pairs(settings) == expected


def published(name, folder, rows, split, monkeypatch):
    """A benchmark whose hub is a local folder, read by the same `datasets` call."""
    import datasets

    # Its cache takes local folders of one name for the same data.
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    (folder / "hub").mkdir(exist_ok=True)
    written(folder / "hub" / f"{split}.jsonl", rows)
    (folder / "hub" / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        f"  - split: {split}\n    path: {split}.jsonl\n---\n"
    )
    known = {**BENCHMARKS, "rewardbench2": REWARDBENCH2}
    return dataclasses.replace(known[name], hub=str(folder / "hub"))


@pytest.mark.parametrize(
    ("name", "split"),
    [("rewardbench", "filtered"), ("rewardbench2", "test"), ("mtbench_human", "human")],
)
def test_the_hub_gives_what_a_file_of_the_same_rows_gives(monkeypatch, tmp_path, name, split):
    benchmark = published(name, tmp_path, SMALL[name](), split, monkeypatch)
    path = written(tmp_path / "same.jsonl", SMALL[name]())
    assert benchmark.read(None) == benchmark.read(path)


def test_rows_of_the_hub_with_nothing_to_judge_are_left_out_and_told(monkeypatch, tmp_path, caplog):
    rows = rewardbench()
    rows[3]["chosen"] = " "
    benchmark = published("rewardbench", tmp_path, rows, "filtered", monkeypatch)
    with caplog.at_level(logging.WARNING, logger="ste_plugin"):
        assert len(benchmark.read(None)) == len(rows) - 1
    assert "1 rows left out, the first since hub:" in caplog.text and "#3" in caplog.text


@pytest.mark.parametrize("name", sorted({*BENCHMARKS, "rewardbench2"} - {"local"}))
def test_a_hub_that_cannot_be_reached_says_which_file_would_do(monkeypatch, name):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    benchmark = {**BENCHMARKS, "rewardbench2": REWARDBENCH2}[name]
    nowhere = dict.fromkeys(benchmark.urls, "/no/such/dataset.json")
    with pytest.raises(DataError) as found:
        dataclasses.replace(benchmark, hub="no-such/data-set", urls=nowhere).read(None)
    assert f"{name}.jsonl" in str(found.value) and ", ".join(benchmark.columns) in str(found.value)


@pytest.mark.parametrize("name", sorted({*SMALL} - {"local"}))
def test_a_missing_column_is_named_beside_those_that_are_there(tmp_path, name):
    column = {**BENCHMARKS, "rewardbench2": REWARDBENCH2}[name].columns[-1]
    rows = SMALL[name]()
    rows[1]["other"] = rows[1].pop(column)
    told = refusal(tmp_path, name, rows)
    assert f"{name}.jsonl:2: no column {column!r}" in told and "'other'" in told


@pytest.mark.parametrize(
    ("name", "rows", "told"),
    [
        ("rewardbench", [{**rewardbench()[0], "subset": "chat"}], "'chat'; expected one of"),
        ("rewardbench", rewardbench()[:1] * 2, "was already at"),
        ("rewardbench", [{**rewardbench()[0], "chosen": ""}], "'chosen' is empty"),
        ("rewardbench", [{**rewardbench()[0], "rejected": good("alpacaeval-easy")}], "same text"),
        ("rewardbench", [], "nothing to judge"),
        ("rewardbench2", [four("Math", 1)] * 2, "was already at"),
        ("rewardbench2", [{**four("Math", 1), "subset": "Maths"}], "expected 'Factuality' or"),
        ("rewardbench2", [{**four("Math", 1), "rejected": ["x"]}], "1 chosen and 1 rejected"),
        ("rewardbench2", [{**four("Math", 1), "rejected": ["x", "", "z"]}], "'rejected' is empty"),
        (
            "rewardbench2",
            [{**four("Math", 1), "rejected": [good("Math 1", 1), "y", "z"]}],
            "both chosen and rejected",
        ),
        ("rewardbench2", [{**four("Math", 1), "chosen": "one"}], "expected a list"),
        ("rewardbench2", [{**ties("ref", 1), "id": "1"}], "expected ref:N or tied:N"),
        ("judgebench", [{**judgebench()[0], "label": "A=B"}], "'A=B'; expected 'A>B' or 'B>A'"),
        ("judgebench", judgebench()[:1] * 2, "was already at"),
        ("llmbar", [{**llmbar()[0], "label": 0}], "'0'; expected '1' or '2'"),
        ("llmbar", [{**llmbar()[0], "output_1": good(0, 2)}], "same text"),
        ("mtbench_human", [vote(1, "both")], "'both'; expected 'model_a'"),
        ("mtbench_human", [vote(1, "tie", turn=3)], "2 turns of the assistant; expected 3"),
        ("mtbench_human", [{**vote(1, "tie"), "conversation_a": "Hi"}], "expected a list"),
        ("mtbench_human", [{**vote(1, "tie"), "conversation_a": ["Hi"]}], "{role, content}"),
        (
            "helpsteer2",
            [{**row, "helpfulness": "high"} for row in helpsteer2()],
            "'high'; expected a number",
        ),
        (
            "helpsteer2",
            [{**row, "helpfulness": float("nan")} for row in helpsteer2()],
            "'nan'; expected a number",
        ),
        ("rmbench", [{**rmbench()[0], "chosen": ["a", "b"]}], "2 responses; expected 3"),
        ("rmbench", [{**rmbench()[0], "domain": "law"}], "'law'; expected 'chat' or"),
    ],
)
def test_a_faulty_row_is_refused_with_its_place(tmp_path, name, rows, told):
    found = refusal(tmp_path, name, rows)
    assert told in found and (not rows or f"{name}.jsonl:" in found)


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_invalid_utf8_is_refused_with_its_place(tmp_path, ending):
    path = tmp_path / f"pairs.{ending}"
    path.write_bytes(b'id,subset,prompt\n"\xff",s,p\n' if ending == "csv" else b'[{"id": "\xff"}]')
    with pytest.raises(DataError, match=f"pairs.{ending}"):
        read_pairs(JudgeSettings(path))


@pytest.mark.parametrize("text", ['{"id": 1}', "[1]", "["])
def test_a_json_file_that_is_no_list_of_objects_is_refused(tmp_path, text):
    (tmp_path / "pairs.json").write_text(text)
    with pytest.raises(DataError, match=r"pairs.json: (expected one JSON list|not JSON)"):
        read_pairs(JudgeSettings(tmp_path / "pairs.json"))


def test_a_folder_without_the_benchmark_says_what_belongs_there(tmp_path):
    with pytest.raises(DataError, match=r"expected judgebench.jsonl .* a folder judgebench"):
        read_pairs(JudgeSettings(tmp_path, benchmark="judgebench"))


def test_two_files_for_one_benchmark_are_refused_as_a_guess_would_be_needed(tmp_path):
    for ending in ("jsonl", "json"):
        written(tmp_path / f"judgebench.{ending}", judgebench())
    with pytest.raises(DataError, match=r"found .*judgebench.jsonl, .*judgebench.json"):
        read_pairs(JudgeSettings(tmp_path, benchmark="judgebench"))


def test_data_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match=r"absent: no such file or folder"):
        read_pairs(JudgeSettings(tmp_path / "absent", benchmark="judgebench"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"benchmark": "rewardbanch"}, "STE_JUDGE_BENCHMARK: found 'rewardbanch'"),
        (
            {"benchmark": "rewardbench", "section": "chat"},
            "STE_JUDGE_SECTION .*: found 'chat'; .* 'Chat'",
        ),
        ({"benchmark": "judgebench", "section": "Chat"}, "no sections"),
    ],
)
def test_a_benchmark_or_section_that_does_not_exist_is_told(tmp_path, settings, told):
    with pytest.raises(ConfigError, match=told):
        read_pairs(JudgeSettings(tmp_path, **settings))


def test_a_pair_survives_the_way_through_lm_evals_documents(tmp_path):
    pair = read(tmp_path, "mtbench_human", mtbench_human())[0]
    assert LabelledPair.from_doc(json.loads(json.dumps(pair.to_doc()))) == pair


def test_turns_of_a_helpsteer2_prompt_are_told_in_words(tmp_path):
    said = "Hi\n<extra_id_1>Assistant\nHello\n<extra_id_1>User\nWhy?"
    rows = [
        {"prompt": said, "response": text, "helpfulness": h}
        for text, h in ((good(1), 4), (bad(1), 0))
    ]
    (pair,) = read(tmp_path, "helpsteer2", rows)
    assert pair.prompt == "User: Hi\n\nAssistant: Hello\n\nUser: Why?"
