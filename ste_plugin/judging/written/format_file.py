"""What a judge format's YAML holds."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from ste_plugin.config.base import Positive, Strict
from ste_plugin.judging.written.templates import ANSWER, FIELDS, check_template
from ste_plugin.judging.written.verdict_settings import VerdictSettings, listed


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


class ThinkingMarks(Strict):
    """What the judge writes around thoughts, where its family is none of the known ones."""

    open: str = Field(min_length=1)
    close: str = Field(min_length=1)


class SampleReply(Strict):
    """A reply, and what it is to be read as."""

    reply: str
    """What a judge may say."""
    verdict: Literal["first", "second", "tie", "none"] | float
    """The answer that it is for, by its place in the prompt; or its score, of one rated alone."""


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
    scores: tuple[int, int] | None = None
    """Lowest and highest score, where each answer is rated alone; another number is none."""
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
        check_rating(self)
        own = (*self.columns, ANSWER) if self.rates else self.columns
        for number, turn in enumerate(self.turns):
            check_template(turn.template, f"turns.{number}.template", own)
        check_shown(self)
        return self

    @property
    def rates(self) -> bool:
        """Whether each answer is rated alone."""
        return self.verdict is not None and self.verdict.rates

    def _adds_a_rubric(self) -> None:
        own = self.model_fields_set - {"like", "rubric", "name"}
        if own or not self.rubric:
            raise ValueError(
                f"found like: {self.like} with {listed(own) if own else 'no rubric'}; expected "
                "a rubric beside it and nothing else. Leave out the rest, or leave out `like` and "
                "write the turns"
            )


def check_rating(file: FormatFile) -> None:
    """Raise ValueError where a file mixes what is of a rating with what is of a comparison."""
    if not file.rates:
        if file.scores:
            raise ValueError(
                "found scores, which are of formats that rate each answer alone; expected a "
                "verdict with a score, as '[[{score}]]'. Write it so, or leave them out"
            )
        return
    if taken := file.model_fields_set & {"letters", "tie", "scale"}:
        raise ValueError(
            f"found {listed(taken)} beside a score of one answer; expected none, as the higher "
            "score of a pair wins. Leave it out"
        )
    if file.scores and file.scores[0] >= file.scores[1]:
        raise ValueError(
            f"scores: found {file.scores[0]}, {file.scores[1]}; expected the lowest and the "
            "highest. Correct them"
        )
    if file.closing and not (file.scores and file.scores[0] >= 0 and file.scores[1] <= 9):
        raise ValueError(
            f"closing: found {file.closing!r}; expected `scores` within 0 and 9 beside it, as a "
            "score that is forced is one token. Add them, or leave `closing` out"
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
    fields = (*FIELDS, ANSWER) if file.rates else FIELDS
    if taken := [name for name in file.columns if name in fields and name != "rubric"]:
        raise ValueError(
            f"columns: found {taken[0]!r}, which is a field of every format; expected columns of "
            "other names. Rename it in the data"
        )
    shown = " ".join(re.sub(r"\s+", " ", turn.template) for turn in file.turns)
    answers = (ANSWER,) if file.rates else ("answer_a", "answer_b")
    others = {"answer_a", "answer_b", "first", "second"} if file.rates else set()
    if wrong := sorted(n for n in others if re.search(rf"\{{[{{%][^}}]*\b{n}\b", shown)):
        raise ValueError(
            f"turns: found {{{{ {wrong[0]} }}}} in a format that rates each answer alone; expected "
            f"{{{{ {ANSWER} }}}}. Show that one"
        )
    for name in ("instruction", *answers, *file.columns):
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
