"""What a judge is asked for a probe, and which side it is on."""

import pytest

from ste_plugin.audit.probes.asking import JudgeAsker
from ste_plugin.audit.probes.builtin import AGREEMENT, PUSHBACK
from ste_plugin.audit.probes.probe import Arm
from ste_plugin.config import JudgingConfig
from ste_plugin.engines.base import Completion
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.testing import FakeEngine, made_pairs

PAIR = made_pairs()[0]


def asked(reply, arms, form="brief", **judging):
    """The sides taken on the arms, and the requests for them."""
    engine = FakeEngine(reply)
    asker = JudgeAsker(FORMATS[form], "m", JudgingConfig(format=form, **judging))
    sides = asker.sides(arms, lambda requests, _, __: list(engine.complete(requests)))
    return sides, engine.requests


def always(text):
    return lambda _: text


def test_both_orders_are_asked_greedily_and_read_as_sides():
    sides, requests = asked(always("[[A]]"), [Arm(PAIR)])
    assert sides == [(0.0, 1.0)]  # the better one first, then the worse one
    assert [r.sampling.temperature for r in requests] == [0.0, 0.0]
    first, second = (r.messages[0].content for r in requests)
    assert first.index(PAIR.better) < first.index(PAIR.worse)
    assert second.index(PAIR.worse) < second.index(PAIR.better)


def test_doubt_follows_the_judge_s_own_words():
    arms = [Arm(PAIR, follow_up=words) for words in (PUSHBACK, AGREEMENT)]
    sides, requests = asked(always("It is. [[B]]"), arms)
    assert sides == [(1.0, 0.0)] * 2
    turns = [(m.role, m.content) for m in requests[4].messages[1:]]
    assert turns == [("assistant", "It is. [[B]]"), ("user", PUSHBACK)]
    assert requests[6].messages[2].content == AGREEMENT


def test_a_forced_verdict_is_what_the_judge_is_said_to_have_said():
    arms = [Arm(PAIR, follow_up=PUSHBACK)]

    def reply(request):
        return "B" if request.choices else "Who knows?"

    sides, requests = asked(reply, arms, force_verdict=True)
    assert sides == [(1.0, 0.0)]
    forced = [r for r in requests if r.choices]
    assert len(requests) == 8 and len(forced) == 4
    assert forced[2].messages[1].content == "Who knows?\n\nFinal verdict: [[B]]"


def test_a_format_without_words_is_asked_for_the_letter_alone():
    _, requests = asked(always("A"), [Arm(PAIR)], form="verdict", force_verdict=True)
    assert [(r.prefix, r.choices) for r in requests] == [("[[", ("A", "B"))] * 2


def test_a_reply_without_a_verdict_is_for_neither_and_cannot_be_doubted():
    sides, _ = asked(always("Who knows?"), [Arm(PAIR), Arm(PAIR, follow_up=PUSHBACK)])
    assert sides == [(0.5, 0.5), None]


@pytest.mark.parametrize("reason", ["budget", "blocked", "too_long", "broken"])
def test_a_reply_that_says_nothing_of_the_judge_takes_no_side(reason):
    asker = JudgeAsker(FORMATS["brief"], "m", JudgingConfig(format="brief"))

    def complete(requests, _, __):
        return [Completion(r.key, "", reason, 1, 0) for r in requests]

    assert asker.sides([Arm(PAIR)], complete) == [None]


@pytest.mark.parametrize(("force", "sides"), [(False, (0.5, 0.5)), (True, (1.0, 0.0))])
def test_a_verdict_behind_which_the_token_limit_cut_counts_only_where_one_is_forced(force, sides):
    config = JudgingConfig(format="brief", force_verdict=force)
    asker = JudgeAsker(FORMATS["brief"], "m", config)

    def complete(requests, _, __):
        return [
            Completion(r.key, "B", "stop", 1, 1)
            if r.choices
            else Completion(r.key, "[[A]] Or", "length", 1, 9)
            for r in requests
        ]

    assert asker.sides([Arm(PAIR)], complete) == [sides]


@pytest.mark.parametrize(
    ("better", "worse", "sides"),
    [(8, 3, (0.0, 0.0)), (0, 3, (1.0, 1.0)), (4, 4, (0.5, 0.5)), (8, "?", (0.5, 0.5))],
)
def test_two_ratings_of_a_pair_take_a_side_together(better, worse, sides):
    def reply(request):
        return f"So. [[{better if PAIR.better in request.messages[0].content else worse}]]"

    taken, requests = asked(reply, [Arm(PAIR)], form="rating")
    assert taken == [sides]
    assert len(requests) == 2


def test_a_forced_score_counts_where_none_is_stated():
    def reply(request):
        shows_better = PAIR.better in request.messages[0].content
        return "Who knows?" if not request.choices else "70"[shows_better]

    sides, requests = asked(reply, [Arm(PAIR)], form="rating", force_verdict=True)
    assert sides == [(1.0, 1.0)]
    assert [r.choices for r in requests[2:]] == [tuple("0123456789")] * 2


def test_a_reworded_rubric_asks_under_a_key_of_its_own():
    _, requests = asked(always("[[A]]"), [Arm(PAIR), Arm(PAIR, reword="politely")])
    assert len({r.prompt_key for r in requests}) == 4
    assert requests[2].messages[0].content.startswith("Please read all of this with care.")
