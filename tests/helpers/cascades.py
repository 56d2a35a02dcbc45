"""Cascades whose every stage is right by construction, but for errors that are known."""

import json
import random
from math import log
from pathlib import Path

from ste_plugin.cascade.outcome import Outcome, entropy
from ste_plugin.judge import Tokens
from ste_plugin.judge import judge as judge_module
from ste_plugin.records import content_key
from ste_plugin.testing import FakeEngine

GOOD = "GOOD"
"""What the better answer of every pair holds."""


def drawn(*what):
    """A number between 0 and 1 that depends on these alone."""
    return int(content_key("drawn", *what)[:8], 16) / 16**8


def outcomes(seed, prompts, pairs_of_each=1, decision=0.5, reasoning=0.05, vote=0.1, hang=0.0):
    """What stages said of drawn pairs.

    A decision is as often right as it is sure, and at least `decision` sure; the other stages err
    as told. `hang`: the share of prompts on all of whose pairs every stage is wrong.
    """
    rng = random.Random(seed)
    return [
        _outcome(rng, f"{prompt}", f"{prompt}-{i}", wrong, decision, reasoning, vote)
        for prompt in range(prompts)
        for wrong in [rng.random() < hang]
        for i in range(pairs_of_each)
    ]


def _outcome(rng, prompt, key, wrong, decision, reasoning, vote):
    sure = decision + (1 - decision) * rng.random() ** 0.5
    agrees, reasons, votes = rng.random() < 0.85, rng.random() < 0.8, rng.random() < 0.7
    right = [
        rng.random() < sure and not wrong if agrees else None,
        rng.random() >= reasoning and not wrong if reasons else None,
        rng.random() >= vote and not wrong if votes else None,
    ]
    tokens = [Tokens(100, 2), Tokens(120, 60), Tokens(120, 300)]
    asked = 2 if reasons else 3
    bits = entropy(sure) if agrees else None
    return Outcome(key, "made", prompt, bits, right[:asked], tokens[:asked])


class StagedEngine(FakeEngine):
    """A model that decides, reasons and votes, each with errors that the pair's number draws.

    A decision's letter is as likely as it is right, so that its sureness says how often it errs.
    Pairs whose number is 3 of 4 it decides by position, and every fifth of these by reasons, too.
    """

    def __init__(self, reasoning_error=0.0):
        super().__init__(self.said)
        self.reasoning_error = reasoning_error

    def said(self, request):
        shown, number = shown_as(request), number_of(request)
        if request.choices or "Say why" not in request.messages[-1].content:
            p = self.likely_a(request)
            return ("A" if p > 0.5 else "B") if request.choices else f"[[{'AB'[p < 0.5]}]]"
        if number % 4 == 3 and number % 5 == 0 and request.sampling.temperature == 0:
            return "Because. Final verdict: [[A]]"
        wrong = drawn("reasoning", number) < self.reasoning_error
        return f"Because. Final verdict: [[{'BA'[(shown == 'A') ^ wrong]}]]"

    def likely_a(self, request):
        number = number_of(request)
        if number % 4 == 3:
            return 0.7
        sure = 0.5 + 0.499 * drawn("sure", number)
        right = drawn("right", number) < sure
        return sure if right == (shown_as(request) == "A") else 1 - sure

    def choice_log_likelihoods(self, requests):
        for request in requests:
            p = self.likely_a(request)
            yield request.key, (log(p), log(1 - p))


def shown_as(request):
    """The letter of the better answer."""
    text = request.messages[-1].content
    return "A" if text.index(GOOD) < text.index("BAD") else "B"


def number_of(request):
    """Which pair a request is about."""
    return int(request.messages[-1].content.split("Number ")[1].split(".")[0])


def pair_row(number, **changes):
    """A labelled pair."""
    return {
        "id": f"p{number}",
        "subset": ("even", "odd")[number % 2],
        "prompt": f"Number {number}. What is it?",
        "chosen": f"{GOOD} {number}",
        "rejected": f"BAD {number}",
        "labels": {"ann": "chosen"},
    } | changes


def write_pairs(path: Path, rows) -> Path:
    """A file of pairs."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def use_engine(monkeypatch, engine):
    """Have every judge asked through an engine."""
    monkeypatch.setattr(judge_module, "open_engine", lambda *_: engine)
    return engine
