"""Arms of the study share what they ask the generator alike."""

from pathlib import Path

import pytest
import yaml

from study.arms import ARMS
from study.inputs import INSTRUCTIONS, draw_pairs, write
from study.run_arm import Place, Trial, shared_answers, write_config
from tests.helpers.study_rows import NAMES, pair

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


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_has_a_recipe_and_a_config_that_names_what_lies_beside_it(
    arm: str, tmp_path: Path
) -> None:
    data, folder = tmp_path / "data", tmp_path / "trials" / arm
    for name in INSTRUCTIONS:
        rows = [{"id": f"{name}-{n}", "instruction": f"{name} {n}?"} for n in range(9)]
        write(data / "instructions" / f"{name}.jsonl", rows)
    for name in NAMES:
        write(data / "pairs" / f"{name}.jsonl", [pair(name, n, "x") for n in range(20)])
    place = Place(data, tmp_path, 8, 4, 1, NAMES)
    measured = draw_pairs(data, 4, tmp_path / "pairs")
    config = write_config(Trial(arm, "smollm2-135m", 0), place, tmp_path / "m", folder, measured)
    told = yaml.safe_load(config.read_text())
    sources = [*told.get("instructions", ()), *told["pairs"].get("given", ())]
    assert sources and all((folder / source["path"]).exists() for source in sources)
    assert "ste_plugin.axolotl.training_plugins.OnCpu" in (folder / "recipe.yaml").read_text()
    assert told["selection"]["keep_out"] == sorted(measured.values())
