"""A judge as the metric of a generative task, in lm-eval's own evaluator and over HTTP."""

import json
from contextlib import contextmanager

import pytest

from ste_plugin.errors import ConfigError, DataError, EngineError
from ste_plugin.integrations.lm_eval_answers import logged_answers
from ste_plugin.storage.resources import shipped_folder
from tests.helpers.chat_server import Refuse, Said, chat_server
from tests.helpers.evaluating import simple_evaluate
from tests.helpers.scripted_judge import scripted

FRUITS = ("apple", "pear", "plum", "fig")
TASK = """\
task: fruits
dataset_path: json
dataset_kwargs: {{data_files: {documents}}}
output_type: {kind}
test_split: train
doc_to_text: "Name a fruit like {{{{fruit}}}}."
doc_to_target: "{{{{other}}}}"
generation_kwargs: {{until: [], max_gen_toks: 8, do_sample: false}}
metric_list: [{{metric: exact_match}}]
{more}"""


def prefers(words):
    """A judge that finds the answer better that holds one of the words; it always says A of two
    that do not, whatever the order."""

    def reply(body, _):
        first, second = body["messages"][-1]["content"].split("[Answer A]")[1].split("[Answer B]")
        return "[[B]]" if any(w in second for w in words) and "rock" in first else "[[A]]"

    return reply


@pytest.fixture
def task(tmp_path):
    """Write the task's YAML and documents; return its path."""

    def write(kind="generate_until", others=("a rock",) * 4, more="", fruits=FRUITS):
        documents = tmp_path / "documents.jsonl"
        rows = zip(fruits, others, strict=True)
        documents.write_text("".join(json.dumps({"fruit": f, "other": o}) + "\n" for f, o in rows))
        path = tmp_path / "fruits.yaml"
        path.write_text(TASK.format(documents=documents, kind=kind, more=more))
        return path

    return write


@contextmanager
def environment(monkeypatch, **values):
    with monkeypatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"STE_JUDGED_{name}", str(value))
        yield


