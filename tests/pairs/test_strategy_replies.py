"""Strategies that sample, see the good answer, or ask a weaker model: what is asked and kept."""

from collections import Counter
from pathlib import Path

import pytest

from ste_plugin.errors import ConfigError, DataError, PluginError
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.records import Instruction, ResponsePair
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json, read_records, read_rows
from tests.helpers.fake_writers import STRONG, WEAK, written
from tests.helpers.forgetting import forgotten

ALL = [
    "other-instruction",
    "inject-error",
    "majority-answer",
    "checked-answer",
    "decomposed-vs-oneshot",
    "stronger-vs-weaker",
]
WEAKER = {"pairs": {"weaker": WEAK}}


def pool_of(path: Path) -> Path:
    with open_run(path, [], quiet=True) as context:
        prepare_pool(context)
    return path.parent / "run/pool"


def pairs_of(path: Path) -> dict[str, ResponsePair]:
    """The first pair of each strategy."""
    pairs = read_records(pool_of(path) / "pairs.jsonl", ResponsePair)
    return {pair.strategy: pair for pair in reversed(pairs)}


def prompts(file: Path) -> Counter[str]:
    return Counter(row["key"].rpartition("-")[0] for _, row in read_rows(file))


def test_every_strategy_makes_a_pair_of_every_instruction(tmp_path: Path):
    path = written(tmp_path, ALL, **WEAKER)
    done = read_json(pool_of(path) / "done.json")
    assert sum(done["pairs"].values()) == 20 * len(ALL)
    assert done["drops"] == {}
    pairs = pairs_of(path)
    plain = f"A strong reply to {pairs['inject-error'].instruction}"
    assert (pairs["inject-error"].better, pairs["inject-error"].worse) == (
        plain,
        plain.replace("reply", "silence"),
    )
    for name in ("majority-answer", "checked-answer"):
        assert pairs[name].better.endswith("Answer: 5")
        assert pairs[name].worse.endswith("Answer: 7")
    steps = pairs["decomposed-vs-oneshot"]
    assert (steps.better, steps.worse) == ("A long reply in steps.", plain)
    weaker = pairs["stronger-vs-weaker"]
    assert (weaker.better, weaker.worse) == (plain, plain.replace("strong", "weak"))


def test_a_pair_says_what_is_known_of_its_worse_answer_and_nothing_where_nothing_is(tmp_path: Path):
    path = written(tmp_path, ALL, **WEAKER)
    rows = {row["strategy"]: row for _, row in read_rows(pool_of(path) / "pairs.jsonl")}
    more = {name: row.keys() - rows["other-instruction"].keys() for name, row in rows.items()}
    assert {name: keys for name, keys in more.items() if keys} == {
        "inject-error": {"fault", "correction"},
        "stronger-vs-weaker": {"worse_by"},
    }
    assert rows["stronger-vs-weaker"]["worse_by"] == "weak"
    assert (rows["inject-error"]["fault"], rows["inject-error"]["correction"]) == (
        "silence",
        "reply",
    )


def test_samples_of_an_instruction_are_samples_of_one_prompt_that_both_strategies_read(
    tmp_path: Path,
):
    path = written(tmp_path, ["majority-answer", "checked-answer"])
    asked = prompts(pool_of(path) / "pairs.completions.jsonl")
    assert sorted(asked.values()) == [1] * 20 + [8] * 20


def test_the_weaker_model_answers_the_generator_s_prompt_into_a_file_of_its_own(tmp_path: Path):
    prices = {"prompt_per_million": 0.0, "completion_per_million": 1e6}
    weak = WEAK | {"options": {"prices": prices}}
    pool = pool_of(written(tmp_path, ["stronger-vs-weaker"], pairs={"weaker": weak}))
    texts = [row["text"] for _, row in read_rows(pool / "weaker.completions.jsonl")]
    assert len(texts) == 20
    assert all(text.startswith("A weak reply to Say number") for text in texts)
    done = read_json(pool / "done.json")["cost"]
    assert done["cost"] == sum(len(text.split()) for text in texts)
    assert done["generated_tokens"] == 2 * done["cost"]


def test_a_pool_that_is_made_again_asks_nothing_and_is_the_same(tmp_path: Path):
    path = written(tmp_path, ALL, **WEAKER)
    pool = pool_of(path)
    before = {file.name: file.read_bytes() for file in pool.iterdir()}
    (pool / "done.json").unlink()
    (pool / "pairs.jsonl").unlink()
    pool_of(path)
    assert {file.name: file.read_bytes() for file in pool.iterdir()} == before


