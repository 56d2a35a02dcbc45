"""The desk's judge format: its rules as the rubric, and a last line of its own."""

import re
from typing import ClassVar

from ste_plugin.engines import Message
from ste_plugin.judging import JudgeFormat, neutralise

_SENT = re.compile(r"We send draft \[([AB])\]")
_LIKE_OURS = re.compile(
    r"\[\s*(?:ticket|draft\s+[a-z])\s*\]|we\s+send\s+draft\s*\[\s*[a-z]\s*\]", re.IGNORECASE
)
"""What in a ticket or a draft could pass for the form's labels or its last line."""


class DeskFormat(JudgeFormat):
    """Two drafts for one ticket; the judge names a rule, then ends with `We send draft [A]`"""

    mark: ClassVar[re.Pattern[str]] = _SENT

    def render(self, instruction, answer_a, answer_b):
        """Return the prompt, with drafts that cannot speak for the judge."""
        ticket, a, b = (
            neutralise(t.strip(), _LIKE_OURS) for t in (instruction, answer_a, answer_b)
        )
        body = f"{self.rubric}\n\n[Ticket]\n{ticket}\n\n[Draft A]\n{a}\n\n[Draft B]\n{b}"
        return (Message("user", body),)

    @property
    def wanted(self):
        """What a reply is to end with, for error messages."""
        return "We send draft [A] or We send draft [B]"

    def parse(self, text):
        """Return the draft that is sent, or None where none or both are named."""
        sent = set(_SENT.findall(text))
        return sent.pop() if len(sent) == 1 else None

    def forced_text(self, prefix, letter):
        """Return the judgment that `prefix` and a drawn letter make."""
        return f"{prefix}{letter}]"


RULES = DeskFormat(
    name="ferry-desk-rules",
    rubric=(
        "Two drafts answer a passenger of a ferry line. Decide which of them the help desk sends. "
        "Its rules, in this order: 1. It answers what was asked. 2. It says what the passenger "
        "does next. 3. It promises neither money nor a place on board; only the office can. 4. It "
        "is short and friendly. Name the rule that decides and why, in at most three sentences. "
        "Then end with the line `We send draft [A]` or `We send draft [B]`"
    ),
    closing="We send draft [",
    reasons=True,
    max_new_tokens=200,
)
