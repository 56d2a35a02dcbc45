"""The figures of a pair judge, against cases worked out by hand and judges known in full."""

import json
import math
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.judging.builtin import FORMATS
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.benchmarks import BENCHMARKS
from ste_plugin.lm_eval_tasks.bootstrap import RESAMPLES, error_of, estimates, value_of
from ste_plugin.lm_eval_tasks.figures import (
    SPREAD,
    Figure,
    figures_of,
    pairs_counted,
    pairs_in_words,
    summarise,
)
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.metrics import METRICS, acc
from ste_plugin.lm_eval_tasks.replies import read_replies
from ste_plugin.lm_eval_tasks.settings import JudgeSettings

HALVES = {"acc": 0.5, "acc_strict": 0.0, "acc_pc": 0.0, "consistency": 0.0}


def judged(a, b, forced=(None, None), *, id="p0", subset="s", prompt="q", chars=(10, 5), **more):
    """A pair with the verdict in the order better-as-A and in the order better-as-B."""
    return JudgedPair(id, subset, prompt, orders(a, b, forced), *chars, **more)


def orders(a, b, forced=(None, None), samples=((), ()), log_odds=(None, None)):
    """What was said in both orders."""
    both = zip("AB", (a, b), forced, samples, log_odds, strict=True)
    return tuple(OrderVerdict(*order) for order in both)


def voted(a, b, **more):
    """A pair with all samples of both orders, e.g. "AAB-" where "-" has no verdict."""
    samples = [tuple(None if c == "-" else c for c in text) for text in (a, b)]
    majority = [None if s.count("A") == s.count("B") else max("AB", key=s.count) for s in samples]
    pair = judged(*majority, asked=len(a), **more)
    return replace(pair, orders=orders(*majority, samples=samples))


def overall(*pairs):
    return summarise(pairs)["overall"]


def only(found, *names):
    return {name: found[name] for name in names}


verdicts = st.sampled_from(["A", "B", "tie", None])
judged_pairs = st.builds(
    JudgedPair,
    id=st.text(max_size=3),
    subset=st.sampled_from("xyz"),
    prompt=st.sampled_from("qrst"),
    orders=st.builds(orders, verdicts, verdicts, st.tuples(verdicts, verdicts)),
    chosen_chars=st.integers(1, 9),
    rejected_chars=st.integers(1, 9),
    section=st.sampled_from(["S", "T"]),
    weight=st.sampled_from([1.0, 984 / 447]),
    votes=st.sampled_from([(1, 0, 0), (2, 1, 0), (1, 1, 1), (0, 0, 0)]),
    asked=st.just(1),
    reply_chars=st.just(0),
    fits=st.sampled_from([True, True, True, False]),
)
labelled_pairs = judged_pairs.map(lambda p: replace(p, votes=(1, 0, 0), fits=True))
many = st.lists(labelled_pairs, min_size=1, max_size=12)
any_pairs = st.lists(judged_pairs, min_size=1, max_size=12)
FLIP = {"A": "B", "B": "A", "tie": "tie", None: None}


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
        ("tie", "tie", 0.5, 0.0, 0, 1, None, 0.0),  # ½ each, and the same verdict twice
        ("tie", "B", 0.75, 0.5, 0, 0, -0.5, 0.0),
        ("tie", None, 0.5, 0.0, 0, 0, None, 0.5),
    ],
)
def test_one_pair_gives_the_figures_worked_out_by_hand(
    a, b, acc, strict, both, consistent, bias, invalid
):
    found = overall(judged(a, b))
    assert only(
        found, "acc", "acc_strict", "acc_pc", "consistency", "pos_bias", "invalid_rate"
    ) == {
        "acc": acc,
        "acc_strict": strict,
        "acc_pc": both,
        "consistency": consistent,
        "pos_bias": bias,
        "invalid_rate": invalid,
    }


def test_ties_that_the_judge_says_are_counted_apart_and_never_forced():
    found = overall(judged("tie", None, forced=("A", "B")))
    assert only(found, "judge_tie_rate", "invalid_rate", "forced_rate", "tie_rate", "acc") == {
        "judge_tie_rate": 0.5,
        "invalid_rate": 0.5,
        "forced_rate": 0.5,
        "tie_rate": 0.0,
        "acc": 0.75,
    }


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
    found = summarise(
        [
            judged("A", "B", subset="y"),
            judged("A", "A", subset="x"),
            judged("B", "A", subset="x"),
        ]
    )
    assert [(s, f["n"], f["acc"]) for s, f in found["subsets"].items()] == [
        ("y", 1, 1.0),
        ("x", 2, 0.25),
    ]
    assert (found["n"], found["overall"]["acc"]) == (3, 0.5)


