"""Pairs whose order is known by how the answers arose: with more effort, or by a stronger model."""

from dataclasses import dataclass

from ste_plugin.inference.requests import Prompt, ask
from ste_plugin.pairs.calls import BY_WEAKER, SEEING_THE_ANSWER, Calls, MadePair
from ste_plugin.pairs.strategies import Answers, Instructions, Replies
from ste_plugin.records import Drop, Instruction, content_key

_LIST = (
    "{instruction}\n\n---\nDo not answer yet. List what a good answer to the above must do, as "
    "two to five short steps, one on each line."
)
_FOLLOW = (
    "{instruction}\n\n---\nA good answer to the above takes these steps:\n\n{steps}\n\nTake them "
    "one after another, check each, and write the answer. Reply with the answer alone."
)


@dataclass(frozen=True, slots=True)
class DecomposedVsOneShot:
    """Better: first it is listed what must be done, then answered by the list. Worse: the
    generator's usual answer.
    """

    version: str = content_key(_LIST, _FOLLOW)
    calls: Calls = SEEING_THE_ANSWER

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        match len(replies):
            case 1:
                return ask(instruction, _LIST.format(instruction=instruction.last_turn))
            case 2:
                steps = replies[1].strip()
                asked = _FOLLOW.format(instruction=instruction.last_turn, steps=steps)
                return ask(instruction, asked)
        return None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> MadePair | Drop:
        at_once, _, in_steps = replies
        return MadePair(better=in_steps.strip(), worse=at_once.strip())


@dataclass(frozen=True, slots=True)
class StrongerVsWeaker:
    """Better: the generator's answer. Worse: that of `pairs.weaker` to the very same prompt."""

    version: str = "1"
    calls: Calls = BY_WEAKER

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return None if replies else ask(instruction)

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | Drop:
        return replies[0].strip()


BY_ORIGIN = {
    "decomposed-vs-oneshot": DecomposedVsOneShot(),
    "stronger-vs-weaker": StrongerVsWeaker(),
}
