"""One answer against another, as hosts ask that score each sample on its own."""

import asyncio
from threading import Event

import pytest

from ste_plugin.errors import DataError
from ste_plugin.integrations.single import score_against
from ste_plugin.judge import Comparison
from tests.helpers.asked_judges import fake_judge
from tests.helpers.comparers import TOO_LONG, Always, ShorterWins

ASK = "Name a fruit."


def outcome(completion, reference, judge=None, **settings):
    judge = judge or ShorterWins()
    return asyncio.run(score_against(judge, ASK, completion, reference, **settings))


@pytest.mark.parametrize(
    ("completion", "score"), [("Fig.", 1.0), ("An apple.", 0.0), ("Plum.", 0.5), (" ", 0.0)]
)
def test_an_answer_wins_loses_or_neither(completion, score):
    assert outcome(completion, "Pear.").score == score


def test_what_cannot_be_compared_has_no_score_but_a_reason():
    found = outcome("Fig.", "Pear.", Always(TOO_LONG))
    assert (found.score, found.why) == (None, TOO_LONG.problem)


def test_an_abstention_says_why():
    found = outcome("Fig.", "Pear.", Always(Comparison(None, 0.6, "orders differ")))
    assert (found.score, found.why) == (0.5, "The judge abstains: orders differ.")
    said = Always(Comparison(None, 0.6, "orders differ"))
    assert outcome("Fig.", "Pear.", said, by="probability").score == 0.6


def test_an_empty_reference_is_an_error():
    with pytest.raises(DataError, match="reference: empty"):
        outcome("Fig.", "<think>It never ends")


@pytest.mark.parametrize(("completion", "score"), [("Fig.", 1.0), ("", 0.5)])
def test_an_empty_reference_that_a_model_wrote_loses(completion, score):
    assert outcome(completion, " ", may_be_empty=True).score == score


def test_many_at_once_reach_a_real_judge_and_each_gets_its_own(monkeypatch):
    all_begun = Event()

    def says(request):
        assert all_begun.wait(60)  # a judge as quick as this one would be done with each at once
        prompt = request.messages[-1].content
        return f"[[{'A' if prompt.index('Fig') < prompt.index('Pear') else 'B'}]]"

    judge, engine = fake_judge(monkeypatch, says, judge_format="verdict")

    async def all_of_them():
        pairs = [("Fig.", "Pear."), ("Pear.", "Fig.")] * 20
        asked = [asyncio.ensure_future(score_against(judge, ASK, a, b)) for a, b in pairs]
        await asyncio.sleep(0)
        all_begun.set()
        return await asyncio.gather(*asked)

    assert [each.score for each in asyncio.run(all_of_them())] == [1.0, 0.0] * 20
    assert engine.count < 20  # of 80, where each pair is asked about on its own
