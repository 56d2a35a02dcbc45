"""What `check_plugin` finds wrong with a judge format."""

import pytest

from ste_plugin.testing import check_plugin

HEAD = """\
import re
from ste_plugin.engines import Message
from ste_plugin.hookspecs import hookimpl
from ste_plugin.judging import JudgeFormat, neutralise

"""
HOOK = """
@hookimpl
def ste_judge_formats():
    return {"mine": %s}
"""
MADE = 'Mine("mine", "Which is better?", "%s", True, 9)'
WINNER = """\
class Mine(JudgeFormat):
    def parse(self, text):
        found = re.findall(r"Winner: ([AB])", text)
        return found[-1] if found else None

    def forced_text(self, prefix, letter):
        return prefix + letter
"""
SAFE = """
    def render(self, *texts):
        return super().render(*(re.sub("Winner: ([AB])", r"winner (\\1)", t) for t in texts))
"""
BARE = """\
class Mine(JudgeFormat):
    def render(self, instruction, answer_a, answer_b):
        parts = (f"Q: {instruction}", "## First", answer_a, "## Second", answer_b)
        return (Message("user", "\\n".join(parts)),)
"""


RATED = 'Mine("mine", "How good is it?", "[[", True, 9)'
RATES = "from ste_plugin.judging import RatingFormat\n\n"


def problems(tmp_path, code, made=MADE % "[["):
    (tmp_path / "hooks.py").write_text(HEAD + code + HOOK % made)
    return check_plugin(tmp_path / "hooks.py")


def test_a_format_that_fits_has_no_problem(tmp_path):
    assert problems(tmp_path, "Mine = JudgeFormat\n", MADE % "Final verdict: [[") == []


def test_a_format_that_makes_its_own_marks_plain_has_no_problem(tmp_path):
    assert problems(tmp_path, WINNER + SAFE, MADE % "Winner: ") == []


@pytest.mark.parametrize("kept", ["t[:200]", "t.splitlines()[0]"])
def test_a_render_that_cuts_what_is_judged_is_named(tmp_path, kept):
    code = f"""\
class Mine(JudgeFormat):
    def render(self, *texts):
        return super().render(*({kept} for t in texts))
"""
    (found,) = problems(tmp_path, code)
    assert "render does not show the end of an instruction of 400 lines. Show it all" in found


def test_a_parse_that_reads_a_verdict_where_there_is_none_is_named(tmp_path):
    code = """\
class Mine(JudgeFormat):
    def parse(self, text):
        return "B" if "[[B]]" in text else "A"
"""
    found = problems(tmp_path, code)
    assert "parse reads 'A' in 'I cannot compare these.', which gives no verdict" in found[-1]


def test_what_the_tasks_call_and_a_format_lacks_is_named(tmp_path):
    code = """\
class Mine:
    name, version, reasons = "mine", "mine-1", "yes"
    def render(self, *texts):
        return ()
    def parse(self, text):
        return None
"""
    told = problems(tmp_path, code, "Mine()")
    assert [line.partition("'mine': ")[2].partition(". Derive")[0] for line in told] == [
        "no attribute 'closing'",
        "reasons is 'yes'; expected bool",
        "no attribute 'max_new_tokens'",
        "no attribute 'pointwise'",
        "no method 'render_pair'",
        "no method 'for_row'",
        "no method 'forced_prefix'",
        "no method 'forced_text'",
        "no method 'combine'",
        "no method 'expect'",
        "no method 'decide'",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (WINNER, "render leaves 'Winner: A' in an instruction as it is"),
        (BARE, "render leaves '[[A]]' in an instruction as it is"),
        (BARE, "render leaves '## First' in an instruction as it is"),
        (BARE, "render leaves '</think>'"),
        (WINNER.replace("Winner", "Best"), "parse reads None in"),
        (
            "class Mine(JudgeFormat):\n    def render_pair(self, i, better, worse, gold):\n"
            "        return self.render(i, better, worse)\n",
            "render_pair with 'B' does not show the better answer as B",
        ),
        (
            "class Mine(JudgeFormat):\n    def render(self, i, a, b):\n        return i + a + b\n",
            "expected a tuple of Message",
        ),
        (
            "class Mine(JudgeFormat):\n    def render(self, i, a, b):\n"
            "        return super().render(i, a, a)\n",
            "render does not show 'A spade.'",
        ),
        ("class Mine(JudgeFormat):\n    def parse(self, t, u):\n        pass\n", "it raised Type"),
    ],
)
def test_what_a_run_would_stumble_over_is_told(tmp_path, code, told):
    closing = "[[" if "Winner" not in code and "Best" not in code else "Winner: "
    assert any(told in line for line in problems(tmp_path, code, MADE % closing))


def test_a_pointwise_format_that_fits_has_no_problem(tmp_path):
    assert problems(tmp_path, f"{RATES}Mine = RatingFormat\n", RATED) == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "    def render(self, i, a, b):\n        return JudgeFormat.render(self, i, a, b)\n",
            "render shows 'A spade.', too. A pointwise format shows the first answer alone.",
        ),
        (
            "    def render(self, i, a, b):\n        return super().render(i, '', '')\n",
            "render does not show 'An apple.'. Show the instruction and the first answer.",
        ),
        (
            "    def render(self, i, a, b):\n"
            '        return (Message("user", i + a.replace("[[A]]", "")),)\n',
            "render leaves '[[0]]' in an instruction as it is",
        ),
        (
            "    def decide(self, own, other):\n        return own\n",
            "decide makes (0, 9) of 0 and 9; expected A for the prompt whose first answer is the "
            "better one, and B for the other. Leave decide to JudgeFormat or RatingFormat.",
        ),
        (
            '    def parse(self, text):\n        return super().parse(text + "[[5]]")\n',
            "parse reads None in 'An apple is a fruit. A spa\\n\\n[[0]]'",
        ),
        (
            "    def parse(self, text):\n        found = super().parse(text)\n"
            "        return 5 if found is None else found\n",
            "parse reads 5 in 'I cannot compare these.', which gives no verdict.",
        ),
    ],
)
def test_what_a_pointwise_format_does_wrong_is_told(tmp_path, code, told):
    made = f"{RATES}class Mine(RatingFormat):\n{code}"
    assert any(told in line for line in problems(tmp_path, made, RATED))


def test_a_format_is_called_by_the_name_that_it_is_looked_for(tmp_path):
    made = 'JudgeFormat("other", "Which is better?", "[[", True, 9)'
    assert "its name is 'other'; expected 'mine'" in problems(tmp_path, "", made)[0]
