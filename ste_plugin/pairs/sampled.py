"""Pairs of several answers to one instruction, told apart by the final answers that they reach."""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from ste_plugin.inference.requests import Prompt, ask
from ste_plugin.pairs.calls import Calls, MadePair
from ste_plugin.pairs.strategies import Answers, Instructions, Replies
from ste_plugin.records import Drop, Instruction, content_key
from ste_plugin.text.final_answer import find_final_answer, is_number

_SOLVE = (
    "{instruction}\n\nThink it through step by step. Then write the final answer alone on the last "
    "line, behind the word Answer and a colon."
)
_VERSION = content_key(_SOLVE)
_SAMPLED = Calls(sampled=True, asked_as="final-answer")
"""Both strategies read the same samples."""


@dataclass(frozen=True, slots=True)
class MajorityAnswer:
    """Better: with the final answer that more than half of the samples have. Worse: with the
    rarest.

    Without any known answer. The majority of a model that is mostly wrong is wrong, too.
    """

    version: str = _VERSION
    calls: Calls = _SAMPLED

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return None if replies else _solve(instruction)

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> MadePair | Drop:
        answers = [find_final_answer(reply) for reply in replies]
        counts = Counter(answer for answer in answers if answer)
        if not counts:
            return Drop("pairs", instruction.key, "no final answer found")
        most, votes = counts.most_common(1)[0]
        if 2 * votes <= counts.total():
            return Drop("pairs", instruction.key, "no final answer has a majority")
        others = [answer for answer in counts if _is_other(answer, most)]
        if not others:
            return Drop("pairs", instruction.key, "no sample has another final answer")
        fewest = min(others, key=counts.__getitem__)  # of equals the first
        first = [replies[answers.index(answer)].strip() for answer in (most, fewest)]
        return MadePair(better=first[0], worse=first[1])


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """Better: a sample that reaches the known final answer. Worse: one that reaches another."""

    version: str = _VERSION
    calls: Calls = _SAMPLED

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        if replies or not _known_answer(instruction):
            return None
        return _solve(instruction)

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> MadePair | Drop:
        known = _known_answer(instruction)
        if not known:
            return Drop("pairs", instruction.key, "no final answer is known")
        answers = [find_final_answer(reply) for reply in replies]
        if not any(answers):
            return Drop("pairs", instruction.key, "no final answer found")
        if known not in answers:
            return Drop("pairs", instruction.key, "no sample reaches the known answer")
        wrong = [at for at, answer in enumerate(answers) if _is_other(answer, known)]
        if not wrong:
            return Drop("pairs", instruction.key, "no sample has another final answer")
        right = replies[answers.index(known)]
        return MadePair(better=right.strip(), worse=replies[wrong[0]].strip())


def _is_other(answer: str, than: str) -> bool:
    """Return whether a final answer is another one for certain; both are in their normal form.

    Not so where one is a number and one is words, which may say it; where one number is the other
    in percent; where one has all the words of the other; nor where a letter that is chosen stands
    against words that begin with none.
    """
    if is_number(answer) != is_number(than):
        return False
    if is_number(answer):
        one, other = Fraction(answer), Fraction(than)
        return other not in (one, 100 * one) and one != 100 * other
    letters = _first_letter(answer), _first_letter(than)
    if all(letters):
        return letters[0] != letters[1]
    if letters in ((answer, ""), ("", than)):
        return False
    words, others = set(answer.split()), set(than.split())
    return not (words <= others or others <= words)


def _first_letter(answer: str) -> str:
    """Return the first word of an answer where it is a single letter: B of "b paris"."""
    first = answer.partition(" ")[0]
    return first if len(first) == 1 and first.isalpha() else ""


def _solve(instruction: Instruction) -> Prompt:
    return ask(instruction, _SOLVE.format(instruction=instruction.last_turn))


def _known_answer(instruction: Instruction) -> str:
    return find_final_answer(instruction.final_answer or "")


BY_FINAL_ANSWER = {"majority-answer": MajorityAnswer(), "checked-answer": CheckedAnswer()}