def test_a_final_answer_is_kept_with_its_instruction_and_only_where_there_is_one(tmp_path: Path):
    path = written(tmp_path, ["checked-answer"])
    with (tmp_path / "instructions.jsonl").open("a") as file:
        file.write('{"instruction": "Say nothing.", "result": null}\n')
    pool = pool_of(path)
    rows = [row for _, row in read_rows(pool / "instructions.jsonl")]
    assert [row.get("final_answer") for row in rows] == ["5"] * 20 + [None]
    assert "final_answer" not in rows[-1]
    assert [i.to_dict() for i in read_records(pool / "instructions.jsonl", Instruction)] == rows
    assert read_json(pool / "done.json")["drops"] == {
        "pairs: checked-answer: no final answer is known": 1
    }


def test_forgetting_an_instruction_leaves_nothing_that_any_strategy_asked(tmp_path: Path):
    path = written(tmp_path, ALL, **WEAKER)
    pool = pool_of(path)
    files = [pool / f"{name}.completions.jsonl" for name in ("pairs", "weaker")]
    before = [prompts(file) for file in files]
    (row, *_) = [row for _, row in read_rows(pool / "instructions.jsonl")]
    forgotten(tmp_path / "run", key=row["key"])
    gone = [was - prompts(file) for was, file in zip(before, files, strict=True)]
    # the answer, the fault, eight samples, two steps; and the weaker answer
    assert [sorted(prompt.values()) for prompt in gone] == [[1, 1, 1, 1, 8], [1]]


PLUGIN = """
from ste_plugin.hookspecs import hookimpl
from ste_plugin.inference.requests import user
from ste_plugin.pairs.calls import Calls, MadePair

class Longest:
    version = "1"
    calls = Calls(sampled=True)

    def next_prompt(self, instruction, replies):
        return None if replies else user(f"Do not answer yet {instruction.text}")

    def worse(self, instruction, replies, better, pool):
        return MadePair(better=f"{len(replies)} replies", worse="none")

class Plain:
    version = "1"

    def next_prompt(self, instruction, replies):
        return None if replies else user("Say something else.")

    def worse(self, instruction, replies, better, pool):
        return replies[0]

@hookimpl
def ste_pair_strategies():
    return {"longest": Longest(), "plain": Plain()}
"""


def test_a_plugin_s_strategy_may_say_how_it_is_asked_and_need_not(tmp_path: Path):
    (tmp_path / "strategies.py").write_text(PLUGIN)
    names, files = ["longest", "plain"], ["hooks.py", "strategies.py"]
    pairs = pairs_of(written(tmp_path, names, plugins=files, pairs={"samples": 3}))
    assert (pairs["longest"].better, pairs["longest"].worse) == ("3 replies", "none")
    assert pairs["plain"].better == f"A strong reply to {pairs['plain'].instruction}"
    assert pairs["plain"].worse == "A strong reply to Say something else."


WRONG = """
from ste_plugin.hookspecs import hookimpl
from ste_plugin.pairs.calls import MadePair

class Wrong:
    version = "1"

    def next_prompt(self, instruction, replies):
        return None

    def worse(self, instruction, replies, better, pool):
        return RETURNED

@hookimpl
def ste_pair_strategies():
    return {"wrong": Wrong()}
"""


def of_a_strategy_that_returns(what: str, folder: Path) -> Path:
    (folder / "strategies.py").write_text(WRONG.replace("RETURNED", what))
    return written(folder, ["wrong"], plugins=["hooks.py", "strategies.py"])


@pytest.mark.parametrize("what", ["None", "5", '("a", "b")', "better", "MadePair(worse=5)"])
def test_a_strategy_that_returns_no_pair_and_no_reason_is_named(tmp_path: Path, what: str):
    path = of_a_strategy_that_returns(what, tmp_path)
    said = r"pairs.strategies: wrong: found .* returned by `worse`; expected .* or a Drop"
    with pytest.raises(PluginError, match=said):
        pairs_of(path)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ('""', "worse answer empty"),
        ('MadePair(worse=" ")', "worse answer empty"),
        ('MadePair(worse="b", better=" ")', "better answer empty"),
    ],
)
def test_an_answer_that_says_nothing_makes_no_pair(tmp_path: Path, what: str, reason: str):
    path = of_a_strategy_that_returns(what, tmp_path)
    with pytest.raises(DataError, match=f"20 x pairs: wrong: {reason}"):
        pairs_of(path)


@pytest.mark.parametrize(
    ("strategies", "weaker", "said"),
    [
        (["stronger-vs-weaker"], None, "a strategy that asks a second model, and no such model"),
        (["other-instruction"], WEAK, "no strategy among pairs.strategies asks it"),
        (["stronger-vs-weaker"], STRONG, r"found the generator's own model \(strong\)"),
    ],
)
def test_a_weaker_model_that_is_missing_or_useless_is_an_error_before_anything_is_asked(
    tmp_path: Path, strategies, weaker, said
):
    path = written(tmp_path, strategies, pairs={"weaker": weaker})
    with pytest.raises(ConfigError, match=said), open_run(path, [], quiet=True):
        pass
    assert not (tmp_path / "run").exists()
