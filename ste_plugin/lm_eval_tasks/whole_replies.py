"""Replies that say by themselves what was thought and what is the answer.

A backend hands over less than a model wrote: the mark that the prompt opened a thought with is
missing, a server told the thought apart, or the end was cut off. What is logged, and read again by
`ste eval` and `ste compare` in other processes, is whole.
"""

from collections.abc import Iterable
from typing import Any

from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.lm_eval_tasks.replies import CUT_OFF, NOT_ASKED, NOT_DRAWN
from ste_plugin.text.thinking import (
    TAGS,
    closes_unopened,
    ends_in_opening,
    in_tags,
    split_thinking,
    with_families,
    without_marks,
)


class ApiReply(str):
    """What a server's reply says, and what it told beside that."""

    thought: str
    """What it told apart as reasoning."""
    cut: bool
    """Whether the reply ended otherwise than by its own will."""

    def __new__(cls, text: str, thought: str = "", cut: bool = False) -> "ApiReply":
        """Return a reply of this text."""
        reply = super().__new__(cls, text)
        reply.thought, reply.cut = thought, cut
        return reply

    @property
    def only_thought(self) -> bool:
        """Whether a finished reply has reasoning and no answer."""
        return bool(self.thought) and not self.strip() and not self.cut


class ReplyReader:
    """Makes the replies of one task whole."""

    def __init__(
        self,
        template: ChatTemplate | None = None,
        marks: tuple[str, str] | None = None,
        *,
        by_server: bool = False,
        answers_are_long: bool = True,
    ) -> None:
        """`template`, where known; `marks`: the model's own, where set.

        `by_server`: a server renders the prompts, and may tell thoughts apart. `answers_are_long`:
        a verdict in a reply that was cut off may not be the last word.
        """
        self.marks = template.marks if template else with_families(marks)
        self.template, self.by_server = template, by_server
        self.answers_are_long = answers_are_long
        self._told_apart = self._closed_unopened = False

    def learn(self, replies: Iterable[str]) -> None:
        """Notice in replies what the server's template and its parser of thoughts do."""
        for reply in replies:
            self._told_apart |= bool(getattr(reply, "thought", ""))
            self._closed_unopened |= self._closes_unopened(reply)

    def whole(self, reply: str, prompt: Any) -> str:
        """Return a reply with its thought in marks that every reader knows."""
        if reply in (NOT_ASKED, NOT_DRAWN):
            return reply
        text, thought = str(reply), getattr(reply, "thought", "")
        if thought:
            text = in_tags(thought) + text if text.strip() else f"{TAGS.open}\n{thought}"
        text = self._in_known_marks(text, opened=not thought and self.opens_thought(prompt))
        torn = self.answers_are_long and getattr(reply, "cut", False)
        return text + CUT_OFF if torn and split_thinking(text).ended else text

    def opens_thought(self, prompt: Any) -> bool:
        """Return whether a reply to this prompt begins within a thought.

        What a server renders is known from its tokenizer, else from its replies: one with nothing
        but a closing mark shows it. No reply does where the server tells thoughts apart.
        """
        if self.by_server and self._told_apart:
            return False
        if self.template:
            return self.template.opens_thinking
        if self.by_server:
            return self._closed_unopened
        return ends_in_opening(prompt, self.marks)

    def _in_known_marks(self, text: str, *, opened: bool) -> str:
        split = split_thinking(text, self.marks, opened=opened)
        known = split_thinking(text)
        if (split.said, split.ended) == (known.said, known.ended):
            return text
        thought = without_marks(split.thinking, self.marks)
        return in_tags(thought) + split.said if split.ended else f"{TAGS.open}\n{thought}"

    def _closes_unopened(self, reply: str) -> bool:
        split = split_thinking(reply, self.marks)
        has_words = bool(without_marks(split.thinking, self.marks))
        return has_words and closes_unopened(split.thinking, self.marks, split.said)
