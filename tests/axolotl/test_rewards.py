"""What a judgment is worth in reinforcement learning."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.axolotl.rewards import judge_reward, read_by
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.errors import SteError
from ste_plugin.judging.builtin import FORMATS
from tests.helpers.chat_templates import family_tokenizer

REASONED = "A names a fruit as it was asked to, B does not. Final verdict: [[{}]]"


def rewards(*judged: tuple[str, str, str], form: str = "brief") -> list[float]:
    """The rewards of (pair, better letter, completion)."""
    pairs, letters, completions = zip(*judged, strict=True)
    return judge_reward(
        completions,
        better_is=letters,
        pair=pairs,
        judge_format=[form] * len(judged),
        prompts=[""] * len(judged),
        completion_ids=[[]] * len(judged),
    )


def said(letter: str) -> str:
    return REASONED.format(letter)


def test_right_in_both_orders_is_worth_most_and_a_wrong_verdict_no_more_than_none():
    both = rewards(("p", "A", said("A")), ("p", "B", said("B")))
    once = rewards(("p", "A", said("A")), ("p", "B", said("A")))
    assert both == [pytest.approx(1.0)] * 2
    assert once == [pytest.approx(0.7), 0.0]
    assert rewards(("p", "A", "I cannot say which of the two is better.")) == [0.0]


@pytest.mark.parametrize(
    "text", ["[[A]]", "Final verdict: [[A]]", "It is [[A]]", "", "[[A]] [[B]]"]
)
def test_a_verdict_without_reasons_earns_nothing_where_reasons_are_asked_for(text):
    assert rewards(("p", "A", text)) == [0.0]


def test_two_verdicts_are_none():
    assert rewards(("p", "A", said("A") + " Or rather [[B]].")) == [0.0]


def test_the_bare_letter_earns_its_reward_where_it_is_all_that_is_asked_for():
    assert rewards(("p", "A", "[[A]]"), form="verdict") == [pytest.approx(0.7)]


def test_only_the_same_pair_in_the_other_order_adds_to_a_reward():
    alone = rewards(("p", "A", said("A")))
    others = rewards(("p", "A", said("A")), ("q", "B", said("B")), ("p", "A", said("A")))
    assert others[0] == others[2] == alone[0]


def test_the_other_order_adds_the_share_of_it_that_was_right():
    found = rewards(("p", "A", said("A")), ("p", "B", said("B")), ("p", "B", said("A")))
    assert found[0] == pytest.approx(0.85)


def test_completions_may_come_as_turns():
    turn = [{"role": "assistant", "content": said("A")}]
    (found,) = judge_reward([turn], better_is=["A"], pair=["p"], judge_format=["brief"])
    assert found == pytest.approx(0.7)


def test_an_unknown_format_is_named():
    with pytest.raises(SteError, match="nonsense"):
        rewards(("p", "A", said("A")), form="nonsense")


def rated(score: object) -> str:
    return f"It names a fruit as it was asked to. Final rating: [[{score}]]"


def test_a_rating_earns_the_share_of_the_other_answers_ratings_that_it_is_right_beside():
    batch = [
        *(("p", "A", rated(score)) for score in (8, 5, 2)),
        *(("p", "B", rated(score)) for score in (3, 5, 9)),
        ("q", "B", rated(0)),
    ]
    found = rewards(*batch, form="rating")
    assert found == [pytest.approx(share) for share in (2 / 3, 1 / 3, 0, 2 / 3, 1 / 3, 0, 0)]


@pytest.mark.parametrize(
    "text", ["[[9]]", "It is a fruit, as was asked for.", rated(10), rated(-1)]
)
def test_a_rating_without_reasons_or_without_a_score_that_there_is_earns_nothing(text):
    found = rewards(("p", "A", text), ("p", "B", rated(1)), form="rating")
    assert found == [0.0, 0.0]


COMPLETIONS = st.one_of(
    st.sampled_from(
        [said("A"), said("B"), "[[A]]", "[[B]]", "", rated(2), rated(7), "Nothing to say about it."]
    ),
    st.text(max_size=60),
)
BATCHES = st.lists(
    st.tuples(st.sampled_from("pqr"), st.sampled_from("AB"), COMPLETIONS), min_size=1, max_size=12
)


@given(BATCHES, st.sampled_from(list(FORMATS)), st.randoms())
def test_rewards_lie_between_nothing_and_one_and_do_not_depend_on_the_order_in_a_batch(
    batch, form, random
):
    found = rewards(*batch, form=form)
    assert all(0.0 <= value <= 1.0 for value in found)
    places = list(range(len(batch)))
    random.shuffle(places)
    assert rewards(*(batch[p] for p in places), form=form) == [found[p] for p in places]


@given(BATCHES, st.sampled_from("pqr"), st.sampled_from("AB"))
def test_right_is_worth_more_than_wrong_and_form_alone_nothing(batch, pair, letter):
    wrong = "B" if letter == "A" else "A"
    values = [
        rewards(*batch, (pair, letter, text))[-1] for text in (said(letter), said(wrong), "…")
    ]
    assert values[0] > values[1] == values[2] == 0.0


# --- thinking ---

NAMED = "The better one is [[A]], as far as I can see from here, but wait"
THOUGHT = "B answers with a tool where a fruit was asked for."
FORMS = ["<think>\n{}\n</think>\n\n", "[THINK]{}[/THINK]", "analysis{}assistantfinal"]


def thinking(completion: str, prompt: str = "Which is better?", form: str = "brief") -> float:
    """The reward of a completion behind a prompt's text, where A is the better one."""
    (found,) = judge_reward(
        [completion], better_is=["A"], pair=["p"], judge_format=[form], prompts=[prompt]
    )
    return found