@given(many)
def test_a_perfect_judge_is_right_in_both_orders_whatever_the_pairs(pairs):
    found = overall(*(replace(p, orders=orders("A", "B")) for p in pairs))
    assert only(found, "acc", "acc_strict", "acc_pc", "unforced_acc_pc", "consistency") == (
        dict.fromkeys(("acc", "acc_strict", "acc_pc", "unforced_acc_pc", "consistency"), 1.0)
    )
    assert only(found, "pos_bias", "invalid_rate", "forced_rate") == (
        dict.fromkeys(("pos_bias", "invalid_rate", "forced_rate"), 0.0)
    )


@given(many)
def test_a_judge_that_always_says_a_has_half_accuracy_and_full_bias(pairs):
    found = overall(*(replace(p, orders=orders("A", "A")) for p in pairs))
    assert only(found, "acc", "acc_pc", "consistency", "pos_bias", "invalid_rate") == {
        "acc": 0.5,
        "acc_pc": 0.0,
        "consistency": 0.0,
        "pos_bias": 0.5,
        "invalid_rate": 0.0,
    }


@given(many)
def test_a_judge_that_never_gives_a_verdict_has_no_bias_to_report(pairs):
    found = overall(*(replace(p, orders=orders(None, None)) for p in pairs))
    assert only(found, *HALVES) == HALVES
    assert (found["invalid_rate"], found["pos_bias"], found["pos_bias_se"]) == (1.0, None, None)


@given(many)
def test_strict_and_paired_accuracy_never_exceed_accuracy(pairs):
    found = overall(*pairs)
    assert found["acc_pc"] <= found["acc_strict"] <= found["acc"]
    assert 0 <= found["acc"] <= 1
    assert found["acc_pc"] <= found["consistency"]
    assert found["forced_rate"] <= found["invalid_rate"]


