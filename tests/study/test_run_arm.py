"""Arms of the study share what they ask the generator alike."""

from pathlib import Path

from study.inputs import read, write
from study.run_arm import shared_answers


def test_arms_of_a_random_seed_share_the_answers_that_they_ask_for_alike(tmp_path: Path) -> None:
    answers, shared = "pairs.completions.jsonl", tmp_path / "shared"
    pools = [tmp_path / name / "pool" for name in ("one", "two")]
    for pool, keys in zip(pools, (["a", "b"], ["b", "c"]), strict=True):
        with shared_answers(pool, shared):
            found = read(pool / answers) if pool.exists() else []
            new = [{"key": key} for key in keys if {"key": key} not in found]
            write(pool / answers, [*found, *new])
    assert read(pools[1] / answers) == [{"key": key} for key in "abc"]
    assert read(shared / answers) == [{"key": key} for key in "abc"]
    with shared_answers(pools[0], shared):  # goes on where it was, with what it had
        assert read(pools[0] / answers) == [{"key": key} for key in "ab"]
