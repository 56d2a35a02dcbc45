"""Majorities, and drawing only the votes that matter: pure functions, and in the real lm-eval."""

import json
import random
from itertools import combinations, product
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.judging.verdict import majority
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.replies import NOT_DRAWN, read_replies
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.lm_eval_tasks.votes import (
    always_drawn,
    ended_equal,
    entropy_of,
    expected_majority,
    next_wave,
)
from ste_plugin.records import ORDERS
from tests.helpers.scripted_judge import drawn_at_random, pair, run_task, scripted, written

SAID = {"A": "[[A]]", "B": "[[B]]", None: "no idea"}
votes = st.lists(st.sampled_from(["A", "B", "tie", None]), min_size=1, max_size=9)


def one_by_one(sequence):
    """How many samples of a sequence must be drawn until its majority is settled."""
    for drawn in range(len(sequence)):
        said = sequence[:drawn]
        second, first = sorted(said.count(verdict) for verdict in ("A", "B", "tie"))[1:]
        if first - second > len(sequence) - drawn:
            return drawn
    return len(sequence)


def in_waves(sequence):
    """How many samples of a sequence are drawn in waves."""
    drawn = 0
    while more := next_wave(sequence[:drawn], len(sequence)):
        drawn += more
    return drawn


@given(votes)
def test_waves_draw_exactly_what_drawing_one_by_one_would_and_settle_the_same(sequence):
    drawn = in_waves(sequence)
    assert drawn == one_by_one(sequence)
    assert majority(sequence[:drawn]) == majority(sequence)


@given(votes)
def test_the_first_wave_is_drawn_whatever_it_says(sequence):
    assert next_wave([], len(sequence)) == always_drawn(len(sequence)) <= in_waves(sequence)


@given(votes, st.data())
def test_the_expected_majority_is_the_mean_over_all_ways_to_choose(sequence, data):
    j = data.draw(st.integers(1, len(sequence)))
    chosen = [majority(c) for c in combinations(sequence, j)]
    scores = [float(v == "A") if v in ("A", "B") else 0.5 for v in chosen]
    assert expected_majority(sequence, "A", j) == pytest.approx(
        sum(scores) / len(scores), abs=1e-12
    )
    both = expected_majority(sequence, "A", j) + expected_majority(sequence, "B", j)
    assert both == pytest.approx(1, abs=1e-12)


def test_votes_that_agree_have_no_entropy_and_three_kinds_have_the_most():
    assert entropy_of(["B"] * 7) == 0
    assert entropy_of(["A", None]) == 1
    assert entropy_of(["A", "B", None]) == pytest.approx(log2(3))
    assert entropy_of(["A", "B", "tie", None]) == 2


@pytest.mark.parametrize(
    ("sequence", "verdict", "equal"),
    [
        (["tie", "tie", "A"], "tie", False),
        (["tie", "A", "A"], "A", False),
        (["tie", "A"], None, True),
        (["A", "B", "tie"], None, True),
        ([None, None, "tie"], "tie", False),
        ([None, None], None, False),
    ],
)
def test_a_tie_is_a_verdict_that_wins_a_vote_as_a_letter_does(sequence, verdict, equal):
    assert (majority(sequence), ended_equal(sequence)) == (verdict, equal)


def voting(sequences):
    """A judge that says these, first of all on the first pair with its better response as A."""
    drawn = [0] * len(sequences)

    def reply(prompt):
        good, bad = prompt.index("Good "), prompt.index("Bad ")
        place = 2 * int(prompt[good:].split(maxsplit=1)[1].split(".")[0]) + (good > bad)
        drawn[place] += 1
        return SAID[sequences[place][drawn[place] - 1]]

    return scripted(reply), drawn


