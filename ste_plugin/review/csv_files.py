"""A sample as CSV for those who label elsewhere, and their labels back from there."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.records import ORDERS, Verdict, content_key
from ste_plugin.review.labels import Kind, Label, check_rater, now
from ste_plugin.review.sample import Item
from ste_plugin.review.session import answers_in_order, choice_of
from ste_plugin.storage.jsonl import open_replacement

_FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet would run: the first visible character decides."""
_KEY = re.compile(r"([0-9a-f]{16})-([0-9a-f]{8})")
_JUDGMENT_KEY = re.compile(r"[0-9a-f]{16}-\d+")
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_LIST = re.compile(r"""'([^']*)'|"([^"]*)"|([^\s,\[\]'"]+)""")
_SHOWN_ERRORS = 5

COLUMNS: dict[str, tuple[str, ...]] = {
    "key": ("key", "id"),
    "choice": ("choice", "label", "preference", "choice.responses", "label.responses"),
    "rater": ("rater", "annotator", "choice.responses.users", "label.responses.users"),
}
"""Our column → the names that it is looked for under: ours, Label Studio's, Argilla's."""

_SAID = ("0 0.0 tie", "1 1.0 answer_1 left yes", "2 2.0 answer_2 right no")
VALUES = {word: number for number, words in enumerate(_SAID) for word in words.split()}
"""What a cell may say → the key of the page that means it."""


def row_key(item: Item, shown: Verdict) -> str:
    """Return what ties a row to its item, and tells the order of the answers only to us."""
    if item.judgment:
        return item.key
    return f"{item.key}-{_order_mark(item.key, shown)}"


def _order_mark(pair_key: str, shown: Verdict) -> str:
    return content_key("shown as", pair_key, shown)[:8]


def export_csv(path: Path, items: Iterable[tuple[Item, Verdict]]) -> int:
    """Replace a CSV file by the items, each with the letter of the better answer; return how many.

    Rows have the columns key, question, answer_1, answer_2, judgment (of judgments), choice and
    rater, the last two empty. No cell begins as a formula does.
    """
    text = io.StringIO(newline="")
    writer, count = csv.writer(text), 0
    for count, (item, shown) in enumerate(items, start=1):
        judged = [item.judgment.reply] if item.judgment else []
        if count == 1:
            said = ["judgment"] if judged else []
            writer.writerow(["key", "question", "answer_1", "answer_2", *said, "choice", "rater"])
        texts = [item.pair.instruction, *answers_in_order(item, shown), *judged]
        writer.writerow([row_key(item, shown), *map(as_cell, texts), "", ""])
    with open_replacement(path) as file:  # spreadsheets know UTF-8 by its mark
        file.write(text.getvalue().encode("utf-8-sig", errors="replace"))
    return count


def as_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    >>> as_cell("=1+1")
    "'=1+1"
    """
    return f"'{text}" if _FORMULA.match(text) else text


class Given(NamedTuple):
    """One label as a row gives it."""

    line: int
    key: str
    value: str
    rater: str


def read_csv(
    path: Path,
    kind: Kind,
    pair_keys: Mapping[str, str],
    *,
    known: Sequence[Label],
    rater: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> list[Label]:
    """Return the labels in a CSV file that are new; rows without a choice have none.

    `pair_keys` is each item's key → its pair's, of the run; `known` are the run's labels; `rater`
    names those whose rows do not; `columns` is our column → the file's, where it has another name.
    Raises: DataError naming file and lines where anything in it is not what it must be; ConfigError
    for a column that is not there.
    """
    errors: list[str] = []
    labels: dict[tuple[str, str], tuple[int, Label]] = {}
    earlier = {(x.rater, x.judgment_key or x.pair_key): x for x in known if x.kind == kind}
    names = {x.rater for x in known}
    for given in _rows(path, columns or {}, rater):
        try:
            label = _label(given, kind, pair_keys, names)
            item = (label.rater, label.judgment_key or label.pair_key)
            _refuse_another(label, earlier.get(item), labels.get(item))
        except DataError as error:
            errors.append(f"{path}:{given.line}: {error}")
        else:
            labels[item] = given.line, label
    if errors:
        more = f"\n… and {len(errors) - _SHOWN_ERRORS} more" if len(errors) > _SHOWN_ERRORS else ""
        raise DataError("\n".join(errors[:_SHOWN_ERRORS]) + more + "\nNo label was taken over.")
    return [label for item, (_, label) in labels.items() if item not in earlier]


def _refuse_another(label: Label, before: Label | None, same: tuple[int, Label] | None) -> None:
    """Refuse a second, other label of one rater: it may be another person of that name."""
    if before and before.choice != label.choice:
        raise DataError(
            f"{label.rater} has labelled this {label.kind} already, as {before.choice}, here as "
            f"{label.choice}. Is it another person? Give them another name; or leave the row out."
        )
    if same and same[1].choice != label.choice:
        raise DataError(
            f"{label.rater} labels this {label.kind} as {label.choice}, but as {same[1].choice} in "
            f"line {same[0]}. Two people need two names; of one person's labels leave one."
        )


def _label(given: Given, kind: Kind, pair_keys: Mapping[str, str], names: set[str]) -> Label:
    key, shown = _item(given.key, kind, pair_keys)
    number = VALUES.get(given.value.strip().lower())
    if number is None:
        raise DataError(
            f"choice {given.value[:40]!r}; expected 1, 2 or 0 (or nothing, where it is not "
            "labelled)."
        )
    try:
        name = check_rater(given.rater, names, "rater")
    except ConfigError as error:
        raise DataError(str(error)) from error
    judgment = key if kind == "judgment" else ""
    choice = choice_of(kind, number, shown)
    return Label(name, kind, pair_keys[key], choice, judgment, shown, now())


def _item(text: str, kind: Kind, pair_keys: Mapping[str, str]) -> tuple[str, Verdict | None]:
    """Return the key of a row's item, and the letter under which the better answer is in it."""
    text = text.strip()
    match = _KEY.fullmatch(text)
    key = match[1] if match and kind == "pair" else text
    if key not in pair_keys:
        wanted = "pairs" if kind == "pair" else "judgments"
        raise DataError(
            f"key {text[:40]!r} is none of this run's {wanted}. Give the run that the file was "
            f"exported from{', and --judgments if it holds judgments' if kind == 'pair' else ''}."
        )
    if kind == "judgment":
        return key, None
    for shown in ORDERS:
        if match and match[2] == _order_mark(key, shown):
            return key, shown
    raise DataError(
        f"key {text[:40]!r} does not say in which order the answers were shown. Leave the column "
        "key as it was exported."
    )


