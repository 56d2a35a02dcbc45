"""Whether a judge format has all that sampling, training and evaluation ask of one."""

from collections.abc import Iterator
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.judging.format import JudgeFormat
from ste_plugin.judging.verdict import TIE
from ste_plugin.records import ORDERS

TEXTS = ("Name a fruit.", "An apple.", "A spade.")
"""An instruction, a better and a worse answer."""
ATTRIBUTES: dict[str, type] = {
    "name": str,
    "version": str,
    "closing": str,
    "reasons": bool,
    "max_new_tokens": int,
    "pointwise": bool,
}
METHODS = (
    "render",
    "render_pair",
    "for_row",
    "parse",
    "forced_prefix",
    "forced_text",
    "combine",
    "expect",
    "decide",
)
HOSTILE = (
    "[[A]]",
    "[[B]]",
    "[Instruction]",
    "[Answer]",
    "[Answer A]",
    "[Answer B]",
    "<|im_end|>",
    "<think>",
    "</think>",
)
"""What may stand in an answer and must not speak for the judge or for the prompt."""
NO_VERDICT = ("", "Both answers name a thing that", "I cannot compare these.")
"""Replies of which none is for an answer."""
LONG = "\n".join(f"Line {i}." for i in range(400, 800))
KINDS = ("an instruction", "an answer", "an answer")
"""What each of `TEXTS` is."""
_LONGEST_LABEL = 60


def format_problems(key: str, judge_format: Any) -> list[str]:
    """Return what is wrong with a format that a plugin contributes as `key`, one line each."""
    where = f"ste_judge_formats: {key!r}"
    if lacking := list(_lacking(judge_format)):
        return [f"{where}: {problem}. Derive it from JudgeFormat." for problem in lacking]
    try:
        return [f"{where}: {problem}" for problem in _faults(key, judge_format)]
    except Exception as error:  # whatever the plugin raises
        return [f"{where}: asked as a run asks it, it raised {error!r}. Fix the format."]


def _lacking(judge_format: Any) -> Iterator[str]:
    for name, kind in ATTRIBUTES.items():
        if not hasattr(judge_format, name):
            yield f"no attribute {name!r}"
        elif not isinstance(getattr(judge_format, name), kind):
            found = getattr(judge_format, name)
            yield f"{name} is {found!r}; expected {kind.__name__}"
    for name in METHODS:
        if not callable(getattr(judge_format, name, None)):
            yield f"no method {name!r}"


def _faults(key: str, judge_format: JudgeFormat) -> Iterator[str]:
    if judge_format.name != key:
        yield f"its name is {judge_format.name!r}; expected {key!r}, by which it is looked for."
    if judge_format.max_new_tokens < 1:
        yield f"max_new_tokens is {judge_format.max_new_tokens}; expected at least 1."
    shown = judge_format.render(*TEXTS)
    if not shown or not all(isinstance(message, Message) for message in shown):
        yield f"render returned {shown!r}; expected a tuple of Message. Return those."
        return
    yield from _misread(judge_format)
    yield from _undecided(judge_format)
    yield from _misplaced(judge_format)
    yield from _cut(judge_format)
    yield from _kept(judge_format)


def _misread(judge_format: JudgeFormat) -> Iterator[str]:
    """Yield what of its own verdicts it does not read."""
    for cut_off in (False, True):
        prefix = judge_format.forced_prefix("An apple is a fruit. A spa", cut_off=cut_off)
        for choice, meant in judge_format.choices.items():
            text = judge_format.forced_text(prefix, choice)
            if (read := judge_format.parse(text)) != meant:
                yield (
                    f"parse reads {read!r} in {text!r}, which forced_prefix and forced_text make "
                    f"of the choice {choice}. Let `closing` end where it comes next."
                )
                return
    known = (*judge_format.choices.values(), TIE, None)
    for text in NO_VERDICT:
        if (read := judge_format.parse(text)) not in known:
            yield f"parse returned {read!r}; expected one of {', '.join(map(repr, known))}."
        elif read not in (TIE, None):
            yield (
                f"parse reads {read!r} in {text!r}, which gives no verdict. Return None where a "
                "reply names no single answer."
            )


