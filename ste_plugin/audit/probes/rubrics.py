"""A judge format's rubric in other words, and the format that asks with it and reads as before."""

import re
from collections.abc import Callable
from dataclasses import is_dataclass, replace

from ste_plugin.judging import JudgeFormat
from ste_plugin.pairs.restyling import sentences

_QUOTED = re.compile(r"(`[^`]*`|\[\[?[^\]]*\]\]?)")
"""What a reply has to hold, and labels of the prompt: never reworded."""
_SYNONYMS = {
    "Decide which answer": "Determine which answer",
    "Which answer": "Of the two answers, which one",
    "serves": "helps",
    "fits": "suits",
    "Reply": "Respond with",
    "Say why": "Explain why",
    "Two assistants answered": "Two assistants have replied to",
    "End with": "Finish with",
    "end with": "finish with",
    "First,": "To begin with,",
    "Second,": "After that,",
    "Third,": "Last,",
}
"""Words of a rubric → others that ask for the same."""


def _in_synonyms(rubric: str) -> str:
    parts = _QUOTED.split(rubric)
    return "".join(p if i % 2 else _replaced(p) for i, p in enumerate(parts))


def _replaced(text: str) -> str:
    for words, others in _SYNONYMS.items():
        text = text.replace(words, others)
    return text


def _in_steps(rubric: str) -> str:
    steps = "\n".join(f"- {line}" for line in sentences(rubric))
    quoted = _QUOTED.findall(rubric)
    return steps if _QUOTED.findall(steps) == quoted else f"- {rubric}"


WORDINGS: dict[str, Callable[[str], str]] = {
    "as a role": lambda rubric: f"You are an impartial judge of two answers.\n{rubric}",
    "politely": lambda rubric: f"Please read all of this with care.\n{rubric}\nThank you.",
    "as a list": _in_steps,
    "in synonyms": _in_synonyms,
    "as a task": lambda rubric: f"# Task\n\n{rubric}\n\nFollow these directions to the letter.",
}
"""Name → the same request in other words. What a reply has to hold stays as it is."""


def reworded(judge_format: JudgeFormat, wording: str) -> JudgeFormat | None:
    """Return a format that asks in other words; None for one without a rubric to reword.

    It parses as before: only the rubric is another.
    """
    if not wording:
        return judge_format
    if not is_dataclass(judge_format) or not getattr(judge_format, "rubric", ""):
        return None
    return replace(judge_format, rubric=WORDINGS[wording](judge_format.rubric))