@given(any_pairs, st.randoms())
def test_neither_figures_nor_errors_depend_on_the_order_of_the_pairs(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert summarise(shuffled, seed=3)["overall"] == summarise(pairs, seed=3)["overall"]


@given(any_pairs)
def test_calling_a_b_and_b_a_turns_the_position_bias_round_and_nothing_else(pairs):
    turned = [
        replace(
            p,
            orders=tuple(
                replace(order, own=FLIP[other.own], forced=FLIP[other.forced])
                for order, other in zip(p.orders, reversed(p.orders), strict=True)
            ),
        )
        for p in pairs
    ]
    before, after = (summarise(p)["overall"] for p in (pairs, turned))
    bias, other_bias = before.pop("pos_bias"), after.pop("pos_bias")
    interval, other = before.pop("pos_bias_interval"), after.pop("pos_bias_interval")
    moved, other_moved = (found.pop("pos_bias_bootstrap_bias") for found in (before, after))
    assert before == after
    assert other_bias == (None if bias is None else -bias)
    assert other == (interval and pytest.approx([-x for x in reversed(interval)]))
    assert other_moved == (None if moved is None else pytest.approx(-moved, abs=1e-9))


@given(any_pairs)
def test_a_subset_figure_from_all_pairs_equals_the_subsets_own(pairs):
    for subset, found in summarise(pairs)["subsets"].items():
        terms = [Figure(acc, subset=subset).term(pair) for pair in pairs]
        assert (value_of(terms), error_of(terms)) == (found["acc"], found["acc_se"])


@given(any_pairs)
def test_what_lm_eval_reports_after_logging_equals_the_summary_to_the_last_digit(pairs):
    told = summarise(pairs)
    for name, figure in figures_of(pairs).items():
        logged = json.loads(json.dumps([figure.term(pair) for pair in pairs]))
        reported = (figure.value(logged), figure.error(logged))
        metric, _, part = name.partition("/")
        place = (
            told["overall"]
            if not part
            else told["sections"][part]
            if metric.endswith("_section")
            else told["subsets"][part]
        )
        metric = metric.removesuffix("_section")
        assert reported == (place[metric], place[f"{metric}_se"]), name


@given(any_pairs, judged_pairs)
def test_every_pair_reports_the_same_figures_in_the_same_order(pairs, another):
    names = {tuple(figures_of(pairs)), tuple(figures_of(list(pairs)))}
    assert len(names) == 1
    assert all(len(f.term(another)) in (0, 5) for f in figures_of([*pairs, another]).values())


def test_the_standard_error_of_independent_pairs_is_the_textbook_one():
    pairs = [judged("A", "B" if i % 2 else "A", prompt=str(i)) for i in range(100)]
    assert overall(*pairs)["acc_pc_se"] == pytest.approx(0.05, rel=0.1)


def test_every_figure_in_the_json_has_an_error_an_interval_and_a_bias():
    pairs = [judged("A", "B" if i % 3 else "A", prompt=str(i), section="S") for i in range(60)]
    told = summarise(pairs)
    for part in (told["overall"], told["sections"]["S"], told["subsets"]["s"]):
        figures = {n for n in part if n != "n" and not n.endswith(SPREAD)}
        assert part.keys() - {"n"} == figures | {n + s for n in figures for s in SPREAD}
    found = told["overall"]
    resamples = estimates([figures_of(pairs)["acc_pc"].term(p) for p in pairs])
    assert found["acc_pc_se"] == pytest.approx(resamples.std(ddof=1))
    assert found["acc_pc_bootstrap_bias"] == pytest.approx(resamples.mean() - 2 / 3)
    low, high = found["acc_pc_interval"]
    assert low < 2 / 3 < high
    assert high - low == pytest.approx(2 * 1.96 * found["acc_pc_se"], rel=0.1)


def test_no_interval_of_what_was_judged_is_without_width_nor_holds_what_cannot_be():
    perfect = [judged("A", "B", prompt=str(i)) for i in range(40)]
    constant = [judged("A", "A", prompt=str(i)) for i in range(40)]
    for found in (overall(*perfect), overall(*constant)):
        names = {n.removesuffix("_interval") for n in found if n.endswith("_interval")}
        for name in names - {"pick_a_baseline"}:  # in both orders a half, whatever is judged
            if found[name] is not None:
                low, high = found[f"{name}_interval"]
                least, most = {"pos_bias": (-0.5, 0.5), "len_bias": (-1, 1)}.get(name, (0, 1))
                assert least <= low <= found[name] <= high <= most
                assert high - low > 0.05, name
    assert overall(*constant)["pos_bias_interval"][1] == 0.5
    assert overall(*constant)["pick_a_baseline_interval"] == [0.5, 0.5]


def test_a_quotient_of_few_prompts_is_moved_by_so_few_and_the_bias_says_how_far():
    # One verdict in the one prompt, two in the other: the mean of resamples is not the quotient.
    # Of two prompts one is drawn, and counts twice.
    pairs = [judged("A", None, prompt="0"), judged("B", "B", prompt="1")]
    found = overall(*pairs)
    mean, quotient = (1 / 2 - 1 / 2) / 2, (1 / 2 - 1) / 3
    assert found["pos_bias_bootstrap_bias"] == pytest.approx(mean - quotient, abs=0.03)


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


def test_unlabelled_pairs_tell_of_consistency_bias_and_silence_only():
    found = overall(judged("A", "B", votes=(0, 0, 0)), judged("A", None, id="p1", votes=(0, 0, 0)))
    told = {n for n, value in found.items() if value is not None and not n.endswith(SPREAD)}
    assert told == {
        "consistency",
        "pos_bias",
        "tie_rate",
        "judge_tie_rate",
        "invalid_rate",
        "forced_rate",
        "did_not_fit_rate",
    }
    assert only(found, "consistency", "invalid_rate") == {"consistency": 0.5, "invalid_rate": 0.25}


def test_unlabelled_pairs_leave_the_accuracy_of_labelled_ones_alone():
    labelled = [judged("A", "B"), judged("A", "A", id="p1")]
    mixed = overall(*labelled, judged("B", "A", id="p2", votes=(0, 0, 0)))
    assert (mixed["acc"], mixed["acc_pc"]) == (0.75, 0.5)


def test_a_pair_that_did_not_fit_counts_in_its_rate_alone():
    gone = judged(None, None, id="p1", fits=False)
    alone, both = overall(judged("A", "B")), overall(judged("A", "B"), gone)
    assert both == alone | {"did_not_fit_rate": 0.5, "did_not_fit_rate_n": 2}


def test_every_figure_says_of_how_many_pairs_it_is_and_the_pairs_which_of_them_count_for_nothing():
    pairs = [
        *(judged("A", "B", subset="x") for _ in range(2)),
        judged("A", "B", subset="y"),
        *(judged("A", "B", votes=(0, 0, 1), subset="x") for _ in range(4)),
        *(judged(None, None, fits=False, subset="x") for _ in range(8)),
    ]
    told = summarise(pairs)
    found = told["overall"]
    assert told["n"] == 15
    assert [found[f"{name}_n"] for name in ("acc", "acc_pc", "consistency")] == [3, 3, 7]
    assert (told["subsets"]["x"]["n"], told["subsets"]["x"]["acc_pc_n"]) == (14, 2)
    assert [pairs_counted(each, "acc_pc", 15) for each in (found, {"acc_pc": 1.0})] == [3, 15]
    words = "15 dev pairs (4 without a better answer, 8 not asked about)"
    assert pairs_in_words(told, "dev") == words
    assert pairs_in_words({"n": 1500, "overall": {"acc": 1.0}}) == "1,500 pairs"


@given(many)
def test_a_judge_that_picks_the_longer_scores_its_baseline_and_its_bias_is_how_often_that_is_wrong(
    pairs,
):
    def picks(pair):
        longer = pair.chosen_chars - pair.rejected_chars
        verdicts = ("A", "B") if longer > 0 else ("B", "A") if longer else (None, None)
        return replace(pair, orders=orders(*verdicts))

    found = overall(*map(picks, pairs))
    unequal = [p for p in pairs if p.chosen_chars != p.rejected_chars]
    wrong = sum(p.chosen_chars < p.rejected_chars for p in unequal)
    assert found["acc"] == pytest.approx(found["len_baseline"])
    assert found["len_bias"] == (pytest.approx(wrong / len(unequal)) if unequal else None)
    assert found["pick_a_baseline"] == 0.5


def test_length_bias_is_picking_the_longer_more_often_than_it_is_better():
    # The longer is better in one of two pairs; it picks the longer in three of four verdicts.
    pairs = [judged("A", "B", chars=(9, 1)), judged("B", "B", id="p1", chars=(1, 9))]
    assert overall(*pairs)["len_bias"] == 3 / 4 - 1 / 2


@given(many)
def test_the_length_bias_of_a_perfect_judge_is_none_at_all(pairs):
    found = overall(*(replace(p, orders=orders("A", "B")) for p in pairs))
    assert found["len_bias"] in (0, None)


@pytest.mark.parametrize(
    ("a", "b", "with_ties", "without"),
    [
        (
            "A",
            "B",
            3 / 6,
            3 / 5,
        ),  # prefers the chosen: three of six votes, of five that are no ties
        ("B", "A", 2 / 6, 2 / 5),
        ("A", "A", 1 / 6, None),  # inconsistent: a tie, and no verdict where ties do not count
        ("tie", "tie", 1 / 6, None),
        ("tie", "B", 1 / 6, None),
        ("A", None, 0, 0),  # silent: it agrees with nobody, and every vote counts
        ("tie", None, 0, 0),
        (None, None, 0, 0),
    ],
)
def test_agreement_goes_vote_by_vote_and_takes_an_undecided_judge_but_no_silent_one_for_a_tie(
    a, b, with_ties, without
):
    found = overall(judged(a, b, votes=(3, 2, 1)))
    assert (found["agreement"], found["agreement_no_tie"]) == (with_ties, without)


def test_a_vote_that_ended_equal_is_a_tie_in_agreement_and_no_silence():
    assert overall(voted("AB", "AB", votes=(0, 0, 2)))["agreement"] == 1
    assert overall(voted("--", "AB", votes=(0, 0, 2)))["agreement"] == 0


def test_a_pair_that_people_are_divided_on_has_no_better_response():
    found = overall(judged("A", "B", votes=(1, 1, 0)), judged("A", "B", id="p1", votes=(2, 1, 0)))
    assert found["acc"] == found["len_baseline"] == 1
    assert found["agreement"] == 3 / 5


def test_agreement_is_told_only_where_several_people_voted():
    assert "agreement" not in overall(judged("A", "B"))


def test_sections_weigh_their_pairs_and_the_final_score_is_their_plain_mean():
    # Reasoning as in RewardBench: one math pair weighs as much as the two code pairs together.
    pairs = [
        judged("A", "B", subset="math", section="Reasoning", weight=2.0),
        judged("B", "A", id="p1", subset="code", section="Reasoning"),
        judged("B", "A", id="p2", subset="code", section="Reasoning"),
        judged("A", "A", id="p3", subset="easy", section="Chat"),
    ]
    told = summarise(pairs)
    assert {s: f["acc"] for s, f in told["sections"].items()} == {"Reasoning": 0.5, "Chat": 0.5}
    assert (told["overall"]["final"], told["overall"]["final_pc"]) == (0.5, 0.25)
    assert told["overall"]["acc"] == (1 + 0 + 0 + 0.5) / 4


def of_section(section, i=0):
    return judged("A", "B", id=f"{section}/{i}", prompt=f"{section} {i}", section=section)


@pytest.mark.parametrize(("benchmark", "section"), [("rewardbench", "Chat"), ("rmbench", "Math")])
def test_the_final_score_is_undefined_where_a_limit_leaves_a_section_empty(benchmark, section):
    settings = JudgeSettings(benchmark=benchmark, limit=2)
    limited = [of_section(section, i) for i in range(2)]
    told = summarise(limited, settings=settings)
    finals = ("final", "final_pc", "final_se", "final_pc_se")
    assert only(told["overall"], "acc", *finals) == {"acc": 1.0, **dict.fromkeys(finals)}
    empty = {name: found["acc"] for name, found in told["sections"].items() if not found["n"]}
    assert empty == dict.fromkeys(s for s in BENCHMARKS[benchmark].sections if s != section)
    assert told["sections"][section] == {
        "n": 2,
        "acc": 1.0,
        "acc_se": 0,
        "acc_interval": pytest.approx([2 / (2 + 1.96**2), 1], abs=1e-4),
        "acc_bootstrap_bias": 0,
        "acc_n": 2,
        "acc_pc": 1,
        "acc_pc_se": 0,
        "acc_pc_interval": pytest.approx([2 / (2 + 1.96**2), 1], abs=1e-4),
        "acc_pc_bootstrap_bias": 0,
        "acc_pc_n": 2,
    }


def test_the_final_score_is_undefined_where_lm_eval_asked_about_some_sections_only():
    settings = JudgeSettings(benchmark="rewardbench")
    pairs = [of_section(s, i) for s in BENCHMARKS["rewardbench"].sections for i in range(2)]
    final = figures_of(pairs, settings)["final"]
    every = [final.term(pair) for pair in pairs]
    assert (final.value(every), final.error(every)) == (1.0, 0.0)
    assert (final.value(every[:-2]), final.error(every[:-2])) == (None, None)
    assert (final.value([]), final.error([])) == (None, None)


def test_pairs_that_do_not_fit_can_leave_the_final_score_undefined():
    pairs = [of_section("Chat"), replace(of_section("Safety"), fits=False)]
    assert overall(*pairs)["final"] is None


def test_of_one_section_alone_there_is_no_final_score_as_it_is_the_mean_of_all():
    settings = JudgeSettings(benchmark="rewardbench", section="Chat")
    told = summarise([of_section("Chat"), of_section("Chat", 1)], settings=settings)
    assert (told["overall"]["final"], list(told["sections"])) == (None, ["Chat"])
    assert told["sections"]["Chat"]["acc"] == 1.0


def test_the_final_error_comes_of_the_same_resamples_as_the_sections():
    pairs = [
        judged("A", "B" if i % 3 else "A", id=str(i), prompt=str(i), subset=s, section=s)
        for i, s in enumerate("ST" * 30)
    ]
    parts = [estimates([Figure(acc, section=s).term(p) for p in pairs]) for s in ("S", "T")]
    final = estimates([Figure(acc, sections=("S", "T")).term(p) for p in pairs])
    assert final == pytest.approx(sum(parts) / 2)
    assert len(final) == RESAMPLES


def test_every_resample_holds_as_many_prompts_of_each_subset_as_the_data():
    # All right in one subset, all wrong in the other: only their shares could vary, and do not.
    pairs = [
        judged(*(("A", "B") if i % 2 else ("B", "A")), id=str(i), prompt=str(i), subset=str(i % 2))
        for i in range(20)
    ]
    assert overall(*pairs)["acc_se"] == 0
    one_subset = overall(*(replace(p, subset="s") for p in pairs))
    assert one_subset["acc_se"] == pytest.approx(0.11, rel=0.15)


def test_subsets_of_one_prompt_are_resampled_together_rather_than_not_at_all():
    pairs = [
        judged("A", "B" if i % 2 else "A", id=str(i), prompt=str(i), subset=str(i))
        for i in range(40)
    ]
    assert overall(*pairs)["acc_pc_se"] == pytest.approx(0.08, rel=0.15)


def votes_summary(*pairs, votes):
    return summarise(pairs, settings=JudgeSettings(votes=votes))["overall"]


def test_a_vote_that_ends_equal_is_a_tie_and_a_silent_one_is_not():
    found = votes_summary(voted("AB-", "---"), voted("AAB", "BBB", id="p1"), votes=3)
    assert (found["tie_rate"], found["invalid_rate"]) == (1 / 4, 2 / 8)  # of the first two
    assert found["acc"] == (0.5 + 0.5 + 1 + 1) / 4


four_votes = st.lists(st.sampled_from(["A", "B", None]), min_size=4, max_size=4)


@given(four_votes, four_votes)
def test_expected_majorities_are_the_mean_over_all_choices_of_the_first_samples(a, b):
    pair = voted(*("".join(v or "-" for v in side) for side in (a, b)))
    found = votes_summary(pair, votes=4)

    def score(samples, right):
        lead = samples.count(right) - samples.count(FLIP[right])
        return 0.5 if lead == 0 else float(lead > 0)

    for j in (1, 2):  # three samples an order are drawn whatever they say
        every = [
            [score(c, right) for c in combinations(side[:3], j)]
            for side, right in ((a, "A"), (b, "B"))
        ]
        assert found[f"maj@{j}"] == pytest.approx(sum(sum(e) / len(e) for e in every) / 2)
    assert found["maj@4"] == found["acc"]


def test_one_sample_has_no_vote_to_tell_of():
    assert not {"maj@1", "vote_entropy"} & overall(judged("A", "B")).keys()


def test_the_entropy_of_votes_is_one_bit_where_they_are_split_evenly():
    assert votes_summary(voted("AB", "BB"), votes=2)["vote_entropy"] == 0.5


def test_one_shown_order_has_accuracy_and_nothing_that_needs_both():
    as_a, as_b = judged("A", None), judged(None, "A", id="p1")
    found = overall(
        replace(as_a, orders=as_a.orders[:1]),
        replace(as_b, orders=as_b.orders[1:]),
    )
    assert only(found, "acc", "acc_pc", "consistency", "invalid_rate", "pick_a_baseline") == {
        "acc": 0.5,
        "acc_pc": None,
        "consistency": None,
        "invalid_rate": 0.0,
        "pick_a_baseline": 0.5,
    }


def test_log_odds_are_averaged_over_both_orders():
    likelier = JudgeSettings(mode="likelier")
    # Leans to A by 2 whatever is shown there, and by 1 to the better response.
    pairs = [replace(judged("A", "A"), orders=orders("A", "A", log_odds=(3.0, 1.0)))]
    found = summarise(pairs, settings=likelier)["overall"]
    assert (found["acc"], found["acc_averaged"]) == (0.5, 1.0)


def test_probabilities_are_scored_in_each_order_and_verdicts_that_turn_are_counted():
    likelier = JudgeSettings(mode="likelier")
    # right by 3 in one order and wrong by 1 in the other, where A is said again; right by 2 twice
    turned = replace(judged("A", "A"), orders=orders("A", "A", log_odds=(3.0, 1.0)))
    kept = replace(judged("A", "B", id="p1"), orders=orders("A", "B", log_odds=(2.0, -2.0)))
    found = summarise([turned, kept], settings=likelier)["overall"]
    right = [1 / (1 + math.exp(-margin)) for margin in (3, -1, 2, 2)]
    assert found["flip_rate"] == 0.5
    assert found["brier"] == pytest.approx(sum((1 - p) ** 2 for p in right) / 4)
    gaps = [1 - right[0], 1 - right[1], 2 * (1 - right[2])]  # bins of 0.95, 0.73 and 0.88
    assert found["ece"] == pytest.approx(sum(gaps) / 4)
    assert found["ece_interval"] is None


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
    shown = LabelledPair("p0", "s", "Name a fruit.", "An apple.", "A spade.")
    read = read_replies(shown, ["?", "?", *scores, *scores], FORMATS["brief"])
    assert [order.forced for order in read.orders] == [letter, letter]