def _rows(path: Path, columns: Mapping[str, str], rater: str | None) -> Iterator[Given]:
    """Yield the labels in a file's rows; Argilla's rows hold a list of several raters' ones."""
    lines = list(_read(path))
    if not lines:
        raise DataError(f"{path}: empty. Expected a first line that names the columns.")
    (_, head), *rows = lines
    key = _find("key", head, columns, path, rows)
    choice = _find("choice", head, columns, path, rows)
    there = not rater or "rater" in columns or any(name in head for name in COLUMNS["rater"])
    named = _find("rater", head, columns, path, rows, needed=not rater) if there else None
    status = f"{head[choice]}.status"
    several = head.index(status) if status in head else None
    for line, cells in rows:
        cells = [*cells, *[""] * (len(head) - len(cells))]
        values = _listed(cells[choice])
        raters = [] if named is None else _listed(cells[named])
        if rater:
            _refuse_others(f"{path}:{line}", raters if values else [], rater)
            raters = [rater] * len(values)
        done = _listed(cells[several]) if several is not None else ["submitted"] * len(values)
        for number, value in enumerate(values):
            if done[number : number + 1] in ([], ["submitted"]):
                name = raters[number] if number < len(raters) else ""
                yield Given(line, cells[key], value, name)


def _refuse_others(where: str, raters: Sequence[str], rater: str) -> None:
    """Refuse a row that names another rater than `--rater`."""
    for name in raters:
        if " ".join(unicodedata.normalize("NFC", name).split()) != rater:
            raise DataError(
                f"{where}: rater {name[:40]!r}, but --rater {rater}. Leave --rater out, as the "
                "file names its raters, or correct the row.\nNo label was taken over."
            )


def _find(
    column: str,
    head: Sequence[str],
    columns: Mapping[str, str],
    path: Path,
    rows: Sequence[tuple[int, Sequence[str]]],
    *,
    needed: bool = True,
) -> int:
    """Return the index of a column: the one named, or the first of the known names with values.

    `needed`: it must have values. Raises: ConfigError or DataError where it is not there.
    """
    if column in columns:
        if columns[column] not in head:
            raise ConfigError(
                f"--column {column}={columns[column]}: {path} has no such column, but "
                f"{', '.join(head)[:200]}."
            )
        return head.index(columns[column])
    there = [head.index(name) for name in COLUMNS[column] if name in head]
    filled = [i for i in there if any(len(cells) > i and cells[i].strip() for _, cells in rows)]
    if needed and (not there or (column == "rater" and not filled)):
        or_rater = ", or who labelled with --rater NAME" if column == "rater" else ""
        found = f"no column {column!r}; found {', '.join(head)[:200]}. Name it"
        if there:
            found = f"the column {head[there[0]]!r} has no values. Name another"
        raise DataError(f"{path}:1: {found}: --column {column}=COLUMN{or_rater}.")
    return (filled or there)[0]


def _listed(cell: str) -> list[str]:
    """Return the values of a cell: one, none, or those of a list as Python or NumPy print it.

    >>> _listed("['1' '2']"), _listed("1"), _listed(" ")
    (['1', '2'], ['1'], [])
    """
    text = cell.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return [text] if text else []
    return [a or b or c for a, b, c in _LIST.findall(text[1:-1])]


def _read(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1, cells) of every row that is not empty."""
    text = io.StringIO(_text(path), newline="")
    first = text.readline()
    text.seek(0)
    delimiter = max(",;\t", key=first.count)
    csv.field_size_limit(1 << 30)
    rows, line = csv.reader(text, delimiter=delimiter, strict=True), 1
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield line, [cell.strip() for cell in cells] if line == 1 else cells
            line = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{line}: not CSV ({error}).") from error


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    encoding = next((e for m, e in _BYTE_ORDER_MARKS.items() if content.startswith(m)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: not {encoding.upper()} text. Save it as CSV UTF-8."
        ) from error
