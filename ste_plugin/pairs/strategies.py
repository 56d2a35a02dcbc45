"""Ways to make a pair of responses without any label, and the pairs that come out of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from ste_plugin.engines.base import Completion
from ste_plugin.errors import PluginError
from ste_plugin.inference.requests import Prompt, ask
from ste_plugin.judging import neutralise
from ste_plugin.pairs.answered import AnsweredInstructions, key_of_number
from ste_plugin.pairs.calls import (
    ONE_BY_ONE,
    UNFINISHED,
    MadePair,
    calls_of,
    find_problem,
    usable_texts,
)
from ste_plugin.records import Drop, Instruction, ResponsePair, content_key
from ste_plugin.text.words import bare_words, words_of

Replies = Sequence[str]
"""What the model replied to a strategy's calls for one instruction, in their order; behind the good
answer where the strategy's `calls` say so."""
Answers = Mapping[str, str]
"""Instruction key → its good answer."""
Instructions = Sequence[Instruction]
"""All instructions with a good answer."""


class PairStrategy(Protocol):
    """A way to make the worse response of a pair, in as many model calls as it takes.

    It may have an attribute `calls`, a `Calls` that says how these are made. An instruction may be
    a conversation: `inference.requests.ask` makes prompts below its turns.
    """

    @property
    def version(self) -> str:
        """Changes whenever the prompts change."""
        ...

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        """Return the next call's prompt, given the replies so far, or None when none is left."""
        ...

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | MadePair | Drop:
        """Return the worse response to an instruction, or both, or why there is none."""
        ...


_REWRITE = (
    "Here is an instruction that somebody gave to an assistant:\n\n{instruction}\n\n"
    "Write another instruction that resembles it closely, with the same subject, kind and length, "
    "but that asks for something else, so that a perfect answer to yours would be a wrong answer "
    "to the one above."
)
_ONE_CALL = (
    _REWRITE + " Then answer your own instruction as well as you can. Use exactly this form:\n\n"
    "Modified instruction:\n(your instruction)\n\nAnswer:\n(your answer to it)"
)
_TWO_CALLS = _REWRITE + " Reply with the new instruction alone."
_ASK_FOR_WORSE = (
    "{instruction}\n\n---\nAnswer the instruction above, but worse than you could: convincing at "
    "first sight and in good style, yet with a serious mistake, or missing what matters most. Do "
    "not mention that it is worse. Reply with the answer alone."
)
_NEW = re.compile(r"modified instruction[*_]*[:：][*_]*", re.IGNORECASE)
_ANSWER = re.compile(
    r"^[^\S\n]*(?:#+[^\S\n]*)?(?P<bold>[*_]*)answer(?P<end>[*_]*)[:：](?P<or_end>[*_]*)",
    re.IGNORECASE | re.MULTILINE,
)
"""The labels of the form; models put them in bold, or make headings of them."""
_FIRST_WORDS, _SHORT = 8, 20
"""So many words are compared first, as most answers differ in them; and an answer of so many says
nothing by how it is written."""
_EQUAL = "both answers are equal"
_TOO_CLOSE = 0.7
"""Word overlap above which a rewritten instruction counts as the same: its answer would be good."""


def word_overlap(first: str, second: str) -> float:
    """Return the Jaccard similarity of two texts' words, 0 to 1."""
    a, b = set(bare_words(first)), set(bare_words(second))
    return len(a & b) / max(1, len(a | b))


def _read_form(reply: str) -> tuple[str, str] | str:
    """Return the modified instruction of a reply and the answer to it, or why it has none.

    Instructions, too, end with the label of the answer, as do solutions: where several lines begin
    with it, either text might be cut short.
    """
    labels = list(_ANSWER.finditer(reply))
    if len(labels) > 1:
        return "several lines begin with the label of the answer"
    for label in labels:
        _, *new = _NEW.split(reply[: label.start()])
        if new and label["bold"] == label["end"] + label["or_end"]:
            return new[-1], reply[label.end() :].strip()
    return "modified instruction not in the asked form"


def _drop_too_close(modified: str, instruction: Instruction) -> Drop | None:
    """Return why an answer to a modified instruction cannot be the worse one, if it cannot."""
    if word_overlap(modified, instruction.last_turn) <= _TOO_CLOSE:
        return None
    return Drop("pairs", instruction.key, "modified instruction too close to the original")


def _look_alike(first: str, second: str) -> bool:
    """Return whether two texts differ in white space, and marks that no judge is shown, alone."""
    begin, other = (text.split(None, _FIRST_WORDS)[:_FIRST_WORDS] for text in (first, second))
    if [*map(len, begin)] != [*map(len, other)]:  # marks are as long as what is shown instead
        return False
    return neutralise(first).split() == neutralise(second).split()


def _say_the_same(first: str, second: str) -> bool:
    """Return whether two short texts have the same words: "**Paris**" and "paris." do."""
    are_short = all(len(text.split(None, _SHORT)) <= _SHORT for text in (first, second))
    return are_short and words_of(first) == words_of(second)


@dataclass(frozen=True, slots=True)
class ModifiedInstruction:
    """As the paper does: one call writes a similar instruction and a good answer to that one."""

    version: str = content_key(_ONE_CALL)

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        if replies:
            return None
        return ask(instruction, _ONE_CALL.format(instruction=instruction.last_turn))

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | Drop:
        read = _read_form(replies[0])
        if isinstance(read, str):
            return Drop("pairs", instruction.key, read)
        modified, answer = read
        return _drop_too_close(modified, instruction) or answer


