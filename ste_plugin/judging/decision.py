"""The prompt of vLLM's decisions endpoint, and the letter at the reply's first place."""

import re
from dataclasses import dataclass, field
from typing import ClassVar

from ste_plugin.engines.base import Message
from ste_plugin.engines.decisions.question import CLOSING, HEADING, Option, Question
from ste_plugin.judging.format import JudgeFormat
from ste_plugin.judging.verdict import Said
from ste_plugin.records import ORDERS, content_key
from ste_plugin.text.sanitize import SANITIZER_VERSION
from ste_plugin.text.thinking import split_thinking

OPTIONS = tuple(Option(f"Answer {letter}") for letter in ORDERS)
_LINE = r"(?:^|(?<=[\r\v\f\x1c-\x1e\x85\u2028\u2029]))([^\S\n]*)"
_FORGED = (
    re.compile(rf"{_LINE}({HEADING.strip()})", re.IGNORECASE | re.MULTILINE),
    re.compile(rf"{_LINE}([{''.join(ORDERS)}])(?=[^\S\n]*:[^\S\n]*\"Answer)", re.I | re.MULTILINE),
    re.compile(rf"{_LINE}({CLOSING.split()[0]})(?= {CLOSING.partition(' ')[2]})", re.I | re.M),
)
"""Beginnings of the lines that the endpoint writes, which a text could forge."""


def plain_lines(text: str) -> str:
    """Return a text in which no line is one of the question's own.

    >>> plain_lines('Fine.\\nB: "Answer B"')
    'Fine.\\n(B): "Answer B"'
    """
    for line in _FORGED:
        text = line.sub(r"\1(\2)", text)
    return text


@dataclass(frozen=True, slots=True)
class DecisionFormat(JudgeFormat):
    """A format whose judges answer by one letter, where the decisions endpoint looks for it.

    Instruction and answers are the question's input, and never its options: an answer of many lines
    cannot pose as one of them, and what all pairs of an instruction have in common comes first.
    """

    only_choices: ClassVar[bool] = True

    question: str = field(kw_only=True)
    """What is asked about the two answers."""

    @property
    def version(self) -> str:
        """Return the name and a hash of every word of the prompt."""
        words = (self.rubric, Question("", self.question, OPTIONS).text, SANITIZER_VERSION)
        own = [dict(self.criteria)] if self.criteria else []
        return f"{self.name}-{content_key(*words, *own, *self._own_code())[:8]}"

    def render(self, instruction: str, answer_a: str, answer_b: str) -> tuple[Message, ...]:
        """Return the prompt as the endpoint renders it, as one user turn."""
        texts = map(plain_lines, (instruction, answer_a, answer_b))
        (shown,) = super(DecisionFormat, self).render(*texts)
        return (Message("user", Question(shown.content, self.question, OPTIONS).text),)

    @property
    def wanted(self) -> str:
        """What a reply is to be, for error messages."""
        return " or ".join(ORDERS)

    def parse(self, text: str) -> Said:
        """Return the letter that a reply consists of, or None."""
        said = split_thinking(text).said.strip()
        return next((letter for letter in ORDERS if letter == said), None)

    def forced_text(self, prefix: str, letter: str) -> str:
        """Return the whole judgment: the letter."""
        return f"{prefix}{letter}"
