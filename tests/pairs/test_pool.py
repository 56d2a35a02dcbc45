"""A pool keeps out what is measured on, before anything is asked."""

import json
from pathlib import Path

import pytest

from ste_plugin.engines.base import ChatRequest
from ste_plugin.errors import DataError, JudgeError
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.records import Drop, Instruction
from ste_plugin.run import loop
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json, read_records, read_rows
from tests.helpers import fake_labels
from tests.helpers.chats import change, pool_of
from tests.helpers.contaminated import clean, planted, write_instructions, write_pairs
from tests.helpers.fake_runs import HOOKS, generated, written
from tests.helpers.judged_runs import config_of, judges_trained, run

PLANTED = [text for texts in planted(range(4)).values() for text in texts]
"""A tenth of the benchmark's 40 prompts."""


def contaminated_run(folder: Path, tiny_model: Path, texts: list[str], **more: object) -> Path:
    evaluation = {"pairs": {"people": "people.jsonl"}}
    path = written(folder, tiny_model, **{"evaluation": evaluation} | more)
    write_pairs(folder / "people.jsonl", 40)
    write_instructions(folder / "instructions.jsonl", texts)
    return path


def test_a_tenth_of_a_benchmark_is_left_out_counted_and_named(tmp_path: Path, tiny_model: Path):
    path = contaminated_run(tmp_path, tiny_model, clean(40) + PLANTED)
    manifest = generated(path)
    pool = tmp_path / "run" / "pool"
    counts = {"exact": 3, "near-duplicate": 0, "8-grams": 1, "13-grams": 0}
    done = read_json(pool / "done.json")
    assert done["kept_out"] == {
        "compared": 44,
        "benchmarks": {
            "people": {
                "prompts": 40,
                "short": 0,
                "shared": {"grams": 0, "prompts": 0, "quote": ""},
                "found": counts,
                "instructions": counts,
            }
        },
        "unread": {},
        "dropped": 4,
    }
    assert manifest["kept_out"] == done["kept_out"]
    drops = read_records(pool / "drops.jsonl", Drop)
    assert [d.reason for d in drops if d.reason.startswith("repeats")] == [
        *["repeats a prompt of people (exact)"] * 3,
        "repeats a prompt of people (8-grams)",
    ]
    assert done["drops"]["selection: repeats a prompt of people (exact)"] == 3
    assert [row["measure"] for _, row in read_rows(pool / "contamination.jsonl")] == [
        *["exact"] * 3,
        "8-grams",
    ]
    kept = read_records(pool / "instructions.jsonl", Instruction)
    assert {i.text for i in kept} == set(clean(40))


def test_nothing_is_asked_about_what_is_left_out(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    said = fake_labels.said

    def recording(request: ChatRequest) -> str:
        asked.append(request.messages[-1].content)
        return said(request)

    monkeypatch.setattr(fake_labels, "said", recording)
    path = contaminated_run(
        tmp_path, tiny_model, clean(40) + PLANTED, selection={"label": True, "selectors": []}
    )
    (tmp_path / "hooks.py").write_text(HOOKS.replace("fake_judge", "fake_labels"))
    with open_run(path, [], quiet=True) as context:
        prepare_pool(context)
    for text, is_asked in [*((t, True) for t in clean(40)), *((t, False) for t in PLANTED)]:
        assert any(text in prompt for prompt in asked) == is_asked


def test_where_nothing_is_measured_on_nothing_is_compared(tmp_path: Path, tiny_model: Path):
    path = contaminated_run(tmp_path, tiny_model, clean(40) + PLANTED, evaluation={})
    with open_run(path, [], quiet=True) as context:
        prepare_pool(context)
    done = read_json(tmp_path / "run" / "pool" / "done.json")
    assert done["kept_out"]["benchmarks"] == {}
    assert done["instructions"] == 44


def test_a_benchmark_that_cannot_be_read_is_told(tmp_path: Path, tiny_model: Path, capsys):
    path = contaminated_run(
        tmp_path, tiny_model, clean(40), evaluation={"tasks": ["ste_judgebench"]}
    )
    with open_run(path, []) as context:
        prepare_pool(context)
    done = read_json(tmp_path / "run" / "pool" / "done.json")
    assert list(done["kept_out"]["unread"]) == ["ste_judgebench"]
    said = " ".join(capsys.readouterr().err.split())
    assert "warning: the run measures on ste_judgebench, whose prompts could not be read" in said


def test_instructions_that_are_all_a_benchmarks_are_an_error_that_says_so(
    tmp_path: Path, tiny_model: Path
):
    path = contaminated_run(tmp_path, tiny_model, PLANTED)
    with (
        pytest.raises(DataError, match="all 4 instructions repeat prompts that are kept out"),
        open_run(path, [], quiet=True) as context,
    ):
        prepare_pool(context)
    assert not (tmp_path / "run").exists()


LITTLE, ENOUGH = {"max_tokens_total": 200}, {"max_tokens_total": 1_000_000}
"""Budgets: for two thirds of the good answers, and for all that a run asks."""


def pairs_in(pool: Path) -> dict[str, int]:
    return read_json(pool / "done.json")["pairs"]


def test_a_higher_budget_completes_a_pool_that_it_cut_short_and_nothing_is_paid_for_twice(
    tmp_path: Path, tiny_model: Path
):
    pools = []
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        path = written(tmp_path / name, tiny_model, budget=LITTLE if name == "cut" else {})
        pools.append(pool_of(path))
    whole, cut = pools
    assert sum(pairs_in(cut).values()) < sum(pairs_in(whole).values())
    pool_of(change(path, budget=ENOUGH))
    for name in ("pairs.jsonl", "drops.jsonl", "done.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    keys = [row["key"] for _, row in read_rows(cut / "pairs.completions.jsonl")]
    assert len(keys) == len(set(keys))


def test_a_budget_that_stays_used_up_leaves_a_pool_as_it_is(tmp_path: Path, tiny_model: Path):
    path = written(tmp_path, tiny_model, budget=LITTLE)
    made = (pool_of(path) / "done.json").stat().st_mtime_ns
    assert (pool_of(path) / "done.json").stat().st_mtime_ns == made


def test_the_seed_is_measured_again_on_the_pairs_that_a_higher_budget_adds(
    tmp_path: Path, tiny_model: Path
):
    path = config_of(tmp_path, tiny_model, iterations=1, budget=LITTLE)
    pool, seed = tmp_path / "run/pool", tmp_path / "run/iter-00/done.json"
    with judges_trained(0.9):
        with pytest.raises(JudgeError, match=r"raise budget.max_tokens_total"):
            run(path)
        few = pairs_in(pool)["dev"]
        assert read_json(seed)["evaluations"]["dev"]["n"] == few
        reports = run(change(path, budget=ENOUGH))
    assert {r.evaluations["dev"]["n"] for r in reports} == {pairs_in(pool)["dev"]}
    assert pairs_in(pool)["dev"] > few


def test_a_pool_that_a_data_set_was_made_of_stays_as_the_budget_left_it(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    path = config_of(tmp_path, tiny_model, iterations=1)
    done, manifest = tmp_path / "run/pool/done.json", tmp_path / "run/iter-01/dataset/manifest.json"
    with judges_trained(0.9):
        run(path)
        made = manifest.read_bytes()
        cut = json.loads(done.read_bytes()) | {"ended_by_budget": True}
        done.write_text(json.dumps(cut))
        with open_run(path, []) as context:
            loop.run(context)
    assert read_json(done) == cut
    assert manifest.read_bytes() == made
    assert "`ste run CONFIG --from pool`" in " ".join(capsys.readouterr().err.split())