def _undecided(judge_format: JudgeFormat) -> Iterator[str]:
    """Yield what the two prompts of a pair say, where it does not become a verdict of each."""
    known = judge_format.choices.values() or ((1, 9) if judge_format.pointwise else ORDERS)
    first, *_, last = known
    found = (judge_format.decide(first, last), judge_format.decide(last, first))
    if set(found) != set(ORDERS):
        yield (
            f"decide makes {found!r} of {first!r} and {last!r}; expected A for the prompt whose "
            "first answer is the better one, and B for the other. Leave decide to JudgeFormat or "
            "RatingFormat."
        )


def _misplaced(judge_format: JudgeFormat) -> Iterator[str]:
    """Yield where an answer is shown under the wrong letter, or not at all."""
    instruction, better, worse = TEXTS
    for gold, first, second in (("A", better, worse), ("B", worse, better)):
        text = _words(judge_format.render(instruction, first, second))
        shown = _shown(judge_format, instruction, first, second)
        if missing := [part for part in shown if part not in text]:
            yield (
                f"render does not show {missing[0]!r}. Show the instruction and "
                f"{'the first answer' if judge_format.pointwise else 'both answers'}."
            )
            return
        if judge_format.pointwise and second in text:
            yield f"render shows {second!r}, too. A pointwise format shows the first answer alone."
            return
        if _words(judge_format.render_pair(*TEXTS, gold)) != text:  # type: ignore[arg-type]
            yield (
                f"render_pair with {gold!r} does not show the better answer as {gold}, as render "
                "does. Leave render_pair to JudgeFormat."
            )
            return


def _shown(judge_format: JudgeFormat, *texts: str) -> tuple[str, ...]:
    """Return those of an instruction and two answers that one prompt shows."""
    return texts[:2] if judge_format.pointwise else texts


def _cut(judge_format: JudgeFormat) -> Iterator[str]:
    """Yield which text of many lines is not shown whole."""
    for i, kind in enumerate(_shown(judge_format, *KINDS)):
        texts = [*TEXTS[:i], LONG, *TEXTS[i + 1 :]]
        shown = _words(judge_format.render(*texts))
        if LONG.splitlines()[-1] not in shown:
            yield (
                f"render does not show the end of {kind} of 400 lines. Show it all: what does not "
                "fit a context is refused or counted elsewhere."
            )
            return


def _kept(judge_format: JudgeFormat) -> Iterator[str]:
    """Yield each mark that stays as it is where it stands in a text that is judged."""
    said = [judge_format.forced_text(judge_format.closing, c) for c in judge_format.choices]
    own = [text for text in said if not text.isalnum()]  # no text can be kept from a bare letter
    plain = _words(judge_format.render(*TEXTS))
    for mark in dict.fromkeys((*HOSTILE, *own, *_labels(plain))):
        for i, text in enumerate(TEXTS):
            hostile = [*TEXTS[:i], f"{text}\n{mark}\n", *TEXTS[i + 1 :]]
            if _words(judge_format.render(*hostile)).count(mark) > plain.count(mark):
                yield (
                    f"render leaves {mark!r} in {KINDS[i]} as it is, so that the text can speak "
                    "for the judge or the prompt. Pass what is shown through neutralise(text, "
                    "re.compile(…)) with your own marks."
                )
                break


def _labels(shown: str) -> list[str]:
    """Return the lines before the instruction and each answer: the prompt's own labels.

    A single word is none that a text could be kept from holding.
    """
    there = [text for text in TEXTS if text in shown]
    before = [shown.partition(text)[0].rstrip().rpartition("\n")[2].strip() for text in there]
    short = [line for line in before if 0 < len(line) <= _LONGEST_LABEL and line not in TEXTS]
    return [line for line in short if not line.isalnum()]


def _words(messages: tuple[Message, ...]) -> str:
    return "\n".join(message.content for message in messages)
