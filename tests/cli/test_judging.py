"""Trying a judge on one pair: only an answer that wins in both orders is better, and torn replies
do not count."""

import contextlib
import json
import signal

import pytest

from ste_plugin import Judge
from ste_plugin.cli.entry_point import main
from ste_plugin.cli.judging import told_in_words
from ste_plugin.engines import Completion
from ste_plugin.judge import Comparison, PairwiseJudge, Tokens
from ste_plugin.judge import judge as judge_module
from ste_plugin.judging import TIE, JudgeFormat
from tests.helpers.command import ste

pytestmark = pytest.mark.usefixtures("warm_hosts")

PAIR = ("Name a fruit.", "An apple.", "A spade.")


class Completes:
    """Completes each request as a function of its prompt says."""

    def __init__(self, completion):
        self.completion = completion

    def complete(self, requests):
        for request in requests:
            said = {"text": "", "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1}
            yield Completion(request.key, **(said | self.completion(request.messages[-1].content)))

    def close(self):
        return


def tried(monkeypatch, completion, judge_format="brief"):
    monkeypatch.setattr(judge_module, "open_engine", lambda *_: Completes(completion))
    judge = Judge("m", format=judge_format, engine="local")
    return told_in_words(judge.compare(*PAIR), judge.format.pointwise)


def better(prompt):
    return "A" if prompt.index("An apple") < prompt.index("A spade") else "B"


@pytest.mark.parametrize(
    ("said", "expected"),
    [(better, "a"), (lambda _: "A", "inconsistent"), (lambda p: "BA"[better(p) == "B"], "b")],
)
def test_the_better_answer_is_the_one_that_wins_in_both_orders(monkeypatch, said, expected):
    found = tried(monkeypatch, lambda p: {"text": f" It fits. [[{said(p)}]] "})
    assert found["better"] == expected
    assert [r["order"] for r in found["replies"]] == ["a shown as A", "b shown as A"]
    assert all(r["text"].startswith("It fits") and len(r) == 2 for r in found["replies"])


@pytest.mark.parametrize(
    ("apple", "spade", "expected"),
    [(8, 3, "a"), (3, 8, "b"), (5, 5, "tie"), (8, 10, "no verdict"), ("high", 3, "no verdict")],
)
def test_of_answers_that_are_rated_alone_the_higher_score_is_better(
    monkeypatch, apple, spade, expected
):
    def reply(prompt):
        return {"text": f"So it is. [[{apple if 'An apple' in prompt else spade}]]"}

    found = tried(monkeypatch, reply, "rating")
    assert found["better"] == expected
    assert [r["order"] for r in found["replies"]] == ["a alone", "b alone"]
    assert found["replies"][0]["text"] == f"So it is. [[{apple}]]"


@pytest.mark.parametrize(
    ("said", "expected"),
    [(lambda _: "neither", "tie"), (lambda p: better(p) if better(p) == "A" else "neither", None)],
)
def test_a_format_with_ties_may_find_both_answers_equally_good(monkeypatch, said, expected):
    parse = JudgeFormat.parse
    monkeypatch.setattr(
        JudgeFormat, "parse", lambda self, t: TIE if "[[neither]]" in t else parse(self, t)
    )
    found = tried(monkeypatch, lambda p: {"text": f"[[{said(p)}]]"})
    assert found["better"] == (expected or "inconsistent")


def test_a_reply_that_the_limit_cuts_off_gives_no_verdict_and_says_so(monkeypatch):
    found = tried(
        monkeypatch, lambda p: {"text": f"[[{better(p)}]], but", "finish_reason": "length"}
    )
    assert found["better"] == "no verdict"
    assert all("cut off by the token limit" in r["ended"] for r in found["replies"])


def test_a_thought_is_shown_apart_and_does_not_count(monkeypatch):
    thought = "<think>\nIs it [[B]]?\n</think>"
    found = tried(monkeypatch, lambda p: {"text": f"[[{better(p)}]]", "thinking": thought})
    assert (found["better"], found["replies"][0]["thinking"]) == ("a", thought)
    found = tried(monkeypatch, lambda _: {"thinking": "<think>\nIs it [[B]]?"})
    assert found["better"] == "no verdict"
    assert all("a thought that never ends" in r["ended"] for r in found["replies"])


def test_the_command_passes_on_what_the_chat_template_is_given(monkeypatch, capsys):
    asked = []

    def opened(model, *_):
        asked.append(model.chat_template_kwargs)
        return Completes(lambda _: {"text": "[[A]]", "finish_reason": "length"})

    monkeypatch.setattr(judge_module, "open_engine", opened)
    options = ["ste", "judge", "m", "--instruction", "x", "--a", "y", "--b", "z"]
    for given in ("enable_thinking=false", '{"enable_thinking": false}'):
        monkeypatch.setattr("sys.argv", [*options, "--chat-template-kwargs", given])
        with contextlib.suppress(SystemExit):
            main()
        assert "(cut off by the token limit" in capsys.readouterr().out
    assert asked == 2 * [{"enable_thinking": False}]


def test_a_cascade_says_after_which_stage_and_why_it_abstains(monkeypatch, capsys):
    said = Comparison(None, None, "unsure", stage="decision", tokens=Tokens(9, 2))
    monkeypatch.setattr(PairwiseJudge, "compare", lambda *_: said)
    monkeypatch.setattr(judge_module, "open_engine", lambda *_: Completes(better))
    options = ["ste", "judge", "m", "--instruction", "x", "--a", "y", "--b", "z"]
    printed = []
    for more in ([], ["--json"]):
        monkeypatch.setattr("sys.argv", [*options, *more])
        with contextlib.suppress(SystemExit):
            main()
        printed.append(capsys.readouterr().out)
    assert "abstained after: decision: unsure (9 tokens read, 2 written)" in printed[0]
    told = json.loads(printed[1])
    assert (told["better"], told["abstained"], told["stage"]) == ("unsure", "unsure", "decision")


def test_identical_answers_are_equal(monkeypatch):
    monkeypatch.setattr(judge_module, "open_engine", lambda *_: None)
    found = Judge("m", engine="local").compare("x", "same", "same")
    told = {"better": "equal", "probability": 0.5, "replies": []}
    assert told_in_words(found, False) == told


@pytest.mark.slow
def test_a_judge_in_a_folder_is_tried(tiny_model, tmp_path):
    words = ["--instruction", "Name a fruit.", "--a", "An apple.", "--b", "A spade."]
    done = ste("judge", str(tiny_model), *words, "--format", "verdict", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["better"] == "no verdict"  # of random weights, cut off
    assert [r["order"] for r in found["replies"]] == ["a shown as A", "b shown as A"]


STOPPED_WHILE_LOADING = """
import os, signal, time

from ste_plugin.engines.base import LazyEngine
from ste_plugin.hookspecs import hookimpl


@hookimpl
def ste_engines():
    return {"slow": "hooks:create"}


def create(model, place):
    return LazyEngine(load)


def load():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "asked", [["--serve", "--port", "0"], ["--instruction", "x", "--a", "a", "--b", "b"]]
)
def test_a_judge_that_is_stopped_while_it_loads_has_nothing_to_resume(tmp_path, asked):
    (tmp_path / "hooks.py").write_text(STOPPED_WHILE_LOADING)
    of_model = ("--engine", "slow", "--format", "brief", "--plugin", "hooks.py")
    done = ste("judge", "m", *of_model, *asked, cwd=tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == "ste: stopped.\n"
