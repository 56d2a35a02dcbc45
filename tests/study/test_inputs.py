"""What the study teaches by is not what it measures on."""

import json
from pathlib import Path

from study.inputs import draw_others, draw_pairs, read, write
from tests.helpers.study_rows import NAMES, pair


def test_labelled_pairs_that_are_taught_are_of_prompts_that_are_not_measured_on(
    tmp_path: Path,
) -> None:
    for name in NAMES:
        # two pairs of each prompt: one of them measured keeps the other out, too
        rows = [pair(name, n, answer) for n in range(20) for answer in "xy"]
        write(tmp_path / "pairs" / f"{name}.jsonl", rows)
    measured = draw_pairs(tmp_path, 10, tmp_path / "drawn")
    taught = tmp_path / "taught.jsonl"
    draw_others(tmp_path, ("pandalm", "humanevalpack"), 12, 0, measured, taught)
    apart = {row["prompt"] for name in measured.values() for row in read(Path(name))}
    rows = read(taught)
    assert len(rows) == 12
    assert {row["subset"] for row in rows} == {"pandalm", "humanevalpack"}
    assert not apart & {row["prompt"] for row in rows}
    draw_others(tmp_path, ("pandalm", "humanevalpack"), 12, 1, measured, taught)
    assert json.dumps(read(taught)) != json.dumps(rows)