def judged_by_votes(sequences, folder, **settings):
    """(verdict, samples drawn) on each sequence, by the real evaluator and as asked for."""
    if len(sequences) % 2:
        sequences = [*sequences, sequences[0]]
    # One prompt for all pairs: there is nothing to bootstrap, which would take the most time.
    rows = [pair(str(i), prompt="The same.") for i in range(len(sequences) // 2)]
    model, drawn = voting(sequences)
    path = written(folder / "pairs.jsonl", rows)
    settings = {"votes": len(sequences[0])} | settings
    _, samples = run_task(model, path, **settings)
    found = []
    for sample in sorted(samples, key=lambda s: int(s["doc"]["id"])):
        labelled = LabelledPair.from_doc(sample["doc"])
        judged = read_replies(
            labelled, sample["filtered_resps"], VERDICT, JudgeSettings(**settings)
        )
        found += [(order.own, len(order.samples)) for order in judged.orders]
    assert [n for _, n in found] == drawn
    return sequences, found


@pytest.mark.parametrize(("letters", "k"), [("AB", 2), ("AB", 7), (("A", "B", None), 5)])
def test_early_stop_gives_the_full_votes_verdict_for_every_sequence(letters, k, tmp_path):
    sequences, found = judged_by_votes(list(product(letters, repeat=k)), tmp_path)
    assert found == [(majority(s), one_by_one(s)) for s in sequences]


@pytest.mark.slow
def test_early_stop_gives_the_full_votes_verdict_for_2_000_random_sequences(tmp_path):
    random_numbers = random.Random(0)
    drawn = []
    for k in (3, 8, 16, 32):
        sequences = [
            random_numbers.choices(["A", "B", None], [random_numbers.random() for _ in "AB-"], k=k)
            for _ in range(500)
        ]
        sequences, found = judged_by_votes(sequences, tmp_path)
        assert found == [(majority(s), one_by_one(s)) for s in sequences]
        drawn.append(sum(n for _, n in found))
    assert sum(drawn) < 0.9 * 500 * (3 + 8 + 16 + 32)


def test_without_early_stop_or_a_view_of_the_backend_every_vote_is_drawn(tmp_path):
    sequences = [["A", "A", "A"], ["B", "A", "A"]]
    for settings in ({"early_stop": False}, {"chat": False}):
        model, drawn = voting(sequences)
        run_task(model, written(tmp_path / "p.jsonl", [pair("0")]), votes=3, **settings)
        assert drawn == [3, 3]


def test_votes_of_copies_that_share_a_seed_are_refused(tmp_path):
    model, drawn = voting([["A", "A", "A"], ["B", "A", "A"]])
    model.data_parallel_size = 2
    path = written(tmp_path / "p.jsonl", [pair("0")])
    with pytest.raises(ConfigError, match="data_parallel_size: found 2, with 3 votes"):
        run_task(model, path, votes=3)
    assert drawn == [0, 0]
    run_task(model, path)


def test_ties_are_no_verdict_and_silent_votes_never_win(tmp_path):
    _, found = judged_by_votes([["A", None, None, "B"], [None, None, "B", None]], tmp_path)
    assert [verdict for verdict, _ in found] == [None, "B"]


def test_another_task_in_the_same_run_is_asked_as_ever(tmp_path):
    """Its requests, repeats included, are drawn in full, beside the votes of ours."""
    questions = written(tmp_path / "questions.jsonl", [{"q": f"Question {i}?"} for i in range(3)])
    (tmp_path / "plain.yaml").write_text(
        f"task: plain\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {questions}}}}}\n"
        "test_split: test\noutput_type: generate_until\nrepeats: 4\n"
        'doc_to_text: "{{q}}"\ndoc_to_target: "[[A]]"\n'
        "generation_kwargs: {until: [], do_sample: true}\n"
        "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
    )
    model = drawn_at_random()
    prompts = []
    answer = model.generate_until

    def generate_until(requests):
        prompts.append([r.args[0] for r in requests])
        questions = [r for r in requests if "Question" in r.args[0]]
        ours = iter(answer([r for r in requests if r not in questions]))
        return ["[[A]]" if r in questions else next(ours) for r in requests]

    model.generate_until = generate_until
    path = written(tmp_path / "pairs.jsonl")
    metrics, _ = run_task(model, path, votes=8, tasks=["plain"], include=tmp_path)
    alone, _ = run_task(drawn_at_random(), path, votes=8)
    assert [sum("Question" in p for p in wave) for wave in prompts] == [12] + [0] * (
        len(prompts) - 1
    )
    assert len(prompts) > 1
    assert json.dumps({m: metrics[m] for m in alone}) == json.dumps(alone)


def test_two_tasks_of_votes_on_one_backend_wrap_it_once(tmp_path):
    model = drawn_at_random()
    path = written(tmp_path / "pairs.jsonl")
    for _ in range(2):
        _, samples = run_task(model, path, votes=5)
    inner = model.generate_until.generate
    assert type(model.generate_until).__name__ == "Waves" != type(inner).__name__
    assert any(NOT_DRAWN in replies for s in samples for replies in s["filtered_resps"])


def test_replies_of_a_pair_are_logged_in_both_orders_with_the_letters_they_stand_for(tmp_path):
    model, _ = voting([["A", "B", None], ["B", "B", "B"]])
    _, (sample,) = run_task(model, written(tmp_path / "p.jsonl", [pair("0")]), votes=3)
    assert sample["filtered_resps"] == [
        ["[[A]]", "[[B]]", "no idea"],
        ["[[B]]", "[[B]]", NOT_DRAWN],
    ]
    assert sample["target"] == "".join(ORDERS)
