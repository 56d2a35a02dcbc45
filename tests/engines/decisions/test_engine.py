"""Judges behind the decisions endpoint: what is asked, what is told, and what is refused."""

import logging
import math
from collections.abc import Iterator

import pytest

from ste_plugin import Judge
from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Message, Sampling
from ste_plugin.engines.choice_likelihoods import TellsLikelihoods
from ste_plugin.engines.decisions.engine import DecisionEngine, create
from ste_plugin.errors import ConfigError, EngineError
from ste_plugin.judging.builtin import DECISION, VERDICT
from ste_plugin.judging.calibration import calibrate, write_calibration
from tests.helpers.builders import HERE
from tests.helpers.chat_templates import family_tokenizer
from tests.helpers.decision_server import decision_server
from tests.helpers.tiny_model import save_tiny_model, save_tiny_qwen3

EARLIER = ("/v1/systemone",)


def engine(base_url: str | None, model: str = "tiny", **options) -> DecisionEngine:
    settings = {"base_url": base_url, "backoff_s": 0.001, "max_attempts": 3} | options
    return create(ModelConfig(model=model, engine="decisions", options=settings), HERE)


def asked(
    answer: str = "An apple.", samples: int = 1, temperature: float = 0.0, **more
) -> list[ChatRequest]:
    turns = DECISION.render("Name a fruit.", answer, "A spade.")
    how = Sampling(temperature, 1.0, 1)
    about = {"choices": ("A", "B"), "format_version": DECISION.version} | more
    return [ChatRequest("tiny@main", turns, how, i, **about) for i in range(samples)]


def by_apple(text: str) -> tuple[float, float]:
    """Prefer the answer that is an apple, and the first one a little."""
    return (0.9 if "[Answer A]\nAn apple" in text else 0.2), 1.0


def judge(base_url: str, **more) -> Judge:
    return Judge(
        "tiny", format="decision", engine="decisions", options={"base_url": base_url}, **more
    )


@pytest.fixture(params=[("/v1/decisions",), EARLIER, ("/v1/decisions", *EARLIER)])
def places(request) -> Iterator[tuple[str, ...]]:
    yield request.param


def test_a_served_judge_whose_folder_is_at_hand_is_believed_as_far_as_it_was_calibrated(
    tmp_path,
):
    save_tiny_qwen3(tmp_path)
    margins = [3.0 * (-1 if n % 4 == 0 else 1) for n in range(80)]  # sure, right in three of four
    write_calibration(tmp_path, calibrate(margins, DECISION.version))
    with decision_server(model=str(tmp_path)) as named, decision_server() as other:
        for there in (
            {"base_url": named.base_url},
            {"options": {"endpoints": [{"base_url": other.base_url, "model": "tiny"}]}},
        ):
            with Judge(tmp_path, engine="decisions", **there) as calibrated:
                (first, _) = calibrated.compare("Name a fruit.", "An apple.", "A spade.").orders
            odds = math.log(first.probability / (1 - first.probability))
            assert odds == pytest.approx(math.log(0.75 / 0.25) * math.log(3) / 3, rel=0.001)


def test_a_pair_is_settled_by_two_requests_in_either_form_of_the_endpoint(places):
    with decision_server(prefers=by_apple, places=places) as server, judge(server.base_url) as it:
        found = it.compare("Name a fruit.", "An apple.", "A spade.")
    assert (found.verdict, found.probability_from) == ("A", "likelihoods")
    assert found.probability == pytest.approx((0.9 + 0.8) / 2)
    assert [path for path, _ in server.bodies] == [places[0]] * 2


def test_a_judge_whose_orders_differ_abstains():
    with decision_server(prefers=lambda _: (0.8, 1.0)) as server, judge(server.base_url) as it:
        found = it.compare("Name a fruit.", "An apple.", "A spade.")
    assert (found.verdict, found.abstained) == (None, "orders differ")
    assert found.probability == pytest.approx(0.5)


def test_a_judge_that_finds_both_letters_as_likely_gives_no_verdict():
    with decision_server(prefers=lambda _: (0.5, 1.0)) as server, judge(server.base_url) as it:
        found = it.compare("Name a fruit.", "An apple.", "A spade.")
    assert (found.abstained, found.probability) == ("no verdict", 0.5)


