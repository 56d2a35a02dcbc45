"""A judge in Python: a verdict is what both orders agree on, and a probability says how sure."""

import asyncio
import math
import os
import shutil
import signal

import pytest

from ste_plugin import Comparison, Judge
from ste_plugin.errors import ConfigError, DataError, EngineError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.calibration import calibrate, write_calibration
from ste_plugin.testing import FakeEngine
from tests.helpers.asked_judges import fake_judge, says
from tests.helpers.chat_server import HANG, Refuse, chat_server
from tests.helpers.hub_cache import downloaded

PAIR = ("Name a fruit.", "An apple.", "A spade.")


def better(request):
    prompt = request.messages[-1].content
    return "A" if prompt.index("An apple") < prompt.index("A spade") else "B"


@pytest.mark.parametrize(
    ("letter", "verdict", "probability", "abstained"),
    [
        (better, "A", 1.0, ""),
        (lambda r: {"A": "B", "B": "A"}[better(r)], "B", 0.0, ""),
        (lambda _: "A", None, 0.5, "orders differ"),
        (lambda _: "?", None, None, "no verdict"),
    ],
)
def test_a_verdict_is_what_both_orders_agree_on(
    monkeypatch, letter, verdict, probability, abstained
):
    judge, _ = fake_judge(monkeypatch, lambda r: f"It fits. Final verdict: [[{letter(r)}]]")
    found = judge.compare(*PAIR)
    assert (found.verdict, found.probability, found.abstained) == (verdict, probability, abstained)
    assert [order.first for order in found.orders] == ["A", "B"]
    assert found.reasoning.startswith("It fits.")


def test_many_pairs_are_asked_about_at_once_and_answered_in_their_order(monkeypatch):
    judge, engine = fake_judge(monkeypatch, says("brief"))
    pairs = [("Say 1.", "Reply to <Say 1.>", "no"), ("Say 2.", "no", "Reply to <Say 2.>")]
    assert [found.verdict for found in judge.compare_many(pairs * 2)] == ["A", "B"] * 2
    assert engine.count == 4  # each prompt once


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (("x", "", "b"), "answer A is empty"),
        (("x", "a", " \n"), "answer B is empty"),
        (("", "a", "b"), "the prompt is empty"),
        (([{"role": "assistant", "content": "x"}], "a", "b"), "its last turn is the assistant's"),
        (([{"role": "usr", "content": "x"}], "a", "b"), "Did you mean 'user'?"),
        (([{"role": "user"}], "a", "b"), "turn 1: found"),
        ((["x"], "a", "b"), "turn 1: found 'x'"),
        (([], "a", "b"), "expected a text, or a list of turns"),
        (("x", 7, "b"), "answer A: found int"),
        (("x", "a"), "expected (prompt, a, b)"),
        ("xyz", "expected (prompt, a, b)"),
        ({"prompt": "x", "a": "y", "b": "z"}, "expected (prompt, a, b)"),
    ],
)
def test_a_pair_that_cannot_be_compared_says_why_and_does_not_stop_the_others(
    monkeypatch, pair, problem
):
    judge, engine = fake_judge(monkeypatch, lambda _: "[[A]]")
    bad, good = judge.compare_many([pair, PAIR])
    assert problem in bad.problem
    assert (bad.verdict, bad.probability, bad.orders) == (None, None, ())
    assert good.abstained == "orders differ"
    assert engine.count == 2
    if isinstance(pair, tuple) and len(pair) == 3:
        with pytest.raises(DataError, match="."):
            judge.compare(*pair)


def test_identical_answers_are_equal_without_being_shown_to_the_judge(monkeypatch):
    judge, engine = fake_judge(monkeypatch, lambda _: "[[A]]")
    assert judge.compare("x", "same", "same") == Comparison(None, 0.5, "identical answers")
    assert engine.count == 0


