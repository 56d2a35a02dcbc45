"""What people give a judge to compare: a prompt or a conversation, and two answers to it."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ste_plugin.errors import ConfigError, DataError, did_you_mean
from ste_plugin.judging import JudgeFormat
from ste_plugin.text.turns import Turn, in_words, spoken_by

Prompt = str | Sequence[Mapping[str, Any]]
"""What was asked: a text, or a conversation that ends with the user's turn."""

Columns = Mapping[str, str]
"""What a format shows of a row beside prompt and answers, by name."""

Pair = tuple[Prompt, str, str] | tuple[Prompt, str, str, Columns]
"""What was asked, and two answers to it: A and B; with columns of its own where it has some."""


class Texts(NamedTuple):
    """What a judge is shown: an instruction, two answers in their order, and columns."""

    prompt: str
    a: str
    b: str
    columns: Columns

    @property
    def turned(self) -> "Texts":
        """The same in the other order."""
        return self._replace(a=self.b, b=self.a)


OF_CRITERIA = ("category", "subset")
"""The columns by which a rubric with categories finds its words."""
_ROLES = ("system", "user", "assistant")


def prompt_text(prompt: Prompt) -> str:
    """Return a prompt as the judge is shown it; of a single turn its text, of more each with who
    speaks.

    Raises: DataError for what is no conversation, or ends with another turn than the user's.

    >>> prompt_text([{"role": "user", "content": "Hi"}])
    'Hi'
    """
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, Sequence) or not prompt:
        raise DataError(
            f"prompt: found {type(prompt).__name__} {str(prompt)[:40]!r}; expected a text, or a "
            'list of turns such as [{"role": "user", "content": "…"}].'
        )
    turns = [_turn(number, turn) for number, turn in enumerate(prompt, start=1)]
    if turns[-1][0] != "user":
        raise DataError(
            f"prompt: its last turn is the {turns[-1][0]}'s; expected the user's, as the answers "
            "that are compared come after it. Leave the last turn out."
        )
    return in_words([Turn(spoken_by(role), said) for role, said in turns])


def _turn(number: int, turn: object) -> tuple[str, str]:
    """Return role and text of a turn. Raises: DataError where it has none."""
    if not isinstance(turn, Mapping) or not {"role", "content"} <= turn.keys():
        raise DataError(
            f"prompt: turn {number}: found {str(turn)[:60]!r}; expected an object with role and "
            "content."
        )
    role, content = turn["role"], turn["content"]
    if role not in _ROLES:
        raise DataError(
            f"prompt: turn {number}: found role {str(role)[:40]!r}."
            f"{did_you_mean(str(role), _ROLES)} Expected one of {', '.join(_ROLES)}."
        )
    if not isinstance(content, str):
        raise DataError(
            f"prompt: turn {number}: found content of type {type(content).__name__}; expected text."
        )
    return role, content


def is_empty(text: str) -> bool:
    """Return whether nothing of a text can be seen: blanks, control and zero-width characters.

    >>> [is_empty(text) for text in (" ", "\\u200b\\x00", "0")]
    [True, True, False]
    """
    return not any(unicodedata.category(c)[0] not in "CZ" for c in text)


def problem_of(prompt: str, a: str, b: str) -> str:
    """Return what is wrong with texts that are to be compared, or nothing."""
    texts = {"the prompt": prompt, "answer A": a, "answer B": b}
    for name, text in texts.items():
        if not isinstance(text, str):
            return f"{name}: found {type(text).__name__}; expected text."
        if is_empty(text):
            return f"{name} is empty; expected text. Leave the pair out, or count it yourself."
    return ""


def read_pair(pair: object, formats: Sequence[JudgeFormat], columns: Columns) -> Texts:
    """Return what is shown of a pair, whose own columns go before `columns`.

    Raises: DataError for what is no pair, or an empty text; ConfigError where a column is missing
    that one of the formats shows, or is none of theirs.
    """
    prompt, a, b, *own = _parts(pair)
    row = dict(columns)
    if own:
        check_columns(formats, own[0])
        row |= own[0]
    texts = Texts(prompt_text(prompt), a, b, row)
    if problem := problem_of(*texts[:3]):
        raise DataError(problem)
    for judge_format in formats:
        judge_format.for_row(row)
    return texts


def is_same(texts: Texts, formats: Sequence[JudgeFormat]) -> bool:
    """Return whether both answers look the same to a judge, as those that differ in blanks do."""
    own = [judge_format.for_row(texts.columns) for judge_format in formats]
    return all(each.render(*texts[:3]) == each.render(*texts.turned[:3]) for each in own)


def known_columns(formats: Iterable[JudgeFormat]) -> list[str]:
    """Return the columns that formats show of a row, or find their rubric's words by."""
    known: dict[str, None] = {}
    for each in formats:
        by_criteria = OF_CRITERIA if getattr(each, "criteria", {}) else ()
        known |= dict.fromkeys((*getattr(each, "columns", ()), *by_criteria))
    return list(known)  # a plugin's format may have neither


def check_columns(formats: Sequence[JudgeFormat], columns: object) -> None:
    """Raise ConfigError for what is no mapping of texts, or a name that no format ever shows."""
    if not isinstance(columns, Mapping):
        raise ConfigError(
            f"columns: found {str(columns)[:40]!r}; expected a mapping, as {{'rubric': '…'}}."
        )
    if not all(type(each).__module__.startswith("ste_plugin.") for each in formats):
        return  # a plugin's may read any
    known, names = known_columns(formats), " or ".join(dict.fromkeys(f.name for f in formats))
    for name in columns:
        if name not in known:
            raise ConfigError(
                f"columns: the judge format {names} shows no {name!r}."
                f"{did_you_mean(str(name), known)} It shows {', '.join(known) or 'none'}. Leave it "
                "out."
            )


def _parts(pair: object) -> tuple[Any, ...]:
    if isinstance(pair, Iterable) and not isinstance(pair, str | Mapping):
        parts = tuple(pair)
        if len(parts) in (3, 4):
            return parts
    raise DataError(f"found {str(pair)[:60]!r}; expected (prompt, a, b).")