def evaluated(reply, include, task="ste_judged", **settings):
    """What lm-eval reports of a model that replies so, and its logged samples."""
    from lm_eval.tasks import TaskManager

    found = simple_evaluate(
        model=scripted(reply) if callable(reply) else reply,
        tasks=[task],
        task_manager=TaskManager(include_path=str(include), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
        **settings,
    )
    return found["results"][task], found


def named(reply, path, monkeypatch, judge, fault=None, chat=False, **values):
    """The same of the task in a file, with the judge on a server."""
    with (
        chat_server(judge, models=("judge",), fault=fault or {}.get) as server,
        environment(
            monkeypatch,
            **{"TASK": path, "BY": "judge", "URL": server.base_url, "FORMAT": "verdict"} | values,
        ),
    ):
        results, found = evaluated(reply, shipped_folder("tasks"), apply_chat_template=chat)
        return results, found, server


def test_answers_that_the_judge_prefers_in_both_orders_win(task, monkeypatch):
    results, found, _ = named(lambda _: "an apple", task(), monkeypatch, prefers(["apple"]))
    assert results["judge_win_rate,judged"] == 1
    assert 0.3 < results["judge_win_rate_low,judged"] < results["judge_win_rate_high,judged"] == 1
    assert results["judge_longer,judged"] == 1
    assert found["configs"]["ste_judged"]["metadata"]["judged"]["against"] == "reference"


def test_a_judge_that_goes_by_position_says_nothing_of_the_answers(task, monkeypatch):
    results, found, _ = named(lambda _: "an apple", task(), monkeypatch, lambda *_: "[[A]]")
    assert results["judge_win_rate,judged"] == 0.5
    assert results["judge_abstained,judged"] == 1
    samples = [s for s in found["samples"]["ste_judged"] if s["filter"] == "judged"]
    assert {s["filtered_resps"][0]["abstained"] for s in samples} == {"orders differ"}


def test_the_task_keeps_its_own_metrics(task, monkeypatch):
    others = ("an apple", "a rock", "a rock", "a rock")
    results, _, _ = named(
        lambda _: "an apple", task(others=others), monkeypatch, prefers(["apple"])
    )
    assert results["exact_match,none"] == 0.25
    assert results["judge_win_rate,judged"] == (0.5 + 3) / 4  # the same text is a draw


def test_the_judge_is_shown_what_is_asked_and_the_whole_reply(task, monkeypatch):
    path = task(more="filter_list: [{name: short, filter: [{function: take_first}]}]\n")
    _, _, server = named(lambda _: "an apple", path, monkeypatch, prefers(["apple"]))
    shown = [body["messages"][-1]["content"] for body in server.bodies]
    assert len(shown) == 2 * len(FRUITS)
    assert all("Name a fruit like " in text and "an apple" in text for text in shown)


def test_the_thoughts_of_a_model_that_thinks_are_not_shown(task, monkeypatch):
    thinks = "<think>A rock would do.</think>\n\nan apple"
    results, _, server = named(lambda _: thinks, task(), monkeypatch, prefers(["apple"]))
    assert results["judge_win_rate,judged"] == 1
    assert "would do" not in str(server.bodies)


def opening(reply, removes):
    """A model whose template begins the thought of each reply, and a backend that may remove it."""
    model = scripted(reply)

    class Opening(type(model)):
        think_end_token = removes

        def apply_chat_template(self, chat_history, add_generation_prompt=True):
            return super().apply_chat_template(chat_history, add_generation_prompt) + "<think>\n"

    model.__class__ = Opening
    return model


@pytest.mark.parametrize(
    ("reply", "removes", "win_rate"),
    [
        ("An apple? Or", None, 0),
        ("A rock? No.</think>an apple", None, 1),
        ("an apple", "</think>", 1),
    ],
)
def test_a_thought_that_the_prompt_began_is_no_answer_before_it_ends(
    task, monkeypatch, reply, removes, win_rate
):
    model = opening(lambda _: reply, removes)
    results, _, server = named(model, task(), monkeypatch, prefers(["apple"]), chat=True)
    assert results["judge_win_rate,judged"] == win_rate
    assert ("apple" in str(server.bodies)) == (win_rate == 1)


def test_an_empty_reply_loses_and_is_not_shown(task, monkeypatch):
    results, _, server = named(lambda _: " ", task(), monkeypatch, prefers(["apple"]))
    assert results["judge_win_rate,judged"] == 0
    assert not server.bodies


def test_another_model_s_logged_answers_stand_in_for_the_references(task, monkeypatch, tmp_path):
    from lm_eval.utils import handle_non_serializable

    path = task()
    _, found, _ = named(lambda _: "a rock", path, monkeypatch, prefers(["pear"]))
    log = tmp_path / "samples_fruits.jsonl"
    rows = found["samples"]["ste_judged"]
    log.write_text("".join(json.dumps(r, default=handle_non_serializable) + "\n" for r in rows))
    results, _, _ = named(lambda _: "a pear", path, monkeypatch, prefers(["pear"]), AGAINST=log)
    assert results["judge_win_rate,judged"] == 1
    log.write_text(json.dumps(rows[0], default=handle_non_serializable) + "\n")
    with pytest.raises(DataError, match="no answer to .*same --limit"):
        named(lambda _: "a pear", path, monkeypatch, prefers(["pear"]), AGAINST=log)
    log.write_text(json.dumps({"doc_hash": "x"}) + "\n")
    with pytest.raises(DataError, match=r"jsonl:1: found doc_hash; expected doc_hash and resps"):
        named(lambda _: "a pear", path, monkeypatch, prefers(["pear"]), AGAINST=log)


@pytest.mark.parametrize(
    ("removes", "rates"),
    [
        (None, [1, 1, 0.5, 0.5]),  # two of the log's thoughts end, and two were cut off
        ("</think>", [1, 1, 1, 1]),  # a backend left no mark, so that all that it logged is said
    ],
)
def test_a_baseline_s_thoughts_are_told_from_answers_as_the_measured_model_s_are(
    task, monkeypatch, tmp_path, removes, rates
):
    from lm_eval.loggers import EvaluationTracker

    def says(prompt):
        if "apple" in prompt or "pear" in prompt:
            return "a rock" if removes else "Hm.</think>a rock"
        return "Okay, a rock"

    path, log = task(), tmp_path / "log"
    _, found, _ = named(opening(says, removes), path, monkeypatch, prefers(["fig"]), chat=True)
    tracker = EvaluationTracker(output_path=str(log))
    tracker.general_config_tracker.model_name_sanitized, tracker.date_id = "m", "now"
    tracker.save_results_samples("fruits", found["samples"]["ste_judged"])
    (samples,) = log.rglob("samples_fruits_*.jsonl")

    def answers(prompt):
        return "</think>a fig" if "apple" in prompt or "pear" in prompt or removes else "A fig?"

    _, found, _ = named(
        opening(answers, None), path, monkeypatch, prefers(["fig"]), chat=True, AGAINST=samples
    )
    judged = [s for s in found["samples"]["ste_judged"] if s["filter"] == "judged"]
    assert [s["judge_win_rate"] for s in judged] == rates


def test_one_line_makes_a_task_of_your_own_a_judged_one(task, monkeypatch, tmp_path):
    task(more="class: !function utils.JudgedTask\n")
    (tmp_path / "utils.py").write_text(
        "from ste_plugin.integrations.lm_eval_metric import JudgedTask as JudgedTask\n"
    )
    with (
        chat_server(prefers(["apple"]), models=("judge",)) as server,
        environment(monkeypatch, BY="judge", URL=server.base_url, FORMAT="verdict"),
    ):
        results, _ = evaluated(lambda _: "an apple", tmp_path, "fruits")
    assert results["judge_win_rate,judged"] == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"BY": ""}, "STE_JUDGED_BY is not set; expected the judge"),
        ({"TASK": "gsm8"}, "STE_JUDGED_TASK: found 'gsm8'. Did you mean 'gsm8k'"),
        ({"TASK": "mmlu"}, "mmlu is a group of tasks"),
        ({"TASK": "/no/such.yaml"}, "no `task: NAME` in it"),
        ({"AGAINST": "refrence"}, "found 'refrence', and no such file"),
        ({"FORCE": "yes"}, "STE_JUDGED_FORCE: found 'yes'; expected 1 or 0"),
        ({"AGIANST": "reference"}, "STE_JUDGED_AGIANST: no such setting. Did you mean"),
    ],
)
def test_a_setting_that_is_none_is_named(task, monkeypatch, values, message):
    with pytest.raises(ConfigError, match=message):
        named(lambda _: "an apple", task(), monkeypatch, prefers(["apple"]), **values)


