"""What plugin authors get for their own tests."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from ste_plugin.audit.probes.probe import BiasProbe
from ste_plugin.engines import ChatRequest, Message, Sampling
from ste_plugin.plugins import builtin
from ste_plugin.testing import FakeEngine, check_plugin, check_probe, honest_judge, read_shown

HOOK = "from ste_plugin.hookspecs import hookimpl\n\n@hookimpl\n"


def hooks(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hooks.py"
    path.write_text(text)
    return path


def request(**more: object) -> ChatRequest:
    return ChatRequest("fake", (Message("user", "Name a fruit."),), Sampling(), **more)  # type: ignore[arg-type]


def test_a_plugin_that_fits_has_no_problems(tmp_path):
    factory = '    return {"mine": "ste_plugin.engines.local.engine:create"}\n'
    assert check_plugin(hooks(tmp_path, f"{HOOK}def ste_engines():\n{factory}")) == []
    assert check_plugin(builtin) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def engines():\n    return {}\n", "implements no hook"),
        ("def ste_engines():\n    return {}\n", "ste_engines is not marked"),
        (f"{HOOK}def ste_engine():\n    return {{}}\n", "ste_engine"),
        (f"{HOOK}def ste_engines():\n    return {{'http': 'x:y'}}\n", "both 'builtin' and"),
        (f"{HOOK}def ste_engines():\n    return {{'mine': 'nowhere:create'}}\n", "nowhere:create"),
        (
            f"{HOOK}def ste_task_dirs():\n    return 'no/such/dir'\n",
            "returned 'no/such/dir'; expected",
        ),
        ("import nowhere\n", "cannot be imported"),
    ],
)
def test_a_plugin_that_does_not_fit_is_told_why(tmp_path, text, told):
    problems = check_plugin(hooks(tmp_path, text))
    assert len(problems) == 1
    assert told in problems[0]


def test_the_fake_engine_remembers_what_it_was_asked():
    engine = FakeEngine(lambda asked: asked.messages[0].content)
    got = list(engine.complete([request(), request(sample_index=1)]))
    assert [c.text for c in got] == ["Name a fruit."] * 2
    assert engine.count == 2
    assert [r.sample_index for r in engine.requests] == [0, 1]


@pytest.mark.parametrize(("reply", "texts"), [("B", {"B"}), ("Neither.", {"A", "B"})])
def test_the_fake_engine_says_a_choice_whatever_its_function_replies(reply, texts):
    engine = FakeEngine(lambda _asked: reply)
    requests = [request(sample_index=i, choices=("A", "B")) for i in range(16)]
    assert {c.text for c in engine.complete(requests)} == texts


def likes_smileys(asked: ChatRequest) -> str:
    shown = read_shown(asked)
    a, b = ":-)" in shown.a, ":-)" in shown.b
    return honest_judge()(asked) if a == b else "A" if a else "B"


def smile(pair, _):
    return replace(pair, worse=f"{pair.worse} :-)")


def test_a_probe_that_finds_its_bias_and_nothing_else_has_no_problems():
    assert check_probe(BiasProbe("likes smileys", smile), likes_smileys) == []


def test_a_probe_that_does_not_find_its_bias_is_told_so():
    blind = BiasProbe("likes smileys", lambda pair, _: replace(pair, worse=f"{pair.worse} :-|"))
    (problem,) = check_probe(blind, likes_smileys)
    assert problem.startswith("not found in the biased judge: the figure is ")


def test_a_probe_that_makes_the_better_answer_worse_raises_a_false_alarm():
    def swap(pair, _):
        return replace(pair, better=pair.worse, worse=pair.better)

    (problem,) = check_probe(BiasProbe("any", swap), likes_smileys)
    assert problem == "found in 40 of 40 honest judges, which lack the bias."


def test_a_probe_that_draws_anew_each_time_or_changes_no_pair_is_told_so():
    drawn = iter(range(10**6))
    problems = check_probe(
        BiasProbe("any", lambda pair, _: replace(pair, worse=f"{pair.worse} {next(drawn)}")),
        likes_smileys,
    )
    assert problems[0].startswith("change: returned another pair when called again")
    (problem,) = check_probe(BiasProbe("any", lambda _, __: None), likes_smileys)
    assert problem.startswith("change: returned None for most of the made pairs")
