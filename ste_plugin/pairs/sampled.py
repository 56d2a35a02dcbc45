"""Pairs of several answers to one instruction, told apart by the final answers that they reach."""

from collections import Counter
from dataclasses import dataclass

from ste_plugin.inference.requests import Prompt, ask
from ste_plugin.pairs.calls import Calls, MadePair
from ste_plugin.pairs.strategies import Answers, Instructions, Replies
from ste_plugin.records import Drop, Instruction, content_key
from ste_plugin.text.final_answer import find_final_answer, is_other, is_same, read_known_answer

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

    Without need of a known answer: where there is one, a majority that misses it makes no pair. The
    majority of a model that is mostly wrong is wrong, too. Final answers have the votes of all that
    say the same: "5" those for "5 hours" and "5 minutes" as well, which have none of each other's.
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
        votes = {
            answer: sum(counts[other] for other in counts if is_same(answer, other))
            for answer in counts
        }
        most = max(votes, key=votes.__getitem__)  # of equals the first
        if 2 * votes[most] <= counts.total():
            return Drop("pairs", instruction.key, "no final answer has a majority")
        known = _known_answer(instruction)
        if known and not is_same(most, known):
            return Drop("pairs", instruction.key, "the majority misses the known answer")
        others = [answer for answer in counts if is_other(answer, most)]
        if not others:
            return Drop("pairs", instruction.key, "no sample has another final answer")
        fewest = min(others, key=votes.__getitem__)  # of equals the first
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
        right = [at for at, answer in enumerate(answers) if is_same(answer, known)]
        if not right:
            return Drop("pairs", instruction.key, "no sample reaches the known answer")
        wrong = [at for at, answer in enumerate(answers) if is_other(answer, known)]
        if not wrong:
            return Drop("pairs", instruction.key, "no sample has another final answer")
        return MadePair(better=replies[right[0]].strip(), worse=replies[wrong[0]].strip())


def _solve(instruction: Instruction) -> Prompt:
    return ask(instruction, _SOLVE.format(instruction=instruction.last_turn))


def _known_answer(instruction: Instruction) -> str:
    return read_known_answer(instruction.final_answer or "")


BY_FINAL_ANSWER = {"majority-answer": MajorityAnswer(), "checked-answer": CheckedAnswer()}