def test_a_task_that_writes_no_answers_is_refused(task, monkeypatch):
    path = task(kind="loglikelihood")
    with pytest.raises(ConfigError, match="output_type is loglikelihood; expected generate_until"):
        named(lambda _: "an apple", path, monkeypatch, prefers(["apple"]))


def test_a_document_without_a_reference_is_named(task, monkeypatch):
    path = task(others=("a rock", "", "a rock", "a rock"))
    with pytest.raises(DataError, match="reference of .*pear.* is ''; expected text"):
        named(lambda _: "an apple", path, monkeypatch, prefers(["apple"]))


def test_a_judge_that_mostly_says_nothing_is_warned_of(task, monkeypatch, caplog):
    named(lambda _: "an apple", task(), monkeypatch, lambda *_: "Both are nice.")
    assert "no verdict on 4 of 4 answers" in caplog.text


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"FORMAT": "verdct"}, ConfigError, "Did you mean 'verdict'"),
        ({"URL": "", "BY": "/no/such/run"}, EngineError, "/no/such/run.*no such folder"),
        ({"API_KEY_ENV": "NO_SUCH_KEY"}, ConfigError, "NO_SUCH_KEY is not set"),
    ],
)
def test_a_judge_that_is_not_there_is_told_before_anything_is_generated(
    task, monkeypatch, values, error, message
):
    with pytest.raises(error, match=message):
        named(writes_nothing, task(), monkeypatch, prefers(["apple"]), **values)


def writes_nothing(_):
    raise AssertionError("The model was asked.")


def test_an_answer_to_compare_with_that_is_missing_is_told_before_anything_is_generated(
    task, monkeypatch
):
    with pytest.raises(DataError, match="reference of .*pear.* is ''"):
        named(writes_nothing, task(others=("a", "", "b", "c")), monkeypatch, prefers(["apple"]))


def test_a_judge_that_dies_ends_it_and_tells_how_answers_are_kept(task, monkeypatch):
    with pytest.raises(EngineError, match=r"(?s)ste_judged: .*--use_cache PATH"):
        named(
            lambda _: "an apple",
            task(),
            monkeypatch,
            lambda *_: "[[A]]",
            fault=lambda _: Refuse(401),
        )


THOUGHT = Said("", beside={"reasoning_content": "[[A]]"})


def test_a_judge_of_which_no_verdict_can_be_read_has_no_win_rate(task, monkeypatch):
    path = task(fruits=[f"{fruit} {n}" for fruit in FRUITS for n in "12"], others=("a rock",) * 8)
    with pytest.raises(DataError, match=r"on any of 8 answers.*without a reasoning parser"):
        named(lambda _: "an apple", path, monkeypatch, lambda *_: THOUGHT)


def test_a_warning_of_silence_tells_what_is_wrong_with_a_reply(task, monkeypatch, caplog):
    named(lambda _: "an apple", task(), monkeypatch, lambda *_: THOUGHT)
    assert "reasoning parser that takes the answer for one" in caplog.text


def test_where_lm_eval_only_collects_answers_no_judge_is_asked(task, monkeypatch):
    with (
        chat_server(lambda *_: "[[A]]", models=("judge",)) as server,
        environment(monkeypatch, TASK=task(), BY="judge", URL=server.base_url, FORMAT="verdict"),
    ):
        include = shipped_folder("tasks")
        results, found = evaluated(lambda _: "an apple", include, predict_only=True)
    assert server.bodies == []
    assert "judge_win_rate,judged" not in results
    assert {s["resps"][0][0] for s in found["samples"]["ste_judged"]} == {"an apple"}


@pytest.mark.parametrize(
    "mention", ["Write <reasoning>why</reasoning> first.", "Split it: `text.split('</think>')`."]
)
def test_a_mark_that_one_logged_reply_mentions_makes_no_thoughts_of_the_others(tmp_path, mention):
    replies = ["The answer is 0.", "The answer is 1.", mention]
    rows = [
        {
            "doc_hash": str(number),
            "resps": [[reply]],
            "arguments": {"gen_args_0": {"arg_0": "A question.<think>\n"}},
        }
        for number, reply in enumerate(replies)
    ]
    log = tmp_path / "samples.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [logged_answers(log)[key] for key in "01"] == replies[:2]
