"""Conversations and given pairs are forgotten as other instructions are."""

from pathlib import Path

import pytest

from ste_plugin.forget import ForgetReport
from ste_plugin.records import Drop, Instruction, ResponsePair
from ste_plugin.storage.jsonl import read_records
from tests.helpers.chats import change, chat_run, pool_of, talk
from tests.helpers.forgetting import forgotten
from tests.helpers.source_files import written

CANARY = "quokka"


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A pool of conversations and given pairs: in the second turn of one, and in one pair."""
    rows = [talk(n, 3) for n in range(30)]
    rows[3]["messages"][2]["content"] += f" Of a {CANARY}, please."
    path = chat_run(tmp_path, ["other-instruction", "decomposed-vs-oneshot"], rows)
    given = [
        {"prompt": f"Which is {n}?", "chosen": f"It is {n}.", "rejected": "None is."}
        for n in range(30)
    ]
    given[4]["chosen"] = f"The {CANARY}."
    written(tmp_path, *given, name="mine.jsonl")
    strategies = ["other-instruction", "decomposed-vs-oneshot"]
    change(path, pairs={"strategies": strategies, "given": "mine.jsonl", "max_new_tokens": 90})
    return pool_of(path)


def left(pool: Path) -> str:
    """All that is in the run's files but its log of events."""
    files = [p for p in pool.parent.rglob("*.jsonl") if p.name != "events.jsonl"]
    return "".join(path.read_text() for path in files)


def forget(pool: Path, **what: str) -> ForgetReport:
    return forgotten(pool.parent, **what)


def test_a_turn_goes_with_those_after_it_and_the_others_stay(pool: Path):
    assert CANARY in left(pool)
    forget(pool, match=CANARY)
    assert CANARY not in left(pool)
    kept = read_records(pool / "instructions.jsonl", Instruction)
    assert len(kept) == 88
    assert [i.text for i in kept if "Ask 3 of" in i.text] == ["Ask 3 of turn 0."]


def test_by_its_key_a_turn_goes_with_those_after_it(pool: Path):
    (first,) = (
        i
        for i in read_records(pool / "instructions.jsonl", Instruction)
        if i.text == "Ask 5 of turn 0."
    )
    forget(pool, key=first.key)
    assert "Ask 5 of turn" not in left(pool)
    assert "Ask 6 of turn 2." in left(pool)


def test_a_given_pair_goes_whose_answer_matches_and_its_file_is_named(pool: Path):
    report = forget(pool, match=CANARY)
    pairs = read_records(pool / "pairs.jsonl", ResponsePair)
    assert "Which is 4?" not in {p.instruction for p in pairs}
    assert len([p for p in pairs if p.strategy == "given"]) == 29
    assert "mine.jsonl:5" in str(report)


def test_a_pool_made_anew_leaves_out_what_was_forgotten(pool: Path):
    forget(pool, match=CANARY)
    (pool / "done.json").unlink()
    again = pool_of(pool.parents[1] / "ste.yaml")
    assert CANARY not in left(again)
    drops = read_records(again / "drops.jsonl", Drop)
    assert sorted(d.stage for d in drops if d.reason == "forgotten") == [
        "given",
        "sources",
        "sources",
    ]
