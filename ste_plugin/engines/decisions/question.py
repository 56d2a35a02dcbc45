"""A choice question as vLLM's decisions endpoint writes it: one text, in both directions.

Judge formats render their prompt with it, and the engine takes the prompt apart again, so that a
judge is trained on the very tokens that the endpoint asks it with.
Source: vLLM 0.33 (`/v1/decisions`) and 0.32 (`/v1/systemone`), whose texts are the same where the
latter is given the values as JSON; `tests/engines/decisions` holds them against vLLM itself.
"""

import json
import re
from dataclasses import dataclass
from string import ascii_uppercase
from typing import NamedTuple

HEADING = "Question: "
CLOSING = "Answer with the letter of one option only."
_OPTION = re.compile(r'([A-Z]): ("(?:[^"\\]|\\.)*")(?: - (.+))?')


class Option(NamedTuple):
    """One of the choices."""

    value: str
    description: str = ""
    """One line; the endpoint would take several, and they could pose as options."""

    @property
    def shown(self) -> str:
        """The value as the prompt shows it: as JSON."""
        return json.dumps(self.value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Question:
    """What one request asks."""

    input: str
    """What the question is about; it is shown first, so that prompts about it begin alike."""
    instructions: str
    options: tuple[Option, ...]
    """At least 2 and at most 26, by the letters A to Z in their order."""

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of the options, one of which is the answer."""
        return tuple(ascii_uppercase[: len(self.options)])

    @property
    def text(self) -> str:
        """The whole user turn that the model reads."""
        lines = [f"{HEADING}{self.instructions}"]
        for letter, option in zip(self.letters, self.options, strict=True):
            described = f" - {option.description}" if option.description else ""
            lines.append(f"{letter}: {option.shown}{described}")
        return "\n".join([f"{self.input}\n", *lines, CLOSING])


def read_question(text: str) -> Question | None:
    """Return the question that makes this very text, or None where there is none."""
    about, found, asked = text.rpartition(f"\n\n{HEADING}")
    lines = asked.split("\n")
    options: list[Option] = []
    for line in reversed(lines[1:-1]):
        if (match := _OPTION.fullmatch(line)) is None:
            break
        try:
            options.insert(0, Option(json.loads(match[2]), match[3] or ""))
        except ValueError:
            return None
    if not found or not 2 <= len(options) <= len(ascii_uppercase):
        return None
    instructions = "\n".join(lines[: -1 - len(options)])
    question = Question(about, instructions, tuple(options))
    return question if question.text == text else None
