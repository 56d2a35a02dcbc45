"""The figures of a pair judge, against cases worked out by hand and against judges known in full."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.judging.builtin import VERDICT
from ste_plugin.lm_eval_tasks.metrics import METRICS, JudgedPair, ratio, ratio_se, summarise, term
from ste_plugin.lm_eval_tasks.pairs_file import LabelledPair
from ste_plugin.lm_eval_tasks.replies import likelier, read_replies

HALVES = {"acc": 0.5, "acc_strict": 0.0, "acc_pc": 0.0, "consistency": 0.0}


def judged(a, b, forced=(None, None), *, id="p0", subset="s", prompt="q", chars=(10, 5)):
    """A pair with the verdict in the order better-as-A and in the order better-as-B."""
    return JudgedPair(id, subset, prompt, a, b, *forced, *chars)


def overall(*pairs):
    return summarise(pairs)["overall"]


def only(found, *names):
    return {name: found[name] for name in names}


verdicts = st.sampled_from(["A", "B", None])
judged_pairs = st.builds(
    JudgedPair, id=st.text(max_size=3), subset=st.sampled_from("xyz"), prompt=st.sampled_from("qrst"),
    verdict_a=verdicts, verdict_b=verdicts, forced_a=verdicts, forced_b=verdicts,
    chosen_chars=st.integers(1, 9), rejected_chars=st.integers(1, 9),
)  # fmt: skip
many = st.lists(judged_pairs, min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("a", "b", "acc", "strict", "both", "consistent", "bias", "invalid"),
    [
        ("A", "B", 1.0, 1.0, 1, 1, 0.0, 0.0),  # right twice
        ("B", "A", 0.0, 0.0, 0, 1, 0.0, 0.0),  # wrong twice, yet the same response each time
        ("A", "A", 0.5, 0.5, 0, 0, 0.5, 0.0),  # the first answer each time
        ("B", "B", 0.5, 0.5, 0, 0, -0.5, 0.0),  # the second answer each time
        ("A", None, 0.75, 0.5, 0, 0, 0.5, 0.5),
        (None, "A", 0.25, 0.0, 0, 0, 0.5, 0.5),
        (None, None, 0.5, 0.0, 0, 0, None, 1.0),
    ],
)
def test_one_pair_gives_the_figures_worked_out_by_hand(
    a, b, acc, strict, both, consistent, bias, invalid
):
    found = overall(judged(a, b))
    assert only(found, "acc", "acc_strict", "acc_pc", "consistency", "pos_bias", "invalid_rate") == {
        "acc": acc, "acc_strict": strict, "acc_pc": both, "consistency": consistent,
        "pos_bias": bias, "invalid_rate": invalid,
    }  # fmt: skip


def test_position_bias_weighs_verdicts_not_pairs():
    # A, A and one B among three verdicts: 2/3 − 1/2
    assert overall(judged("A", None), judged("A", "B", id="p1"))["pos_bias"] == pytest.approx(1 / 6)


def test_a_forced_verdict_counts_only_where_the_judge_gave_none():
    found = overall(judged("B", None, forced=("A", "B")))
    assert only(found, "acc", "forced_rate", "invalid_rate") == {
        "acc": 0.5,
        "forced_rate": 0.5,
        "invalid_rate": 0.5,
    }


def test_forcing_never_hides_that_the_judge_gave_no_verdict_of_its_own():
    found = overall(judged(None, None, forced=("A", "B")))
    assert only(found, "acc_pc", "unforced_acc_pc", "invalid_rate", "forced_rate") == {
        "acc_pc": 1.0,
        "unforced_acc_pc": 0.0,
        "invalid_rate": 1.0,
        "forced_rate": 1.0,
    }


def test_the_length_baseline_prefers_the_longer_and_halves_a_tie():
    pairs = [judged("A", "B", chars=chars) for chars in ((9, 1), (1, 9), (5, 5), (9, 1))]
    assert overall(*pairs)["len_baseline"] == (1 + 0 + 0.5 + 1) / 4


def test_subsets_are_reported_apart_in_order_of_appearance():
    found = summarise([
        judged("A", "B", subset="y"), judged("A", "A", subset="x"), judged("B", "A", subset="x"),
    ])  # fmt: skip
    assert [(s, f["n"], f["acc"]) for s, f in found["subsets"].items()] == [
        ("y", 1, 1.0),
        ("x", 2, 0.25),
    ]
    assert (found["n"], found["overall"]["acc"]) == (3, 0.5)


@given(many)
def test_a_perfect_judge_is_right_in_both_orders_whatever_the_pairs(pairs):
    found = overall(*(replace(p, verdict_a="A", verdict_b="B") for p in pairs))
    assert only(found, "acc", "acc_strict", "acc_pc", "unforced_acc_pc", "consistency") == (
        dict.fromkeys(("acc", "acc_strict", "acc_pc", "unforced_acc_pc", "consistency"), 1.0)
    )
    assert only(found, "pos_bias", "invalid_rate", "forced_rate") == (
        dict.fromkeys(("pos_bias", "invalid_rate", "forced_rate"), 0.0)
    )


@given(many)
def test_a_judge_that_always_says_a_has_half_accuracy_and_full_bias(pairs):
    found = overall(*(replace(p, verdict_a="A", verdict_b="A") for p in pairs))
    assert only(found, "acc", "acc_pc", "consistency", "pos_bias", "invalid_rate") == {
        "acc": 0.5, "acc_pc": 0.0, "consistency": 0.0, "pos_bias": 0.5, "invalid_rate": 0.0,
    }  # fmt: skip


@given(many)
def test_a_judge_that_never_gives_a_verdict_has_no_bias_to_report(pairs):
    silent = dict.fromkeys(("verdict_a", "verdict_b", "forced_a", "forced_b"))
    found = overall(*(replace(p, **silent) for p in pairs))
    assert only(found, *HALVES) == HALVES
    assert (found["invalid_rate"], found["pos_bias"], found["pos_bias_se"]) == (1.0, None, None)


@settings(deadline=None)
@given(many)
def test_strict_and_paired_accuracy_never_exceed_accuracy(pairs):
    found = overall(*pairs)
    assert found["acc_pc"] <= found["acc_strict"] <= found["acc"]
    assert found["acc_pc"] <= found["consistency"]
    assert found["forced_rate"] <= found["invalid_rate"]


@settings(deadline=None)
@given(many, st.randoms())
def test_neither_figures_nor_errors_depend_on_the_order_of_the_pairs(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert summarise(shuffled, seed=3)["overall"] == pytest.approx(
        summarise(pairs, seed=3)["overall"]
    )


@settings(deadline=None)
@given(many)
def test_a_subset_figure_from_all_pairs_equals_the_subsets_own(pairs):
    for subset, found in summarise(pairs)["subsets"].items():
        terms = [term("acc", pair, subset) for pair in pairs]
        assert (ratio(terms), ratio_se(terms)) == (found["acc"], found["acc_se"])


def test_terms_that_went_through_json_give_the_same_figures():
    terms = [term("acc", judged("A", v, prompt=str(i))) for i, v in enumerate("ABBA")]
    logged = json.loads(json.dumps(terms))
    assert (ratio(logged), ratio_se(logged)) == (ratio(terms), ratio_se(terms))


def test_the_standard_error_of_independent_pairs_is_the_textbook_one():
    pairs = [judged("A", "B" if i % 2 else "A", prompt=str(i)) for i in range(100)]
    assert overall(*pairs)["acc_pc_se"] == pytest.approx(0.05, rel=0.1)


def test_pairs_of_one_prompt_are_resampled_together():
    # Ten prompts whose ten pairs all fare alike carry the information of ten pairs, not of 100.
    pairs = [judged("A", "B" if i % 2 else "A", prompt=str(i % 10)) for i in range(100)]
    assert overall(*pairs)["acc_pc_se"] == pytest.approx(0.158, rel=0.1)


def test_one_prompt_has_no_standard_error():
    assert overall(judged("A", "B"), judged("A", "A"))["acc_se"] is None


def test_the_seed_alone_decides_the_standard_errors():
    pairs = [judged("A", v, prompt=str(i)) for i, v in enumerate("ABBABAA")]
    first, again, other = (summarise(pairs, seed)["overall"]["acc_se"] for seed in (1, 1, 2))
    assert first == again != other


def test_no_metric_has_a_name_that_lm_eval_reserves():
    assert "score" not in METRICS
    assert not [name for name in METRICS if "," in name or name.endswith("_stderr")]


@pytest.mark.parametrize(
    ("scores", "letter"),
    [
        ([(-0.1, True), (-2.0, False)], "A"),
        ([["-3.5", "False"], ["-0.25", "True"]], "B"),  # as samples log it
        ([(-1.0, False), (-1.0, False)], None),
        ([], None),
    ],
)
def test_the_forced_verdict_is_the_likelier_letter(scores, letter):
    assert likelier(scores) == letter


def test_replies_and_likelihoods_are_read_in_the_order_they_were_asked():
    pair = LabelledPair("p0", "s", "q", "four", "12")
    scores = [("-2", "False"), ("-1", "True"), ("-1", "True"), ("-2", "False")]
    found = read_replies(pair, ["[[A]]", "no idea", *scores], VERDICT)
    assert found == JudgedPair("p0", "s", "q", "A", None, "B", "A", 4, 2)