def test_all_samples_of_a_prompt_are_drawn_from_one_answer():
    with decision_server(prefers=lambda _: (0.7, 1.0)) as server:
        requests = asked(samples=400, temperature=0.7)
        found = {c.key: c for c in engine(server.base_url).complete(requests)}
        again = {c.key: c for c in engine(server.base_url).complete(requests[::-1])}
    assert found.keys() == {r.key for r in requests}
    assert {k: c.text for k, c in again.items()} == {k: c.text for k, c in found.items()}
    assert 240 < sum(c.text == "A" for c in found.values()) < 320
    assert len(server.bodies) < 10
    assert 1 <= sum(c.completion_tokens > 0 for c in found.values()) <= len(server.bodies)


def test_further_samples_of_a_prompt_take_no_further_request():
    with decision_server() as server:
        asking, requests = engine(server.base_url), asked(samples=6, temperature=0.7)
        first = list(asking.complete(requests[:2]))
        later = list(asking.complete(requests[2:]))
    assert len(first + later) == 6
    assert len(server.bodies) == 1
    assert {c.prompt_tokens for c in later} == {0}


def test_likelihoods_of_what_was_completed_take_no_further_request():
    with decision_server(prefers=by_apple) as server:
        asking = engine(server.base_url)
        assert isinstance(asking, TellsLikelihoods)
        (told,) = asking.choice_log_likelihoods(asked())
        list(asking.complete(asked()))
        list(asking.choice_log_likelihoods(asked(samples=3)))
    assert [math.exp(each) for each in told[1]] == pytest.approx([0.9, 0.1])
    assert len(server.bodies) == 1


def test_once_closed_nothing_is_remembered_of_a_server_that_may_serve_another_model():
    pair = ("Name a fruit.", "An apple.", "A spade.")
    with decision_server(prefers=by_apple) as server, judge(server.base_url) as asked_twice:
        first = asked_twice.compare(*pair)
        asked_twice.close()
        server.prefers = lambda text: (1 - by_apple(text)[0], 1.0)
        assert (first.verdict, asked_twice.compare(*pair).verdict) == ("A", "B")


def test_a_base_url_without_v1_is_told_to_have_it():
    with decision_server() as server:
        text = refusal(engine(server.base_url.removesuffix("/v1")), asked())
    assert f"it does not end in /v1: write {server.base_url}" in text


def test_a_prompt_that_does_not_fit_is_answered_with_nothing_and_has_no_likelihoods():
    with decision_server(context=300) as server:
        asking = engine(server.base_url)
        long = asked("An apple. " * 400)
        found = {c.key: c for c in asking.complete([*long, *asked()])}
        told = dict(asking.choice_log_likelihoods([*long, *asked()]))
    assert found[long[0].key].finish_reason == "too_long"
    assert told.keys() == {asked()[0].key}


def test_a_server_that_fails_at_first_is_asked_again():
    with decision_server(fails_first=(500, 429, 503)) as server:
        (found,) = engine(server.base_url, max_attempts=6).complete(asked())
    assert found.text == "A"


def test_a_key_is_sent_and_two_servers_share_the_questions(monkeypatch):
    monkeypatch.setenv("DECISION_KEY", "sk-decision-123")
    with decision_server() as one, decision_server(places=EARLIER) as two:
        endpoints = [{"base_url": one.base_url}, {"base_url": two.base_url}]
        model = engine(None, endpoints=endpoints, api_key_env="DECISION_KEY", concurrency=2)
        requests = [r for i in range(40) for r in asked(f"Apple {i}.")]
        assert len(list(model.complete(requests))) == 40
    assert set(one.authorizations) == {"Bearer sk-decision-123"}
    assert min(len(one.bodies), len(two.bodies)) > 5


def refusal(model: DecisionEngine, requests: list[ChatRequest]) -> str:
    with pytest.raises((EngineError, ConfigError)) as caught:
        list(model.complete(requests))
    return str(caught.value)


def test_a_request_for_text_is_refused_with_the_format_and_the_engines_to_use():
    with decision_server() as server:
        text = refusal(engine(server.base_url), asked(choices=()))
    assert "writes no text" in text
    assert "judging.format: decision" in text
    assert server.bodies == []


@pytest.mark.parametrize(
    "change",
    [
        {"prefix": "[["},
        {"choices": ("A", "B", "C")},
        {"choices": ("B", "A")},
    ],
)
def test_a_letter_that_is_asked_for_elsewhere_is_refused(change):
    text = refusal(engine("http://127.0.0.1:9/v1"), asked(**change))
    assert "would be read where this judge was not trained" in text