def test_a_conversation_is_shown_with_who_speaks(monkeypatch):
    judge, engine = fake_judge(monkeypatch, lambda _: "[[A]]")
    turns = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")]
    judge.compare([{"role": role, "content": text} for role, text in turns], "a", "b")
    shown = engine.requests[0].messages[-1].content
    assert "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello\n\nUser: Bye" in shown
    judge.compare([{"role": "user", "content": "Hi"}], "a", "b")
    assert "[Instruction]\nHi\n" in engine.requests[-1].messages[-1].content


def test_a_format_that_rates_compares_the_scores_of_both_answers(monkeypatch):
    judge, _ = fake_judge(
        monkeypatch,
        lambda r: f"So. [[{8 if 'An apple' in r.messages[-1].content else 3}]]",
        "rating",
    )
    found = judge.compare(*PAIR)
    assert (found.verdict, found.probability) == ("A", 1.0)
    assert [order.score for order in found.orders] == [8, 3]


def test_of_several_samples_the_majority_counts_and_the_share_is_the_probability(monkeypatch):
    def said(request):
        letter = better(request)
        wrong = request.sample_index == 0
        return f"[[{ {'A': 'B', 'B': 'A'}[letter] if wrong else letter }]]"

    judge, engine = fake_judge(monkeypatch, said, samples=4)
    found = judge.compare(*PAIR)
    assert (found.verdict, found.probability) == ("A", 0.75)
    assert found.probability_from == "samples"
    assert {request.sampling.temperature for request in engine.requests} == {0.7}
    assert len(found.orders[0].replies) == 4


def test_a_verdict_is_forced_only_where_that_is_wanted(monkeypatch):
    def said(request):
        return better(request) if request.choices else "Hard to say."

    judge, _ = fake_judge(monkeypatch, said)
    assert judge.compare(*PAIR).abstained == "no verdict"
    judge, _ = fake_judge(monkeypatch, said, force_verdict=True)
    found = judge.compare(*PAIR)
    assert found.verdict == "A"
    assert found.orders[0].reply.text == "Hard to say.\n\nFinal verdict: [[A]]"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "breif"}, "format: no 'breif'. Did you mean 'brief'?"),
        ({"samples": 0}, "samples: found 0"),
        ({"iteration": 1}, "is no run"),
        ({"engine": "locl"}, "no 'locl'. Did you mean 'local'?"),
        ({"options": {"dtyp": "float32"}, "engine": "local"}, "dtyp"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_loaded(tiny_model, settings, message):
    with pytest.raises(ConfigError) as error:
        Judge(tiny_model, **settings)
    assert message in str(error.value)


def served(url, **settings):
    return Judge("tiny", format="brief", base_url=url, **settings)


def test_a_judge_behind_a_server_is_asked_with_its_key_and_its_replies_are_counted(monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "sk-of-the-test")

    def says_apple(body, _):
        prompt = body["messages"][-1]["content"]
        letter = "A" if prompt.index("An apple") < prompt.index("A spade") else "B"
        return f"It fits. [[{letter}]]"

    with (
        chat_server(says_apple) as server,
        served(server.base_url, api_key_env="SERVER_KEY") as judge,
    ):
        found = judge.compare(*PAIR)
    assert (found.verdict, found.probability, found.probability_from) == ("A", 1.0, "samples")
    assert set(server.authorizations) == {"Bearer sk-of-the-test"}


def test_a_server_that_refuses_the_key_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "sk-of-the-test")
    refuses = Refuse(401, "invalid key")
    with (
        chat_server(lambda *_: "[[A]]", objects=lambda _: refuses) as server,
        served(server.base_url, api_key_env="SERVER_KEY") as judge,
        pytest.raises(EngineError, match="into the environment variable SERVER_KEY") as error,
    ):
        judge.compare(*PAIR)
    assert "sk-of-the-test" not in str(error.value)


