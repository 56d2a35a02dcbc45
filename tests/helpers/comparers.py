"""Judges by rule, for what scores answers by comparing them."""

import re

from ste_plugin.judge import Comparison


class ShorterWins:
    """Prefers the shorter answer in both orders; keeps what it was asked."""

    def __init__(self):
        self.batches = []

    def compare_many(self, pairs):
        self.batches.append(list(pairs))
        return [self.compared(*pair) for pair in self.batches[-1]]

    async def acompare_many(self, pairs):
        return self.compare_many(pairs)

    def compared(self, prompt, a, b):
        if a == b:
            return Comparison(None, 0.5, "identical answers")
        if len(a) == len(b):
            return Comparison(None, 0.5, "tie")
        return Comparison("A", 0.75) if len(a) < len(b) else Comparison("B", 0.25)

    @property
    def asked(self):
        return [pair for batch in self.batches for pair in batch]


class Always(ShorterWins):
    """Says the same of every pair."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def compared(self, prompt, a, b):
        return self.said


NO_VERDICT = Comparison(None, None, "no verdict")
TOO_LONG = Comparison(None, None, problem="too long for the model's context by 7 tokens.")


def says_shorter(body, _index):
    """What a server replies whose judge prefers the shorter answer, in the format `brief`."""
    shown = body["messages"][-1]["content"]
    a, b = re.search(r"\[Answer A\]\n(.*?)\n\n\[Answer B\]\n(.*?)(?:\n\n|\Z)", shown, re.S).groups()
    return f"It says the same in fewer words. Final verdict: [[{'A' if len(a) < len(b) else 'B'}]]"
