"""What lm-eval is asked about one set of pairs: which weights it loads."""

import pytest

from ste_plugin.config import EvaluationConfig
from ste_plugin.lm_eval_tasks.orders import at_revision


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


def test_without_a_revision_an_evaluation_is_what_it_was():
    assert at_revision(EvaluationConfig(), None) == EvaluationConfig()