def test_a_judge_of_another_format_is_refused():
    turns = VERDICT.render("Name a fruit.", "An apple.", "A spade.")
    asking = [ChatRequest("m", turns, Sampling(0.0, 1.0, 1), 0, choices=("A", "B"))]
    assert "asks one question of its own form" in refusal(engine("http://127.0.0.1:9/v1"), asking)
    later = (*asked()[0].messages, Message("assistant", "A"), Message("user", "Sure?"))
    asking = [ChatRequest("m", later, Sampling(0.0, 1.0, 1), 0, choices=("A", "B"))]
    assert "asks one question of its own form" in refusal(engine("http://127.0.0.1:9/v1"), asking)


def test_a_server_without_the_endpoint_is_told_apart_from_one_without_the_model():
    with decision_server(places=()) as server:
        text = refusal(engine(server.base_url), asked())
    assert "neither /decisions nor its earlier form /systemone" in text
    assert "0.33" in text
    with decision_server(model="other") as server:
        text = refusal(engine(server.base_url), asked())
    assert "does not exist" in text
    assert "lists: other" in text


def test_a_llama_is_told_that_stock_servers_refuse_it_and_what_to_do(tmp_path):
    folder = str(save_tiny_model(tmp_path / "llama"))
    with decision_server(supported=False) as server:
        endpoints = [{"base_url": server.base_url, "model": "tiny"}]
        text = refusal(engine(None, folder, endpoints=endpoints), asked())
    assert "LlamaForCausalLM" in text
    assert "Train a Qwen3 seed" in text
    assert "options.prefill: vllm" in text


def test_a_model_that_is_not_here_gets_every_known_reason():
    with decision_server(supported=False) as server:
        text = refusal(engine(server.base_url), asked())
    assert "not for Llama" in text
    assert "--logprobs-mode" in text


def test_a_supported_architecture_points_at_the_servers_own_settings(tmp_path):
    folder = str(save_tiny_qwen3(tmp_path / "qwen3"))
    with decision_server(supported=False) as server:
        endpoints = [{"base_url": server.base_url, "model": "tiny"}]
        text = refusal(engine(None, folder, endpoints=endpoints), asked())
    assert "look at the server's --logprobs-mode" in text


def test_a_template_that_cannot_switch_thinking_off_is_refused_before_anything_is_sent(tmp_path):
    family_tokenizer("R1 distils").save_pretrained(tmp_path)
    text = refusal(engine("http://127.0.0.1:9/v1", str(tmp_path)), asked())
    assert "opens a thought that enable_thinking: false does not switch off" in text


def test_template_settings_that_the_endpoint_does_not_take_are_refused():
    told = {"enable_thinking": True}
    settings = {"base_url": "http://127.0.0.1:9/v1"}
    config = ModelConfig(
        model="tiny", engine="decisions", options=settings, chat_template_kwargs=told
    )
    assert "whose endpoint takes none" in refusal(create(config, HERE), asked())


def test_prompts_at_which_the_letters_are_unlikely_are_counted_and_warned_of(caplog):
    with decision_server(prefers=lambda _: (0.9, 0.2)) as server:
        model = engine(server.base_url)
        with caplog.at_level(logging.WARNING):
            list(model.complete([r for i in range(5) for r in asked(f"Apple {i}.")]))
            list(model.complete(asked("Pear.")))
    (line,) = [r.getMessage() for r in caplog.records]
    assert "less than 0.5 of its probability at 5 of 5 prompts" in line
    assert (model.low_mass, model.answered) == (6, 6)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"answers": []},
        {"answers": [{"probabilities": [{"value": "Answer A", "probability": 1}]}]},
        {"answers": [{"probabilities": [], "confidence": 0}]},
        {"answers": "A"},
    ],
)
def test_an_answer_that_is_no_decision_is_named_as_such(spoilt):
    with decision_server(spoils=lambda body: body | spoilt) as server:
        text = refusal(engine(server.base_url), asked())
    assert "the reply is no decision" in text


@pytest.mark.parametrize("p", [float("nan"), 0.2, -0.5])
def test_probabilities_that_are_none_are_not_believed(p):
    def spoil(body):
        body["answers"][0]["probabilities"][0]["probability"] = p
        return body

    with decision_server(spoils=spoil) as server:
        text = refusal(engine(server.base_url), asked())
    assert "expected some from 0 to 1 that add up to 1" in text