def test_what_a_server_finds_too_long_is_told():
    refuses = Refuse(400, "This model's maximum context length is 256 tokens.")
    with (
        chat_server(lambda *_: "[[A]]", objects=lambda _: refuses) as server,
        served(server.base_url) as judge,
        pytest.raises(DataError, match="too long for the model's context"),
    ):
        judge.compare(*PAIR)


def test_a_pair_that_a_server_stumbles_over_has_no_verdict_and_the_others_have_theirs():
    def stumbles(body):
        about = "violin" in body["messages"][-1]["content"]
        return Refuse(400, "Expecting property name") if about else None

    with (
        chat_server(lambda *_: "[[A]]", objects=stumbles) as server,
        served(server.base_url) as judge,
    ):
        bad, good = judge.compare_many([("Name a violin.", "A.", "B."), PAIR])
    assert (bad.abstained, good.abstained) == ("no verdict", "orders differ")
    assert "refused by the server" in bad.orders[0].reply.problem


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(EngineError, match="cannot be loaded as a model: no config.json in it"):
        Judge(tmp_path)


def test_the_likelihoods_of_the_letters_are_the_probability_where_the_engine_tells(tiny_model):
    with Judge(tiny_model, format="verdict", engine="local", force_verdict=True) as judge:
        found = judge.compare(*PAIR)
        swapped = judge.compare(PAIR[0], PAIR[2], PAIR[1])
    assert found.probability_from == "likelihoods"
    assert 0 < found.probability < 1
    assert found.probability == pytest.approx(1 - swapped.probability)


class Telling(FakeEngine):
    """An engine that tells the likelihoods of letters: three to one for the first."""

    def __init__(self, answer):
        super().__init__(answer)
        self.measured = []

    def choice_log_likelihoods(self, requests):
        self.measured.extend(requests)
        return ((r.key, (math.log(0.75), math.log(0.25))) for r in requests)


def test_a_stated_verdict_s_likelihoods_are_measured_behind_one_closing(monkeypatch):
    engine = Telling(lambda _: "B names the wrong year.\nFinal verdict: [[A]]")
    monkeypatch.setattr("ste_plugin.judge.judge.open_engine", lambda *_: engine)
    with Judge("m", format="brief", engine="local") as judge:
        found = judge.compare(*PAIR)
    assert found.probability_from == "likelihoods"
    prefixes = {request.prefix for request in engine.measured}
    assert prefixes == {"B names the wrong year.\n\nFinal verdict: [["}


def test_samples_of_a_letter_whose_likelihoods_are_told_are_said_to_add_nothing(
    monkeypatch, caplog
):
    for kind, samples, said in ((Telling, 3, 1), (Telling, 1, 0), (FakeEngine, 3, 0)):
        caplog.clear()
        monkeypatch.setattr(
            "ste_plugin.judge.judge.open_engine", lambda *_, kind=kind: kind(lambda _: "A")
        )
        with Judge("m", format="decision", engine="local", samples=samples) as judge:
            judge.compare_many([PAIR, PAIR])
            judge.compare(*PAIR)
        assert caplog.text.count("Leave samples out") == said


def test_the_letters_of_a_judge_that_thinks_are_measured_behind_its_thought(monkeypatch):
    thoughts = (
        "<think>\nB names the wrong year.\n</think>\n\n",
        "<think>\n<|im_end|>\n</think>\n\n",
    )
    for thought, told in zip(thoughts, ("likelihoods", "samples"), strict=True):
        engine = Telling(lambda _, thought=thought: f"{thought}Final verdict: [[A]]")
        monkeypatch.setattr("ste_plugin.judge.judge.open_engine", lambda *_, engine=engine: engine)
        with Judge("m", format="brief", engine="local") as judge:
            found = judge.compare(*PAIR)
        assert found.probability_from == told  # its own control tokens would end the thought
        letters = {(request.thought, request.prefix) for request in engine.measured}
        assert letters == ({(thought, "Final verdict: [[")} if told == "likelihoods" else set())


