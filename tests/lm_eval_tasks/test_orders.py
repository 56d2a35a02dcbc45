"""What lm-eval is asked about one set of pairs: which weights it loads."""

import pytest

from ste_plugin.config import EvaluationConfig
from ste_plugin.lm_eval_tasks.orders import at_revision
from ste_plugin.lm_eval_tasks.runner import judge_token_counter
from tests.helpers.hub_cache import downloaded


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("hf", {"revision": "v1"}),
        ("vllm", {"revision": "v1", "tokenizer_revision": "v1"}),
        ("local-completions", {}),  # a server has its weights already
    ],
)
def test_the_revision_that_judges_is_the_one_that_is_measured(backend, expected):
    assert at_revision(EvaluationConfig(backend=backend), "v1").model_args == expected


def test_a_revision_that_is_named_for_lm_eval_alone_counts_there():
    named = EvaluationConfig(model_args={"revision": "v2"})
    assert at_revision(named, "v1") == named


def test_weights_and_tokenizer_are_of_one_revision_unless_both_are_named():
    named = EvaluationConfig(backend="vllm", model_args={"revision": "v2"})
    assert at_revision(named, "v1").model_args == {"revision": "v2", "tokenizer_revision": "v2"}
    both = named.model_copy(update={"model_args": {"revision": "v2", "tokenizer_revision": "v3"}})
    assert at_revision(both) == both


@pytest.mark.parametrize(
    ("backend", "more"),
    [("hf", {}), ("vllm", {"tokenizer_revision": "v2"}), ("local-completions", {})],
)
def test_tokens_are_counted_by_the_tokenizer_of_the_revision(
    tiny_model, tmp_path, monkeypatch, backend, more
):
    downloaded(tmp_path, monkeypatch, "org/judge", v2=tiny_model)
    own = {} if backend in ("hf", "vllm") else {"tokenizer": "org/judge"}
    main = EvaluationConfig(backend=backend, model_args=own)
    v2 = EvaluationConfig(backend=backend, model_args={**own, **more, "revision": "v2"})
    assert judge_token_counter("org/judge", main) is None
    count = judge_token_counter("org/judge", v2)
    assert count
    assert count("Name a fruit.") > 1


def test_without_a_revision_an_evaluation_is_what_it_was():
    assert at_revision(EvaluationConfig(), None) == EvaluationConfig()
