"""Instructions of turns: the text that stands for them, and the key that covers them."""

from msgspec import UNSET
from msgspec.structs import replace

from ste_plugin.records import Instruction, Turns, content_key
from ste_plugin.text.turns import show_turns


def with_turns(instruction: Instruction, turns: Turns) -> Instruction:
    """Return an instruction that asks what a conversation up to a user's turn asks.

    One that begins with this turn is a single text, as any other instruction is.
    """
    if len(turns) == 1:
        text = turns[0].content
        return replace(instruction, key=content_key("instruction", text), text=text, turns=UNSET)
    said = [(turn.role, turn.content) for turn in turns]
    key = content_key("conversation", said)
    return replace(instruction, key=key, text=show_turns(said), turns=turns)
