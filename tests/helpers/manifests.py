"""Small data sets as a run writes them, for trainings with real axolotl."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ste_plugin.dataset.row_formats import FORMATS as ROWS
from ste_plugin.dataset.row_formats import TrainingRow, held_out_rows
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.records import ORDERS, Judgment, ResponsePair
from ste_plugin.storage.dataset_manifest import write_rows
from ste_plugin.storage.jsonl import replace_json
from tests.helpers.builders import kept

FRUIT = ("An apple.", "A pear.", "A plum.", "A cherry.", "A peach.", "A grape.")


def pairs(name: str, count: int) -> list[ResponsePair]:
    """Pairs of instructions of their own, the better answer always a fruit."""
    return [
        ResponsePair(
            f"{name}-p{n}",
            f"{name}-i{n}",
            f"Name a fruit, please ({name} {n}).",
            FRUIT[n % len(FRUIT)],
            "A spade.",
            "other-instruction",
        )
        for n in range(count)
    ]


def judged(found: Sequence[ResponsePair], form) -> list[Judgment]:
    """A right and a wrong judgment of every pair in both orders."""
    said = form.forced_text(form.forced_prefix("The fruit answers it, the spade does not."), "{}")
    return [
        Judgment(f"{p.key}{order}{i}", p.key, order, i, said.format(letter), letter, False)
        for p in found
        for order in ORDERS
        for i, letter in enumerate((order, "B" if order == "A" else "A"))
    ]


def written(
    folder: Path,
    *,
    train: int = 6,
    dev: int = 2,
    test: int = 1,
    form: str = "verdict",
    edit: Callable[[str, list[TrainingRow]], list[TrainingRow]] = lambda _, rows: rows,
) -> Path:
    """The manifest of a data set of so many pairs; `edit` may change the rows of each file."""
    how = FORMATS[form]
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[TrainingRow]] = {}
    for split, count in (("train", train), ("dev", dev)):
        found = pairs(split, count)
        examples = kept(found, judged(found, how), how)
        for name, rows_of in ROWS.items():
            files[f"{name}-{split}"] = [row for e in examples for row in rows_of(e)]
    for split, count in (("dev", dev), ("test", test)):
        files[f"judge-{split}"] = [r for p in pairs(split, count) for r in held_out_rows(p, how)]
    entries = {n: write_rows(folder, n, edit(n, rows)) for n, rows in files.items()}
    content = {"judge_format": {"name": how.name, "version": how.version}, "files": entries}
    replace_json(folder / "manifest.json", content)
    return folder / "manifest.json"
