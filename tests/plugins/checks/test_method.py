"""What a plugin contributes to the method, with the mistakes that are made there."""

from textwrap import dedent

import pytest

from ste_plugin.testing import check_plugin
from tests.helpers.plugin_files import plugin_file

STRATEGY = """
from ste_plugin.inference.requests import user
from ste_plugin.pairs.calls import Calls, MadePair
from ste_plugin.records import Drop

class Mine:
    version = "1"

    def next_prompt(self, instruction, replies):
        return None if replies else user(instruction.text)

    def worse(self, instruction, replies, better, pool):
        return replies[0]
{}
@hookimpl
def ste_pair_strategies():
    return {{"mine": Mine()}}
"""
SELECTOR = """
from ste_plugin.records import Drop

@hookimpl
def ste_selectors():
    return {{"mine": mine}}

def mine(instructions, config):
    {}
"""
FORMAT = """
import random
from dataclasses import dataclass, replace
from ste_plugin.engines import Message
from ste_plugin.judging import JudgeFormat

class Mine(JudgeFormat):
{}
@hookimpl
def ste_judge_formats():
    return {{"mine": Mine("mine", "Which is better?", "Final verdict: [[", True, 80)}}
"""
ROWS = """
@hookimpl
def ste_dataset_formats():
    return {{"mine": mine}}

def mine(example):
    {}
"""


def strategy(*methods: str) -> str:
    """Return a plugin of one strategy, with these methods in place of its own."""
    return STRATEGY.format("".join(f"\n    {line}" for line in methods))


def only_problem(tmp_path, body: str) -> str:
    (problem,) = check_plugin(plugin_file(tmp_path, body))
    return problem


def test_a_strategy_that_fits_has_no_problem(tmp_path):
    assert check_plugin(plugin_file(tmp_path, strategy())) == []


def test_a_strategy_that_chooses_among_samples_fits(tmp_path):
    methods = (
        "calls = Calls(sampled=True)",
        "def worse(self, instruction, replies, better, pool):",
        "    ordered = sorted(replies, key=len)",
        "    return MadePair(better=ordered[-1], worse=ordered[0])",
    )
    assert check_plugin(plugin_file(tmp_path, strategy(*methods))) == []


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        (
            ["calls = Calls(sees_answer=True)"],  # so that replies[0] is the good answer
            "`worse` returned the better answer as the worse one for every instruction",
        ),
        (
            [
                "def worse(self, instruction, replies, better, pool):",
                "    return better[instruction.key]",
            ],
            "`worse` returned the better answer as the worse one for every instruction",
        ),
        (
            [
                "def worse(self, instruction, replies, better, pool):",
                "    return MadePair(better=replies[0], worse=replies[0] + ' ')",
            ],
            "`worse` returned the better answer as the worse one",
        ),
        (
            ["def worse(self, instruction, replies, better, pool):", "    return None"],
            "`worse` returned None; expected the worse answer, a MadePair, or a Drop",
        ),
        (
            ["def worse(self, instruction, replies, better, pool):", "    return ' '"],
            "`worse` returned an empty answer for every instruction",
        ),
        (
            ["def worse(self, instruction, replies, better, pool):", "    return replies[3]"],
            "it raised IndexError",
        ),
        (
            [
                "seen = []",
                "def worse(self, instruction, replies, better, pool):",
                "    self.seen.append(1)",
                "    return replies[0] + str(len(self.seen))",
            ],
            "`worse` returned another result when called again with the same arguments",
        ),
        (
            ["def next_prompt(self, instruction, replies):", "    return instruction.text"],
            "expected None, or turns: `user(text)`",
        ),
        (
            ["def next_prompt(self, instruction, replies):", "    return user(instruction.text)"],
            "`next_prompt` asks for more after 12 replies",
        ),
        (
            [
                "asked = []",
                "def next_prompt(self, instruction, replies):",
                "    self.asked.append(1)",
                "    return None if replies else user(str(len(self.asked)))",
            ],
            "`next_prompt` asks otherwise when called again with the same replies",
        ),
        (["version = 1"], "its version is 1; expected a text"),
    ],
)
def test_a_strategy_that_does_not_fit_is_told_why(tmp_path, methods, told):
    problem = only_problem(tmp_path, strategy(*methods))
    assert problem.startswith("ste_pair_strategies: 'mine': ")
    assert told in problem


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("return instructions", "expected (those kept, a Drop for each other one)"),
        ("return instructions[:2], []", "of 6 instructions it kept 2 and gave 0 drops"),
        (
            "return instructions[:5], [instructions[5].key]",
            "expected Drop(stage, key, reason)",
        ),
        ("return [i.key for i in instructions], []", "expected Instructions"),
        (
            "mine.n = getattr(mine, 'n', 0) + 1; n = mine.n % 2; return instructions[n:], "
            "[Drop('selection', i.key, 'first') for i in instructions[:n]]",
            "it returned another result when called again",
        ),
    ],
)
def test_a_selector_that_loses_instructions_is_told_so(tmp_path, line, told):
    problem = only_problem(tmp_path, SELECTOR.format(line))
    assert problem.startswith("ste_selectors: 'mine': ")
    assert told in problem


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        (
            """
            def render(self, instruction, answer_a, answer_b):
                first, second = sorted((answer_a, answer_b))
                return super().render(instruction, first, second)
            """,
            "render shows both orders of a pair the same, so that A and B mean nothing",
        ),
        (
            """
            def parse(self, text):
                return {"Verdict: A": "A", "Verdict: B": "B"}.get(text[-10:])
            """,
            "parse reads None in",
        ),
        (
            """
            def render(self, instruction, answer_a, answer_b):
                (turn,) = super().render(instruction, answer_a, answer_b)
                return (Message("user", f"{random.random()} {turn.content}"),)
            """,
            "render gives another result when called again",
        ),
    ],
)
def test_a_format_that_misleads_its_judge_is_told_so(tmp_path, methods, told):
    indented = "\n".join(f"    {line}" for line in dedent(methods).splitlines())
    problems = check_plugin(plugin_file(tmp_path, FORMAT.format(indented + "\n")))
    assert any(told in problem for problem in problems), problems
    assert all(problem.startswith("ste_judge_formats: 'mine': ") for problem in problems)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("yield {'text': 'a'}", "it returned a generator; expected a list of rows"),
        ("return 'a row'", "it returned 'a row'; expected a list of rows"),
        ("return ['a row']", "a list with 'a row'; expected dictionaries"),
        ("return [{'pair': example.pair}]", "a row cannot be written as JSON"),
    ],
)
def test_a_row_format_that_writes_no_rows_is_told_so(tmp_path, line, told):
    problem = only_problem(tmp_path, ROWS.format(line))
    assert problem.startswith("ste_dataset_formats: 'mine': ")
    assert told in problem


def test_a_probe_that_draws_anew_is_told_so(tmp_path):
    body = """
    from itertools import count
    from msgspec.structs import replace
    from ste_plugin.audit.probes.probe import BiasProbe

    NUMBERS = count()

    @hookimpl
    def ste_probes():
        return {"mine": BiasProbe("likes numbers", change)}

    def change(pair, seed):
        return replace(pair, worse=f"{pair.worse} {next(NUMBERS)}")
    """
    problem = only_problem(tmp_path, body)
    assert problem.startswith("ste_probes: 'mine': change gives another result when called again")