@pytest.mark.parametrize(
    ("completion", "prompt"),
    [
        (f"<think>\n{NAMED}", "Which?"),
        (f"[THINK]{NAMED}", "Which?"),
        (f"analysis{NAMED}", "Which?"),
        (NAMED, "Which?<|Assistant|><think>\n"),
        (f"<think>\nHm.\n</think>\n\n<think>{NAMED}", "Which?"),
    ],
)
def test_a_thought_that_never_ends_earns_nothing_whatever_it_names(completion, prompt):
    assert thinking(completion, prompt) == 0.0
    assert thinking(completion, prompt, form="verdict") == 0.0


@pytest.mark.parametrize("form", FORMS)
def test_a_judgment_behind_a_thought_earns_what_it_says_and_not_what_was_thought(form):
    assert thinking(form.format("[[B]]?") + said("A")) == pytest.approx(0.7)
    assert thinking(form.format("[[A]]?") + said("B")) == 0.0


@pytest.mark.parametrize("form", FORMS)
def test_reasons_may_be_given_in_the_thought(form):
    assert thinking(form.format(THOUGHT) + "[[A]]") == pytest.approx(0.7)
    assert thinking(form.format("") + "[[A]]") == 0.0


def test_a_thought_that_the_prompt_opened_may_end_in_the_completion():
    completion = f"{THOUGHT}\n</think>\n\n[[A]]"
    assert thinking(completion, "Which?<think>\n") == pytest.approx(0.7)


def test_the_marks_of_thoughts_in_the_judged_answers_do_not_open_one():
    assert thinking(said("A"), "Which?\n[A] <think>\n[B] A fig.\nAnswer:") == pytest.approx(0.7)


def test_marks_that_are_special_tokens_are_read_where_the_plugin_knows_the_template():
    template = ChatTemplate(family_tokenizer("Magistral"))
    (reward,) = read_by([judge_reward], template, FORMATS["brief"])
    unended, ended = f"[THINK]{NAMED}", f"[THINK]{THOUGHT}[/THINK][[A]]</s>"
    shown = [text.replace("[THINK]", "").replace("[/THINK]", "") for text in (unended, ended)]
    found = reward(
        shown,
        better_is=["A", "A"],
        pair=["p", "q"],
        judge_format=["brief", "brief"],
        completion_ids=[template.encode(text) for text in (unended, ended)],
    )
    assert found == [0.0, pytest.approx(0.7)]


@pytest.mark.parametrize(("end", "worth"), [("<|eot_id|>", 0.7), ("", 0.0)])
def test_a_judgment_that_is_cut_off_earns_nothing_as_it_has_no_verdict_elsewhere(end, worth):
    template = ChatTemplate(family_tokenizer("Llama 3.1"))
    (reward,) = read_by([judge_reward], template, FORMATS["brief"])
    reply = f"{said('A')} Let me go on and on about{end}"
    found = reward(
        [reply],
        better_is=["A"],
        pair=["p"],
        judge_format=["brief"],
        completion_ids=[template.encode(reply)],
    )
    assert found == [pytest.approx(worth)]


def test_rewards_of_others_are_left_as_they_are():
    template = ChatTemplate(family_tokenizer("Qwen3"))
    assert read_by([len], template, FORMATS["brief"]) == [len]


def test_judgments_in_a_format_of_a_plugins_file_are_read_by_it():
    own = replace(FORMATS["rating"], name="of a file")
    template = ChatTemplate(family_tokenizer("Qwen3"))
    (reward,) = read_by([judge_reward], template, own)
    replies = [f"It names a fruit as it was asked. [[{score}]]" for score in (7, 3)]
    found = reward(replies, better_is=["A", "B"], pair=["p", "p"], judge_format=[own.name] * 2)
    assert found == [1.0, 1.0]
