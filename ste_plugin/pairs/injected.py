"""Answers that are nearly right: the good one with a single fault in it, which is named."""

import re
from dataclasses import dataclass

from ste_plugin.engines.base import Message
from ste_plugin.inference.requests import Prompt
from ste_plugin.pairs.calls import SEEING_THE_ANSWER, Calls, MadePair
from ste_plugin.pairs.strategies import Answers, Instructions, Replies
from ste_plugin.records import Drop, Instruction, content_key
from ste_plugin.text.words import SPACED, words_of

_ASK = "{answer}\n\nWhich words of this must change, and into what, so that it is false?"
"""Without the question: with it small models answer that."""
_NAME = "{right} -> {wrong}"
_EXAMPLES = (
    (
        "The capital of Australia is Canberra, which lies between Sydney and Melbourne.",
        "Canberra",
        "Perth",
    ),
    ("There are 36 eggs, and 31 of them are left.", "31", "41"),
    (
        "The trees stop making chlorophyll, so that other colours can be seen.",
        "stop",
        "start",
    ),
    ("for n in range(5): print(n)", "5", "3"),
    (
        "Marie Curie was a scientist who studied radioactivity and won two Nobel Prizes.",
        "scientist",
        "singer",
    ),
)
"""A correct answer, words of it, and what these become: turns of their own, since small models keep
a form that they have kept before."""
_ARROW = re.compile("->|→|=>")
_QUOTES = "\"'`“”‘’* \n"
_EXPLANATION = re.compile(r"\s\(|[.;:]\s")
"""Begins what tells on the worse answer, where the right words have no such sign."""
_FEW_WORDS, _LARGE_SHARE, _MOST_TIMES = 5, 0.5, 2
"""A fault may be so many words long, or have that share of the answer's words and so many times
those that were right: more is another answer, or an explanation."""


def _prompt(answer: str) -> Prompt:
    turns: list[Message] = []
    for good, right, wrong in _EXAMPLES:
        turns += [
            Message("user", _ASK.format(answer=good)),
            Message("assistant", _NAME.format(right=right, wrong=wrong)),
        ]
    return (*turns, Message("user", _ASK.format(answer=answer)))


@dataclass(frozen=True, slots=True)
class InjectError:
    """The generator names words of its good answer and wrong ones for them; they are put in here.

    So the rest of the answer stays as it is, and it is known which words a judgment should find.
    """

    version: str = content_key(_ASK, _NAME, _EXAMPLES)
    calls: Calls = SEEING_THE_ANSWER

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return _prompt(replies[0]) if len(replies) == 1 else None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> MadePair | Drop:
        good, named = replies
        made = put_fault(good, named)
        return Drop("pairs", instruction.key, made) if isinstance(made, str) else made


def put_fault(answer: str, named: str) -> MadePair | str:
    r"""Return an answer with the fault in it that a reply names, or why that is none.

    >>> put_fault("It is in Rome.", "Rome -> Oslo").worse
    'It is in Oslo.'
    """
    right, wrong = _read_change(named)
    if not (right and wrong and (found := _pattern(right).search(answer))):
        return "no fault named in words of the answer"
    if wrong.casefold().split() == right.casefold().split():
        return "answer unchanged"
    if _EXPLANATION.search(wrong) and not _EXPLANATION.search(right):
        return "the wrong words come with an explanation"
    if _is_large(right, wrong, answer):
        return "answer rewritten rather than one fault put into it"
    worse = _pattern(right).sub(lambda _: wrong, answer)
    return MadePair(worse, fault=wrong, correction=found[0])


def _read_change(named: str) -> tuple[str, str]:
    """Return the words that change and what they become; empty where a reply names none.

    The arrow between them is the middle one: there are others in both where the answer has some.
    What stands below words of one line explains them.
    """
    named = next((p for p in re.split(r"\n\s*\n", named) if _ARROW.search(p)), "")
    arrows = list(_ARROW.finditer(named))
    if len(arrows) % 2 == 0:
        return "", ""
    start, end = arrows[len(arrows) // 2].span()
    right, wrong = named[:start].strip(_QUOTES), named[end:].strip(_QUOTES)
    if "\n" not in right:
        wrong = wrong.partition("\n")[0].strip(_QUOTES)
    if not right.endswith("."):
        wrong = wrong.removesuffix(".").strip(_QUOTES)
    return right, wrong


def _pattern(words: str) -> re.Pattern[str]:
    """Return what finds these words, and no parts of longer ones, however they are spaced.

    Scripts without spaces between words have no longer ones to be told.
    """
    first, last = (re.match(SPACED, sign) is not None for sign in (words[0], words[-1]))
    before, after = f"(?<!{SPACED})" * first, f"(?!{SPACED})" * last
    spaced = r"\s+".join(map(re.escape, words.split()))
    return re.compile(f"{before}{spaced}{after}", re.IGNORECASE)


def _is_large(right: str, wrong: str, answer: str) -> bool:
    before, after, whole = (len(words_of(text)) for text in (right, wrong, answer))
    is_rewritten = max(before, after) > max(_FEW_WORDS, _LARGE_SHARE * whole)
    return is_rewritten or after > max(_FEW_WORDS, _MOST_TIMES * before)


INJECTED = {"inject-error": InjectError()}