@pytest.mark.parametrize("on_ray", [False, True])
def test_a_hub_id_s_temperature_is_that_of_the_revision_that_is_asked(
    tmp_path, monkeypatch, on_ray
):
    margins = [6.0 * (-1 if n % 4 == 0 else 1) for n in range(80)]
    found = calibrate(margins, FORMATS["decision"].version)
    folders = downloaded(tmp_path, monkeypatch, "org/judge", main=None, v2=None)
    write_calibration(folders["v2"], found)
    monkeypatch.setattr("ste_plugin.judge.judge.open_engine", lambda *_: FakeEngine(lambda _: "A"))

    def temperature(**options):
        nested = {"engine": "local", "engine_options": options}
        told = {"engine": "ray", "options": nested} if on_ray else {"options": options}
        with Judge("org/judge", **told) as judge:
            return judge.temperature, judge.format.name

    assert temperature() == (1, "criteria")
    assert temperature(revision="v2") == (found.temperature, "decision")


def test_a_calibrated_judge_is_less_sure_and_says_the_same(tiny_model, tmp_path):
    asked = {"format": "verdict", "engine": "local", "force_verdict": True}
    folder = shutil.copytree(tiny_model, tmp_path / "judge")
    with Judge(folder, **asked) as judge:
        plain = judge.compare(*PAIR)
    margins = [6.0 * (-1 if n % 4 == 0 else 1) for n in range(80)]  # sure, right in three of four
    write_calibration(folder, calibrate(margins, FORMATS["verdict"].version))
    with Judge(folder, **asked) as judge:
        found = judge.compare(*PAIR)
        assert judge.temperature == pytest.approx(6 / math.log(3), rel=0.001)
    assert [o.verdict for o in found.orders] == [o.verdict for o in plain.orders]
    for one, other in zip(found.orders, plain.orders, strict=True):
        odds = [math.log(o.probability / (1 - o.probability)) for o in (one, other)]
        assert odds[0] == pytest.approx(odds[1] / judge.temperature)
    write_calibration(folder, calibrate(margins, "another-format"))
    with Judge(folder, **asked) as judge:
        assert judge.compare(*PAIR).probability == plain.probability


@pytest.mark.parametrize("force", [False, True])
def test_a_prompt_that_does_not_fit_says_by_how_many_tokens(tiny_model, force):
    with (
        Judge(tiny_model, format="verdict", engine="local", force_verdict=force) as judge,
        pytest.raises(DataError, match=r"too long for the model's context by [1-9]\d* tokens"),
    ):
        judge.compare("x", "apple " * 5000, "spade")


def test_answers_that_look_the_same_to_the_judge_are_not_shown_to_it(monkeypatch):
    judge, engine = fake_judge(monkeypatch, lambda _: "[[A]]")
    for a, b in (("same ", "same"), ("\nsame", "same"), ("<|im_end|>", "(|im_end|)")):
        assert judge.compare("x", a, b).abstained == "identical answers"
    assert engine.count == 0


def test_an_answer_of_characters_that_nobody_sees_is_empty(monkeypatch):
    judge, engine = fake_judge(monkeypatch, lambda _: "[[A]]")
    with pytest.raises(DataError, match="answer A is empty"):
        judge.compare("x", "\x00\u200b", "b")
    assert engine.count == 0


WITH_REFERENCE = """
name: ours
turns:
  - {template: "{{ reference }} | {{ instruction }} | {{ answer_a }} | {{ answer_b }}"}
letters: [A, B]
columns: [reference]
sample: {reference: A pear.}
verdict: {pattern: "(?P<letter>[AB])$"}
"""


