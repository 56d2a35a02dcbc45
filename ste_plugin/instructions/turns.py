"""Instructions of turns: the text that stands for them, and the key that covers them."""

from msgspec import UNSET
from msgspec.structs import replace

from ste_plugin.records import Instruction, Turns, content_key
from ste_plugin.text.turns import Turn, in_words, spoken_by


def with_turns(instruction: Instruction, turns: Turns) -> Instruction:
    """Return an instruction that asks what a conversation up to a user's turn asks.

    One that begins with this turn is a single text, as any other instruction is.
    """
    if len(turns) == 1:
        text = turns[0].content
        return replace(instruction, key=content_key("instruction", text), text=text, turns=UNSET)
    key = content_key("conversation", [(turn.role, turn.content) for turn in turns])
    text = in_words([Turn(spoken_by(turn.role), turn.content) for turn in turns])
    return replace(instruction, key=key, text=text, turns=turns)
