"""What a judge format's YAML holds."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from ste_plugin.config.base import Positive, Strict
from ste_plugin.errors import ConfigError
from ste_plugin.judging.written.linear import compile_linear
from ste_plugin.judging.written.templates import FIELDS, check_template

LETTER = "{letter}"
"""Where the letter stands in `marks`."""
KINDS = ("marks", "pattern", "json")
_SCORES = {"first", "second"}


def _as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


Word = Annotated[
    str,
    BeforeValidator(_as_text),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
]
"""What a judge writes for an answer: `A`, `m`, `1`, `Response 1`."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}$")]
Column = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Rubric = Annotated[str, StringConstraints(min_length=1)] | dict[str, str]
"""Words, or category → words, with `default` for all others."""


class Turn(Strict):
    """One turn of the prompt."""

    role: Literal["system", "user", "assistant"] = "user"
    """Whose turn it is."""
    template: str
    """Its words, in Jinja: {{ instruction }}, {{ answer_a }}, {{ answer_b }}, the letters that
    stand for them ({{ first }}, {{ second }}), {{ rubric }}, and the columns."""


class JsonPaths(Strict):
    """Where in a reply's JSON object the verdict is, as `winner` or `result.scores.0`."""

    letter: str | None = None
    """Of a letter, or a step of the scale."""
    first: str | None = None
    """Of the first answer's score."""
    second: str | None = None
    """Of the second answer's score."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> "JsonPaths":
        named = {k for k in ("letter", "first", "second") if getattr(self, k)}
        if named not in ({"letter"}, _SCORES):
            raise ValueError(
                f"found {', '.join(sorted(named)) or 'nothing'}; expected either letter, or first "
                "and second, of which the higher score wins. Keep one of the two"
            )
        return self


class VerdictSettings(Strict):
    """How a verdict is read: by one of marks, pattern and json."""

    marks: str | None = Field(default=None, examples=["[[{letter}]]"])
    """The words around a letter, with {letter} in its place."""
    pattern: str | None = None
    """An expression of RE2 with a group named letter, or with two named first and second, for
    scores of which the higher wins."""
    json_: JsonPaths | None = Field(default=None, alias="json")
    """Paths within the JSON object of a reply."""
    take: Literal["only", "first", "last"] = "only"
    """Which verdict counts where a reply holds several. `only`: none, unless they are the same."""

    @property
    def scores(self) -> bool:
        """Whether two scores are read, rather than a letter."""
        if self.json_:
            return self.json_.first is not None
        return self.pattern is not None and "first" in compile_linear(self.pattern).groups

    @field_validator("marks")
    @classmethod
    def _holds_the_letter(cls, value: str | None) -> str | None:
        if value is not None and value.count(LETTER) != 1:
            raise ValueError(
                f"found {value!r}; expected {LETTER} once, where the letter stands, as "
                f"'[[{LETTER}]]'. Put it there"
            )
        return value

    @field_validator("pattern")
    @classmethod
    def _is_linear(cls, value: str | None) -> str | None:
        if value is None:
            return value
        try:
            groups = set(compile_linear(value).groups)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if groups & {"letter", *_SCORES} not in ({"letter"}, _SCORES):
            raise ValueError(
                f"found {value!r} with {_listed(groups)}; expected a group (?P<letter>…), or two, "
                "(?P<first>…) and (?P<second>…), of which the higher score wins. Name them"
            )
        return value

    @model_validator(mode="after")
    def _is_one_kind(self) -> "VerdictSettings":
        given = [kind for kind in KINDS if getattr(self, "json_" if kind == "json" else kind)]
        if len(given) != 1:
            raise ValueError(
                f"found {' and '.join(given) or 'none of them'}; expected one of marks, pattern "
                "and json. Keep the one by which its authors read it"
            )
        return self


class ThinkingMarks(Strict):
    """What the judge writes around thoughts, where its family is none of the known ones."""

    open: str = Field(min_length=1)
    close: str = Field(min_length=1)


class SampleReply(Strict):
    """A reply, and what it is to be read as."""

    reply: str
    """What a judge may say."""
    verdict: Literal["first", "second", "tie", "none"]
    """The answer that it is for, by its place in the prompt."""


class FormatFile(Strict):
    """A judge format: what a judge is asked, and how it is read."""

    name: Name | None = None
    """What it is called; names its version, with a hash of its words."""
    like: Name | None = None
    """A built-in format (or a plugin's) that it is, but for its rubric."""
    rubric: Rubric = ""
    """What counts: words, or category → words, with `default` for all others."""
    turns: tuple[Turn, ...] = ()
    """The prompt."""
    columns: tuple[Column, ...] = ()
    """Columns of a row that the templates show: a reference answer, earlier turns."""
    letters: tuple[Word, Word] = ("A", "B")
    """What stands for the first and the second answer."""
    tie: Word | None = None
    """What a judge writes where neither is better."""
    scale: tuple[Word, ...] = ()
    """What it writes instead of a letter, from the first answer to the second, as [A>>B, A>B, A=B,
    B>A, B>>A]; a step in the middle is a tie."""
    verdict: VerdictSettings | None = None
    """How its verdict is read."""
    closing: str = ""
    """The last words before the letter, for verdicts that are forced; empty where none can be."""
    after_letter: str = ""
    """What ends a judgment behind a letter that was forced."""
    without_chat_template: str = "\n\n"
    """What follows the prompt where a model has no chat template."""
    max_new_tokens: Positive = 1024
    """Longest judgment in tokens."""
    reasons: bool = True
    """Whether the judge writes anything before its verdict."""
    thinking: ThinkingMarks | None = None
    """Marks of thoughts that no model of the known families writes."""
    sample: dict[str, Any] = Field(default_factory=dict)
    """Values of the columns for `ste formats check`."""
    examples: tuple[SampleReply, ...] = ()
    """Replies, each with the verdict that is to be read in it."""

    @model_validator(mode="after")
    def _is_whole(self) -> "FormatFile":
        if self.like:
            self._adds_a_rubric()
            return self
        missing = [k for k in ("name", "turns", "verdict") if not getattr(self, k)]
        if missing:
            raise ValueError(
                f"found no {' and no '.join(missing)}; expected a name, the turns of the prompt "
                "and how the verdict is read, or `like` with a rubric. Add what is missing"
            )
        check_words(self)
        for number, turn in enumerate(self.turns):
            check_template(turn.template, f"turns.{number}.template", self.columns)
        check_shown(self)
        return self

    def _adds_a_rubric(self) -> None:
        own = self.model_fields_set - {"like", "rubric", "name"}
        if own or not self.rubric:
            raise ValueError(
                f"found like: {self.like} with {_listed(own) if own else 'no rubric'}; expected "
                "a rubric beside it and nothing else. Leave out the rest, or leave out `like` and "
                "write the turns"
            )


def check_words(file: FormatFile) -> None:
    """Raise ValueError where what a judge writes cannot tell the answers apart."""
    first, second = file.letters
    if first == second or file.tie in file.letters:
        same = "letters" if first == second else "tie"
        raise ValueError(
            f"{same}: found {first if same == 'letters' else file.tie!r} for two meanings; "
            "expected one that stands for nothing else. Change one of them"
        )
    if not file.scale:
        return
    if file.tie:
        raise ValueError(
            f"found tie: {file.tie} beside a scale, which are two kinds of verdict; expected one. "
            "Put the tie in the middle of the scale"
        )
    if len(set(file.scale)) < max(2, len(file.scale)):
        raise ValueError(
            f"scale: found {', '.join(file.scale)}; expected two steps or more, none of them "
            "twice. Correct it"
        )
    if file.verdict and file.verdict.scores:
        raise ValueError(
            "found a scale beside two scores, which are two kinds of verdict; expected one. Leave "
            "the scale out, or read a group named letter"
        )


def check_shown(file: FormatFile) -> None:
    """Raise ValueError where no turn shows what is judged."""
    if taken := [name for name in file.columns if name in FIELDS and name != "rubric"]:
        raise ValueError(
            f"columns: found {taken[0]!r}, which is a field of every format; expected columns of "
            "other names. Rename it in the data"
        )
    shown = " ".join(re.sub(r"\s+", " ", turn.template) for turn in file.turns)
    for name in ("instruction", "answer_a", "answer_b", *file.columns):
        if not re.search(rf"\{{[{{%][^}}]*\b{name}\b", shown):
            raise ValueError(
                f"turns: found no {{{{ {name} }}}}; expected it in one of the templates. Show it, "
                "or the judge never sees it"
            )
    if file.rubric and not re.search(r"\{[{%][^}]*\brubric\b", shown):
        raise ValueError(
            "turns: found no {{ rubric }} beside a rubric; expected it in one of the templates. "
            "Show it, or the judge never sees it"
        )
    if file.turns[-1].role != "user":
        raise ValueError(
            f"turns: the last one is the {file.turns[-1].role}'s; expected a user's, which the "
            "judge answers. Put one behind it"
        )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no named group"