def test_each_comparison_may_have_columns_of_its_own(monkeypatch, tmp_path):
    shown = []
    path = tmp_path / "ours.yaml"
    path.write_text(WITH_REFERENCE)

    def said(request):
        shown.append(request.messages[-1].content.split(" | ")[0])
        return "A"

    judge, _ = fake_judge(monkeypatch, said, path)
    assert judge.compare(*PAIR, columns={"reference": "one"}).abstained == "orders differ"
    two, none = judge.compare_many([(*PAIR, {"reference": "two"}), PAIR])
    judge.rank(PAIR[0], PAIR[1:], columns={"reference": "three"})
    asyncio.run(judge.acompare(*PAIR, columns={"reference": "four"}))
    assert shown == ["one"] * 2 + ["two"] * 2 + ["three"] * 2 + ["four"] * 2
    assert (two.problem, none.orders) == ("", ())
    assert "shows the column 'reference', which is not there" in none.problem
    with pytest.raises(DataError, match="shows no 'refernce'. Did you mean 'reference'"):
        judge.compare(*PAIR, columns={"refernce": "x"})


def test_columns_of_all_comparisons_give_way_to_those_of_one(monkeypatch, tmp_path):
    shown = []
    path = tmp_path / "ours.yaml"
    path.write_text(WITH_REFERENCE)
    judge, _ = fake_judge(
        monkeypatch,
        lambda request: shown.append(request.messages[-1].content[:3]) or "A",
        path,
        columns={"reference": "all"},
    )
    judge.compare_many([PAIR, (*PAIR, {"reference": "one"})])
    assert shown == ["all", "all", "one", "one"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"samples": "3"}, "samples: found '3'; expected a whole number"),
        ({"samples": 2.5}, "samples: found 2.5"),
        ({"columns": ["a"]}, "columns: found .* expected a mapping"),
        ({"columns": {"rubrik": "x"}}, "shows no 'rubrik'"),
        ({"options": [1]}, "options: found"),
        ({"judge": None}, "judge: found None; expected a run's folder"),
        ({"judge": " "}, "judge: found ' '"),
        ({"judge": __file__}, "is a file; expected a run's folder"),
    ],
)
def test_settings_of_a_wrong_type_are_named(settings, problem):
    known = {"judge": "m", "format": "brief", "engine": "http", "base_url": "http://127.0.0.1:1/v1"}
    with pytest.raises(ConfigError, match=problem):
        Judge(**known | settings)


def said_in_a_child(judge) -> str:
    """Why a judge abstains in a process that is forked while a thread of this one asks it."""
    read, write = os.pipe()
    judge._model._lock.acquire()
    child = os.fork()
    if child == 0:
        signal.alarm(100)
        os.write(write, asyncio.run(judge.acompare(*PAIR)).abstained.encode())
        os._exit(0)
    judge._model._lock.release()
    os.close(write)
    with os.fdopen(read) as said:
        found = said.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_asks_although_another_thread_asked_before(monkeypatch):
    judge, _ = fake_judge(monkeypatch, lambda _: "[[A]]")
    asyncio.run(judge.acompare(*PAIR))  # its thread is not there in the child
    assert said_in_a_child(judge) == "orders differ"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_asks_although_other_judges_could_not_be_opened(monkeypatch):
    refused = []  # as an exception's traceback, which holds the judge, waits to be collected
    for _ in range(20):
        with pytest.raises(ConfigError) as error:
            Judge("tiny", base_url="http://127.0.0.1:9/v1", options={"none": 1})
        refused.append(error)
    judge, _ = fake_judge(monkeypatch, lambda _: "[[A]]")
    assert said_in_a_child(judge) == "orders differ"


def test_what_is_cancelled_is_ended_at_the_server_and_the_next_is_answered():
    async def give_up(judge, server):
        task = asyncio.create_task(judge.acompare(*PAIR))
        await asyncio.to_thread(server.arrived.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def fault(call):
        return HANG if call < 2 else None

    with (
        chat_server(lambda *_: "so [[A]]", fault=fault) as server,
        Judge("tiny", base_url=server.base_url, format="brief") as judge,
    ):
        asyncio.run(give_up(judge, server))
        assert judge.compare(*PAIR).abstained == "orders differ"
