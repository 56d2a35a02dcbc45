"""Worse answers with the desk's commonest mistake: a promise that only the office can make."""

from ste_plugin.inference.requests import user
from ste_plugin.pairs.calls import Calls
from ste_plugin.records import Drop, content_key

ASK = (
    "A passenger of a ferry line wrote:\n\n{ticket}\n\nThe help desk's answer:\n\n{answer}\n\n"
    "Write this answer again with the same content and about as long, but let it promise the "
    "passenger something that a help desk cannot promise: a refund, a free crossing or a place on "
    "board. Reply with the answer alone."
)
SAME = "the promise is missing: the answer came back as it was"


class EmptyPromise:
    """The good answer, rewritten by the generator so that it promises too much."""

    version = content_key(ASK)
    calls = Calls(sees_answer=True)  # replies[0] is the good answer, replies[1] what was asked for

    def next_prompt(self, instruction, replies):
        """Return the one prompt, then None."""
        if len(replies) > 1:
            return None
        return user(ASK.format(ticket=instruction.text, answer=replies[0]))

    def worse(self, instruction, replies, better, pool):
        """Return the rewritten answer, or a Drop where nothing was rewritten."""
        good, rewritten = replies[0], replies[1].strip()
        if rewritten.casefold().split() == good.casefold().split():
            return Drop("pairs", instruction.key, SAME)
        return rewritten