@dataclass(frozen=True, slots=True)
class ModifiedInstructionTwoCalls:
    """For small generators: one call rewrites, the next answers the new instruction as a chat."""

    version: str = content_key(_TWO_CALLS)

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        if not replies:
            return ask(instruction, _TWO_CALLS.format(instruction=instruction.last_turn))
        return ask(instruction, replies[0].strip()) if len(replies) == 1 else None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | Drop:
        return _drop_too_close(replies[0], instruction) or replies[1].strip()


@dataclass(frozen=True, slots=True)
class OtherInstruction:
    """Easy negatives without a call: a good answer to another instruction of the same category."""

    version: str = "1"

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | Drop:
        answered = AnsweredInstructions.of(pool)
        keys, own = answered.keys_beside(instruction)
        others = len(keys) - len(own)
        if not others:
            return Drop("pairs", instruction.key, "no other instruction of its category")
        first = int(content_key("other", instruction.key), 16) % others
        for step in range(others):
            chosen = (first + step) % others
            key = key_of_number(keys[chosen if chosen < own.start else chosen + len(own)])
            # what answers another turn of the conversation may answer this one as well
            if answered.conversation_of(key) != instruction.conversation:
                return better[key]
        return Drop("pairs", instruction.key, "no other conversation of its category")


@dataclass(frozen=True, slots=True)
class AskForWorse:
    """The generator is asked to answer worse than it could."""

    version: str = content_key(_ASK_FOR_WORSE)

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        if replies:
            return None
        return ask(instruction, _ASK_FOR_WORSE.format(instruction=instruction.last_turn))

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> str | Drop:
        return replies[0].strip()


STRATEGIES: dict[str, PairStrategy] = {
    "modified-instruction": ModifiedInstruction(),
    "modified-instruction-two-calls": ModifiedInstructionTwoCalls(),
    "other-instruction": OtherInstruction(),
    "ask-for-worse": AskForWorse(),
}


def read_answer(instruction: Instruction, completion: Completion) -> str | Drop:
    """Return a good answer, stripped, or why it cannot be one."""
    if completion.finish_reason in UNFINISHED:
        return Drop(
            "pairs", instruction.key, f"better answer {UNFINISHED[completion.finish_reason]}"
        )
    if not completion.text.strip():
        return Drop("pairs", instruction.key, "better answer empty")
    return completion.text.strip()


def read_pair(
    instruction: Instruction,
    good: str,
    name: str,
    strategy: PairStrategy,
    replies: Sequence[Completion],
    better: Answers,
    pool: Instructions,
    weaker: str = "",
) -> ResponsePair | Drop:
    """Return the pair of the good answer and what a strategy's replies make, or why there is none.

    `better` holds the good answers to all of the pool's instructions; `weaker` names the model that
    strategies ask which ask a weaker one.
    Raises: PluginError where a strategy returns something else.
    """
    calls = calls_of(strategy)
    if problem := find_problem(replies, calls):
        what = "worse answer" if calls == ONE_BY_ONE else "reply"
        return Drop("pairs", instruction.key, f"{name}: {what} {problem}")
    texts = [good] * calls.sees_answer + usable_texts(replies)
    made = strategy.worse(instruction, texts, better, pool)
    if isinstance(made, Drop):
        return Drop(made.stage, made.key, f"{name}: {made.reason}")
    made = _require_pair(MadePair(made) if isinstance(made, str) else made, name)
    pair = ResponsePair(
        "",
        instruction.key,
        instruction.text,
        made.better or good,
        made.worse,
        name,
        made.fault,
        made.correction,
        weaker if calls.by_weaker else "",
        "" if instruction.conversation == instruction.key else instruction.conversation,
    )
    if _say_the_same(pair.better, pair.worse):
        return Drop("pairs", instruction.key, f"{name}: {_EQUAL}")
    return finished_pair(pair)


def finished_pair(pair: ResponsePair) -> ResponsePair | Drop:
    """Return a pair under its key, or why its answers make none."""
    for answer, text in (("better", pair.better), ("worse", pair.worse)):
        if not text.strip():
            return Drop("pairs", pair.instruction_key, f"{pair.strategy}: {answer} answer empty")
    if _look_alike(pair.worse, pair.better):
        return Drop("pairs", pair.instruction_key, f"{pair.strategy}: {_EQUAL}")
    return replace(pair, key=pair_key(pair))


def _require_pair(made: object, name: str) -> MadePair:
    """Return what a strategy made. Raises: PluginError where that is no pair of texts."""
    if isinstance(made, MadePair):
        texts = made.worse, made.better, made.fault, made.correction
        if all(isinstance(text, str) for text in texts):
            return made
    raise PluginError(
        f"pairs.strategies: {name}: found {made!r} returned by `worse`; expected the worse answer, "
        "a MadePair of texts, or a Drop with a reason. Fix the plugin, or leave the strategy out."
    )


def pair_key(pair: ResponsePair) -> str:
    """Return the key that a pair's contents give it."""
    texts = (pair.fault, pair.correction, pair.worse_by, pair.conversation, pair.shown)
    more = [each for each in texts if each]
    return content_key("pair", pair.instruction_key, pair.strategy, pair.better, pair.worse, *more)
