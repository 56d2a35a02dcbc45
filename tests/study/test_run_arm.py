"""Arms of the study share what they ask the generator alike."""

from pathlib import Path

from study.run_arm import shared_answers

ANSWERS = "pairs.completions.jsonl"


def test_arms_of_a_random_seed_share_the_answers_that_they_ask_for_alike(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    pools = [tmp_path / name / "pool" for name in ("one", "two")]
    for pool, keys in zip(pools, ("ab", "bc"), strict=True):
        with shared_answers(pool, shared):
            pool.mkdir(parents=True, exist_ok=True)
            with (pool / ANSWERS).open("ab+") as file:
                file.seek(0)
                known = file.read()
                file.writelines(line(key) for key in keys if line(key) not in known)
    assert (pools[1] / ANSWERS).read_bytes() == b"".join(map(line, "abc"))
    assert (shared / ANSWERS).read_bytes() == b"".join(map(line, "abc"))
    with shared_answers(pools[0], shared):  # goes on where it was, with what it had
        assert (pools[0] / ANSWERS).read_bytes() == b"".join(map(line, "ab"))


def line(key: str) -> bytes:
    """Return a line whose spaces count: its checksum is of its bytes."""
    return b'{"key":"%s",  "crc":1}\n' % key.encode()
