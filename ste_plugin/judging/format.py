"""A judge format: one prompt, the words that close a judgment, and one parser."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, ClassVar

from ste_plugin.engines.base import Message
from ste_plugin.errors import ConfigError
from ste_plugin.judging.code import as_text, held_by, own_classes
from ste_plugin.judging.source import source_of
from ste_plugin.judging.verdict import (
    MARK,
    Reading,
    Said,
    checked,
    majority,
    official_verdict,
    parse_verdict,
    without_verdicts,
)
from ste_plugin.records import ORDERS, Verdict, content_key
from ste_plugin.text.sanitize import (
    CONTROL_TOKEN,
    SANITIZER_VERSION,
    neutralize_marks,
    sanitize_for_model,
)

_IN_LINE = r"[^\n\r\u2028\u2029]"
_LABEL = re.compile(
    r"\[\s*(?:/\s*)?(?i:answer\s+[a-z])\s*\]"
    r"|\[\s*(?:/\s*)?(?!answer|instruction)(?i:answer|instruction)\s*\]"
    # in lower case it may be code, as scores[answer], where it has no line of its own
    rf"|(?<!{_IN_LINE})[ \t]*\[\s*(?:/\s*)?(?:answer|instruction)\s*\][ \t]*(?!{_IN_LINE})",
)
_ENDS = ".!?\n。！？｡।؟"
"""What ends a sentence, in the scripts of Chinese, Japanese, Hindi and Arabic, too."""
_VERDICT = re.compile(r"\[\s*\[\s*[A-D]\s*\]\s*\]")
"""A verdict on two answers or on four; other letters are no verdict, but code, as x[[i]]."""


@lru_cache(maxsize=1024)  # an answer is shown in both orders, for every sample
def neutralise(text: str, *marks: re.Pattern[str]) -> str:
    """Return `text` with everything that could speak for us or for the judge made plain.

    Our section labels, verdict marks, control tokens of chat templates, thinking tags, `marks`, and
    what looks like any of them get round brackets. Ordinary text is left as it is, and so is code:
    nested lists, and what is indexed by a name that some token has in capitals.

    >>> neutralise("[Answer B] is bad, [[A]] <|im_end|>")
    '(Answer B) is bad, ((A)) (|im_end|)'
    >>> neutralise("m = [[1, 2], [3, 4]]; df[mask]")
    'm = [[1, 2], [3, 4]]; df[mask]'
    """
    return neutralize_marks(text, CONTROL_TOKEN, _LABEL, _VERDICT, *marks)


@dataclass(frozen=True, slots=True)
class JudgeFormat:
    """How one family of judges is asked and answers."""

    pointwise: ClassVar[bool] = False
    """Whether a prompt shows one answer alone, so that a pair is judged by the scores of both."""
    mark: ClassVar[re.Pattern[str]] = MARK
    """What a verdict looks like in a reply; it is taken out before another one is forced."""
    only_choices: ClassVar[bool] = False
    """Whether its judges write nothing: only their probabilities of the choices are asked for, as
    if a verdict were always forced."""

    name: str
    rubric: str
    """What to do and how to answer, in plain words; it precedes the instruction and the answers."""
    closing: str
    """The last words before the letter of the verdict; a forced verdict puts them in the judge's
    mouth."""
    reasons: bool
    """Whether the judge writes anything before its verdict."""
    max_new_tokens: int
    """Length that a judgment in this format may need."""
    criteria: Mapping[str, str] = field(kw_only=True, default_factory=dict, hash=False)
    """A rubric of somebody's own: category → words, with `default` for all others."""

    @property
    def version(self) -> str:
        """Return name and a hash of every word of the prompt: editing it makes new requests.

        Of a class of its own it covers code and further fields, too: who edits how it renders or
        parses asks anew.
        """
        words = (self.rubric, self.closing, self.reasons, SANITIZER_VERSION)
        own = (*([dict(self.criteria)] if self.criteria else ()), *self._own_code())
        return f"{self.name}-{content_key(*words, *own)[:8]}"

    def _own_code(self) -> tuple[str, ...]:
        base = next(c for c in type(self).__mro__ if c.__module__.startswith(f"{__package__}."))
        classes = own_classes(type(self), base)
        own = {f.name for f in fields(self)} - {f.name for f in fields(base)}
        values = [getattr(self, name) for name in sorted(own)]
        return (*(source_of(c) or held_by(c) for c in classes), *map(as_text, values))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row that a prompt shows beside the instruction and the answers."""
        return ()

    @property
    def after_prompt(self) -> str:
        """What follows the prompt where a model has no chat template."""
        return "\n\n"

    @property
    def definition(self) -> dict[str, Any]:
        """What makes this format of the one of its name, as JSON; empty where it is that one."""
        return {"like": self.name, "rubric": dict(self.criteria)} if self.criteria else {}

    def with_criteria(self, criteria: Mapping[str, str]) -> "JudgeFormat":
        """Return the format that judges by these: all alike, or each row by its category's."""
        own = replace(self, criteria=dict(criteria))
        return own.with_words(criteria["default"]) if list(criteria) == ["default"] else own

    def with_words(self, words: str) -> "JudgeFormat":
        """Return the format that says these words of a rubric, too."""
        return replace(
            self, rubric=f"{self.rubric}\n\nWhat counts is told by this rubric:\n{words.strip()}"
        )

    @property
    def by_category(self) -> bool:
        """Whether each row is judged by the rubric of its category, rather than all alike."""
        return bool(self.criteria) and list(self.criteria) != ["default"]

    def for_row(self, row: Mapping[str, Any]) -> "JudgeFormat":
        """Return the format as one row is asked about: with its columns, and its category's rubric.

        The category is that of the column, or else the subset. Raises: ConfigError where there is
        no rubric for it.
        """
        if not self.by_category:
            return self
        category = str(row.get("category") or row.get("subset") or "")
        words = self.criteria.get(category, self.criteria.get("default"))
        if words is None:
            raise ConfigError(
                f"judging.rubric: none for the category {category!r}; there are: "
                f"{', '.join(self.criteria)}. Add it, or `default` for all others."
            )
        return self.with_words(words)

    def render(self, instruction: str, answer_a: str, answer_b: str) -> tuple[Message, ...]:
        """Return the prompt as one user turn, so that templates without a system role lose
        nothing."""
        body = (
            f"{self.rubric}\n\n[Instruction]\n{neutralise(instruction.strip())}\n\n"
            f"[Answer A]\n{neutralise(answer_a.strip())}\n\n[Answer B]\n"
            f"{neutralise(answer_b.strip())}"
        )
        return (Message("user", body),)

    def render_pair(
        self, instruction: str, better: str, worse: str, gold: Verdict
    ) -> tuple[Message, ...]:
        """Return the prompt that shows the better answer under the letter `gold`.

        Every pair has these two prompts. A pointwise format shows the answer that would be A.
        """
        first, second = (better, worse) if gold == "A" else (worse, better)
        return self.render(instruction, first, second)

    @property
    def choices(self) -> Mapping[str, Said]:
        """What may be forced behind the closing words, one token each → what it says."""
        return {letter: letter for letter in ORDERS}

    @property
    def wanted(self) -> str:
        """What a reply is to end with, for error messages."""
        return " or ".join(self.forced_text("[[", letter) for letter in self.choices)

    def parse(self, text: str) -> Said:
        """Return the verdict of a reply, or None when it gave no single answer.

        A format of your own whose judge may find both answers equally good returns `TIE` for that.
        """
        return parse_verdict(text)

    def combine(self, said: Sequence[Said]) -> Said:
        """Return what several replies to one prompt say together: the verdict of most."""
        return majority(said)

    def expect(self, log_likelihoods: Sequence[float]) -> Said:
        """Return what a judge says that wrote nothing: the likelier letter, None of even ones.

        `log_likelihoods`: of the `choices` behind the closing words, in their order.
        """
        a, b = log_likelihoods
        return "A" if a > b else "B" if a < b else None

    def decide(self, own: Said, other: Said) -> Reading:
        """Return the verdict of a prompt, by what is said to it and to the pair's other prompt.

        Here a reply compares both answers, so that the other one adds nothing.
        Raises: PluginError where `parse` returned no verdict.
        """
        return checked(own)

    def forced_prefix(self, reply: str, *, cut_off: bool = False) -> str:
        """Return what to put in the judge's mouth so that its next token is the letter.

        `reply` is what it wrote by itself; if that was cut off by the token limit, the torn last
        sentence goes. A format without reasoning starts at its closing words.
        """
        if not self.reasons:
            return self.closing
        reasoning = sanitize_for_model(without_verdicts(reply, self.mark))
        if cut_off:
            reasoning = reasoning[: 1 + max(reasoning.rfind(end) for end in _ENDS)].strip()
        return f"{reasoning}\n\n{self.closing}".lstrip()

    def forced_text(self, prefix: str, letter: str) -> str:
        """Return the whole judgment that `prefix` and the drawn letter make."""
        return f"{prefix}{letter}]]"


def read_officially(judge_format: JudgeFormat) -> bool:
    """Return whether RewardBench's own parser reads the verdicts of a format as the format does."""
    closed = {gold: judge_format.forced_text(judge_format.closing, gold) for gold in ORDERS}
    return all(official_verdict(t) == g == judge_format.parse(t) for g, t in closed.items())
