"""What training may learn from one prompt: a pair as it was shown, and judgments of it."""

from functools import cached_property

import msgspec

from ste_plugin.engines.base import Message
from ste_plugin.judging.format import JudgeFormat
from ste_plugin.records import Judgment, ResponsePair, Verdict


class Example(msgspec.Struct, frozen=True, dict=True):
    """One pair in one presentation order, with the judgments that training may use."""

    pair: ResponsePair
    gold: Verdict
    judge_format: JudgeFormat
    correct: Judgment
    wrong: Judgment | None
    """A judgment that preferred the worse response, where one was sampled."""

    @property
    def pair_key(self) -> str:
        """Return the key of the pair."""
        return self.pair.key

    @property
    def key(self) -> str:
        """Return the key of the prompt, for drops and for ordering."""
        return f"{self.pair_key}:{self.gold}"

    @cached_property
    def prompt(self) -> tuple[Message, ...]:
        """Return the prompt that was judged."""
        pair = self.pair
        judge_format = self.judge_format.for_row(pair.columns)
        return judge_format.render_pair(pair.instruction, pair.better, pair.worse, self.gold)
