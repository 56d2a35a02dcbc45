"""Published judgments: a judge's prompt with a judgment to learn and one to avoid, as rows."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.verdict import letter_of
from ste_plugin.labelled.rows import Row
from ste_plugin.records import Drop, Verdict, content_key
from ste_plugin.text.sanitize import sanitize_for_model

_COLUMNS = {
    "prompt": ("src", "prompt", "messages"),
    "chosen": ("tgt_chosen", "chosen"),
    "rejected": ("tgt_rejected", "rejected"),
}
_HEADER = re.compile(r"<\|start_header_id\|>(system|user|assistant)<\|end_header_id\|>\s*")
_ENDS = re.compile(r"<\|(?:eot_id|begin_of_text|end_of_text)\|>")
_ASKED = re.compile(
    r"\[(?:User Question|Instruction)\]\s*(.+?)\s*\[(?:The Start of Assistant A|Answer A)",
    re.DOTALL,
)
"""What a judge's prompt holds of the instruction, in the authors' words and in ours."""
_HASH = re.compile(r"[0-9a-f]{32}")
STAGE = "import"


class PublishedJudgments(NamedTuple):
    """A judged prompt, and two judgments of which one is right."""

    turns: tuple[dict[str, str], ...]
    chosen: str
    rejected: str
    better_is: Verdict
    instruction: str
    """Key of what was asked in it, as far as the prompt tells: both orders have one."""

    @property
    def key(self) -> str:
        """Return the key of the prompt."""
        return content_key("imported", list(self.turns))


def read_judgments(
    rows: Iterable[Row], judge_format: JudgeFormat, asked: Mapping[str, str]
) -> Iterator[PublishedJudgments | Drop]:
    """Yield the judgments of each row, or why there are none.

    `asked`: WildChat's hash of a conversation → what a prompt has the hash in place of.
    Raises: DataError naming a row without the columns, or with something else than texts in them.
    """
    for row in rows:
        found = _read(row, judge_format, asked)
        yield Drop(STAGE, row.where, found) if isinstance(found, str) else found


def hash_of(row: Row) -> str:
    """Return the hash that a row has in place of what was asked; '' where it has none."""
    named = str(row.columns.get("instruction") or "")
    return named if _HASH.fullmatch(named) and named in str(_value(row, "prompt")) else ""


def _read(
    row: Row, judge_format: JudgeFormat, asked: Mapping[str, str]
) -> PublishedJudgments | str:
    prompt, placeholder = _value(row, "prompt"), hash_of(row)
    if placeholder and placeholder not in asked:
        return "no instruction for the hash in the prompt"
    turns = tuple(_turns(row, prompt, placeholder, asked.get(placeholder, "")))
    chosen, rejected = (_reply(row, _value(row, name)) for name in ("chosen", "rejected"))
    if not turns or turns[-1]["role"] != "user":
        return "prompt does not end with a turn of the user"
    if not chosen or not rejected:
        return "empty judgment"
    said, other = (letter_of(_verdict(judge_format, text)) for text in (chosen, rejected))
    if said is None:
        return "chosen judgment without a verdict"
    if said == other:
        return "both judgments have the same verdict"
    text = turns[-1]["content"]
    told = _ASKED.search(text)
    instruction = content_key("instruction", told[1] if told else text)
    return PublishedJudgments(turns, chosen, rejected, said, instruction)


def _verdict(judge_format: JudgeFormat, text: str) -> Any:
    return judge_format.decide(judge_format.parse(text), None)


def _value(row: Row, name: str) -> Any:
    columns = row.filled(_COLUMNS[name])
    if not columns:
        raise DataError(
            f"{row.where}: no column of the {name} ({' or '.join(_COLUMNS[name])}); found "
            f"{', '.join(map(repr, row.columns)) or 'none'}. Rename the column."
        )
    return row.columns[columns[0]]


def _turns(row: Row, prompt: Any, placeholder: str, asked: str) -> Iterator[dict[str, str]]:
    """Yield the turns of a prompt: of a list, or of a text with Llama 3's marks of turns."""
    if isinstance(prompt, list):
        said = [(str(t.get("role")), t.get("content")) for t in prompt if isinstance(t, Mapping)]
    else:
        first, *parts = _HEADER.split(_text(row, prompt))
        start = "system" if parts else "user"
        said = [(start, first), *zip(parts[::2], parts[1::2], strict=True)]
    for role, words in said:
        text = _ENDS.sub("", _text(row, words)).strip()
        if text:
            filled = text.replace(placeholder, asked) if placeholder else text
            yield {"role": role, "content": sanitize_for_model(filled)}


def _reply(row: Row, value: Any) -> str:
    """Return a judgment: a text, a turn, or the last of several turns."""
    last = value[-1] if isinstance(value, list) and value else value
    words = last.get("content") if isinstance(last, Mapping) else last
    return sanitize_for_model(_ENDS.sub("", _text(row, words))).strip()


def _text(row: Row, value: Any) -> str:
    if not isinstance(value, str):
        raise DataError(
            f"{row.where}: expected texts or turns with a content, found "
            f"{type(value).__name__} {str(value)[:40]!r}. Correct the row."
        )
    return value
