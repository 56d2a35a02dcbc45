"""Whether a judge can be trusted by people's labels: known judges, known people."""

import json
import random

import pytest

from ste_plugin.audit.trust import AT_LEAST, Criterion, trust
from ste_plugin.audit.trust_words import conclude, lines_of, to_json
from ste_plugin.errors import DataError, Inconclusive, NotTrusted
from ste_plugin.lm_eval_tasks.judged_file import write_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict

GOOD, BAD = "It is GOOD.", "It is bad, and long."


def people_say(path, votes, pairs_per_prompt=1, turned=()):
    """A file of labelled pairs with these votes, in their order; `turned` swaps texts of some."""
    rows = []
    for i, given in enumerate(votes):
        texts = (BAD, GOOD) if i in turned else (GOOD, BAD)
        sides = dict(zip(("chosen", "rejected"), texts, strict=True))
        if i in turned:
            given = (given[1], given[0], given[2])
        prompt = f"Question {i // pairs_per_prompt}?"
        rows.append({"id": f"p{i}", "prompt": prompt, **sides, "votes": given})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def judged(folder, prefers, pairs_per_prompt=1):
    """An evaluation of a judge that says this of each pair."""
    letters = {
        "chosen": ("A", "B"),
        "rejected": ("B", "A"),
        "first": ("A", "A"),
        "tie": ("tie", "tie"),
        "nothing": (None, None),
        "nothing once": ("A", None),
    }
    pairs = [
        JudgedPair(
            id=f"p{i}",
            subset="s",
            prompt=f"Question {i // pairs_per_prompt}?",
            orders=tuple(map(OrderVerdict, "AB", letters[said])),
            chosen_chars=len(GOOD),
            rejected_chars=len(BAD),
        )
        for i, said in enumerate(prefers)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_judged(folder, pairs)
    results = {"model": "judges/mine", "judge_format": "verdict-d8e418b5"}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def answered(tmp_path, prefers, votes, pairs_per_prompt=1, **criterion):
    labels = people_say(tmp_path / "people.jsonl", votes, pairs_per_prompt)
    return trust(
        judged(tmp_path / "eval", prefers, pairs_per_prompt), labels, Criterion(**criterion)
    )


def test_a_judge_that_is_right_in_both_orders_is_trusted(tmp_path):
    found = answered(tmp_path, ["chosen"] * 60, [(3, 0, 0)] * 60)
    assert (found.answer, found.exit_code, found.figure) == ("TRUSTED", 0, 1.0)
    assert found.interval[0] >= found.threshold == AT_LEAST
    conclude(found)


@pytest.mark.parametrize("said", ["rejected", "first"])
def test_a_judge_that_is_wrong_or_knows_places_only_is_not_trusted(tmp_path, said):
    found = answered(tmp_path, [said] * 60, [(3, 0, 0)] * 60)
    assert (found.answer, found.exit_code, found.figure) == ("NOT TRUSTED", 8, 0.0)
    with pytest.raises(NotTrusted, match=r"NOT TRUSTED: right in both orders on 0.0%"):
        conclude(found)


def test_of_a_run_the_first_line_says_which_judge_it_is(tmp_path):
    labels = people_say(tmp_path / "people.jsonl", [(3, 0, 0)] * 60)
    judged(tmp_path / "run/iter-02/eval/test", ["chosen"] * 60)
    (tmp_path / "run/report.json").write_text(json.dumps({"best": 2}))
    found = trust(tmp_path / "run", labels, Criterion())
    first, second, *_ = lines_of(found)
    assert first == f"{tmp_path / 'run'}: iteration 2, which the run ships"
    assert second == "60 pairs labelled by people"
    assert to_json(found)["which"] == "iteration 2, which the run ships"


def test_too_few_labels_are_inconclusive_and_as_many_as_it_says_decide(tmp_path):
    prefers, votes = ["chosen"] * 9 + ["first"], [(2, 0, 0)] * 10
    found = answered(tmp_path, prefers, votes)
    assert (found.answer, found.exit_code) == ("INCONCLUSIVE", 9)
    with pytest.raises(Inconclusive, match=r"labelled prompts more like these would decide"):
        conclude(found)
    times = (10 + found.more_prompts) // 10 + 1
    assert answered(tmp_path, prefers * times, votes * times).answer == "TRUSTED"
    fewer = times * 2 // 3
    assert answered(tmp_path, prefers * fewer, votes * fewer).answer == "INCONCLUSIVE"


def test_a_judge_on_the_threshold_is_told_that_no_number_would_decide(tmp_path):
    found = answered(tmp_path, ["chosen"] * 8 + ["first"] * 2, [(1, 0, 0)] * 10)
    assert (found.answer, found.more_prompts, found.more_pairs) == ("INCONCLUSIVE", None, None)
    with pytest.raises(Inconclusive, match="no number of labels"):
        conclude(found)


def test_one_look_takes_fewer_labels(tmp_path):
    prefers, votes = ["chosen"] * 95 + ["first"] * 5, [(1, 0, 0)] * 100
    ever = answered(tmp_path, prefers, votes, at_least=0.88)
    once = answered(tmp_path, prefers, votes, at_least=0.88, one_look=True)
    assert (ever.answer, once.answer) == ("INCONCLUSIVE", "TRUSTED")
    assert ever.interval[0] < once.interval[0]


def test_many_pairs_of_one_prompt_are_little_evidence(tmp_path):
    found = answered(tmp_path, ["chosen"] * 60, [(3, 0, 0)] * 60, pairs_per_prompt=20)
    assert (found.answer, found.prompts, found.pairs) == ("INCONCLUSIVE", 3, 60)
    assert found.more_pairs == 20 * found.more_prompts


def test_what_most_people_say_counts_rather_than_what_is_called_chosen(tmp_path):
    votes = [(0, 3, 0)] * 60
    assert answered(tmp_path, ["rejected"] * 60, votes).answer == "TRUSTED"
    assert answered(tmp_path, ["chosen"] * 60, votes).answer == "NOT TRUSTED"


def test_pairs_that_divide_people_are_left_out_and_told(tmp_path):
    votes = [(2, 0, 0)] * 50 + [(1, 1, 0)] * 4 + [(0, 0, 2)]
    found = answered(tmp_path, ["chosen"] * 55, votes)
    assert (found.pairs, found.divided) == (50, 5)
    assert "  5 of them divide people, or are ties" in "\n".join(lines_of(found))
    found = answered(tmp_path, ["chosen"] * 51, votes[:51])
    assert "  1 of them divides people, or is a tie: nobody" in "\n".join(lines_of(found))
    with pytest.raises(DataError, match="nobody can be right about them"):
        answered(tmp_path, ["chosen"] * 5, [(1, 1, 0)] * 5)


def test_pairs_that_the_judge_was_not_asked_about_are_left_out_and_told(tmp_path):
    found = answered(tmp_path, ["chosen"] * 60, [(3, 0, 0)] * 70)
    assert (found.pairs, found.not_judged, found.labelled) == (60, 10, 70)
    assert "  10 of them were not shown to this judge" in "\n".join(lines_of(found))


def a_pool(run, dev, test):
    """A run's held-out pairs, each a prompt of its own, by number."""
    pool = run / "pool"
    pool.mkdir(parents=True)
    for name, numbers in (("dev", dev), ("test", test)):
        rows = [
            {"id": f"p{i}", "prompt": f"Question {i}?", "chosen": GOOD, "rejected": BAD}
            for i in numbers
        ]
        (pool / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {"dev": "dev.jsonl", "test": "test.jsonl"}
    (pool / "done.json").write_text(json.dumps({"files": files}))
    return pool


@pytest.mark.parametrize("around", ["judge", "labels"])
def test_nobody_is_trusted_by_the_pairs_that_chose_the_judge(tmp_path, around):
    a_pool(tmp_path / "run", range(50), range(50, 120))
    inside, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder, place = (inside, elsewhere) if around == "judge" else (elsewhere, inside)
    labels = people_say(place / "people.jsonl", [(3, 0, 0)] * 60)
    prefers = ["chosen"] * 50 + ["rejected"] * 10
    found = trust(judged(folder / "iter-01/eval/mine", prefers), labels, Criterion())
    assert (found.pairs, found.figure, found.chose_judge) == (10, 0.0, 50)
    assert "  50 of them are dev pairs, which chose a run's judge: left out" in lines_of(found)
    with pytest.raises(DataError, match="50 pairs, all of them dev pairs of a run, which chose"):
        trust(folder / "iter-01/eval/mine", people_say(labels, [(3, 0, 0)] * 50), Criterion())


def test_held_out_pairs_that_nobody_labelled_are_said_to_be_by_construction(tmp_path):
    pool = a_pool(tmp_path / "run", range(5), range(60))
    (pool / "dev.jsonl").write_text("")
    found = trust(judged(tmp_path / "eval", ["chosen"] * 60), pool / "test.jsonl", Criterion())
    assert found.labels_by == "construction"
    assert next(lines_of(found)).endswith(": 60 pairs labelled by construction")


def test_answers_named_the_other_way_round_are_told_by_their_lengths(tmp_path):
    labels = people_say(tmp_path / "people.jsonl", [(3, 0, 0)] * 60, turned=range(0, 60, 2))
    found = trust(judged(tmp_path / "eval", ["chosen"] * 60), labels, Criterion())
    assert (found.answer, found.figure) == ("TRUSTED", 1.0)


def test_beside_people_who_disagree_as_much_as_it_does_a_judge_is_as_good(tmp_path):
    draw, votes, prefers = random.Random(4), [], []
    for _ in range(300):  # everybody, the judge too, is right in 8 of 10
        said = [draw.random() < 0.8 for _ in range(4)]
        votes.append((sum(said[:3]), 3 - sum(said[:3]), 0))
        prefers.append("chosen" if said[3] else "rejected")
    found = answered(tmp_path, prefers, votes, of_people=0.75)
    assert found.answer == "TRUSTED"
    assert found.with_people.value == pytest.approx(found.people.value, abs=0.05)
    guesses = [draw.choice(["chosen", "rejected"]) for _ in range(300)]
    assert answered(tmp_path, guesses, votes, of_people=0.95).answer == "NOT TRUSTED"


@pytest.mark.parametrize(
    ("said", "with_people", "answer"),
    [
        ("tie", 1.0, "TRUSTED"),
        ("first", 1.0, "TRUSTED"),
        ("nothing", 0.0, "NOT TRUSTED"),
        ("nothing once", 0.0, "NOT TRUSTED"),
    ],
)
def test_a_judge_that_says_nothing_agrees_with_nobody_not_with_peoples_ties(
    tmp_path, said, with_people, answer
):
    found = answered(tmp_path, [said] * 60, [(0, 0, 2)] * 60, of_people=0.9)
    assert (found.with_people.value, found.answer) == (with_people, answer)


def test_of_people_the_figure_is_the_difference_by_hand(tmp_path):
    # of 3 people 2 say chosen: a third of their pairs agree, and the judge with two thirds of them
    found = answered(tmp_path, ["chosen"] * 4, [(2, 1, 0)] * 4, of_people=0.5)
    assert found.people.value == pytest.approx(1 / 3)
    assert found.with_people.value == pytest.approx(2 / 3)
    assert (found.figure, found.threshold) == (pytest.approx(2 / 3 - 1 / 6), 0)


def test_of_people_the_answer_is_two_plain_sentences(tmp_path):
    found = answered(tmp_path, ["first"] * 4, [(3, 0, 0)] * 4, of_people=0.9)
    with pytest.raises((NotTrusted, Inconclusive)) as caught:
        conclude(found)
    told = str(caught.value)
    assert (
        ": the judge agrees with a person on 0.0% of the pairs, two people with each other on "
        "100.0%; 0.9 times as often, 90.0%, is asked for. The judge is 90.0 points below that (95% "
        "interval: " in told
    )
    assert ", however often you look; 4 pairs of 4 prompts)." in told


def test_one_label_a_pair_says_nothing_of_how_far_people_agree(tmp_path):
    assert answered(tmp_path, ["chosen"] * 60, [(1, 0, 0)] * 60).people.value is None
    with pytest.raises(DataError, match="Have a second person label them"):
        answered(tmp_path, ["chosen"] * 60, [(1, 0, 0)] * 60, of_people=0.9)


def test_a_threshold_above_peoples_own_agreement_is_pointed_out(tmp_path):
    votes = [(2, 1, 0)] * 60
    found = answered(tmp_path, ["chosen"] * 60, votes)
    assert "  that is less than is asked of the judge" in "\n".join(lines_of(found))


def test_for_scripts_it_is_json(tmp_path):
    told = json.loads(json.dumps(to_json(answered(tmp_path, ["chosen"] * 60, [(3, 0, 0)] * 60))))
    assert (told["answer"], told["exit_code"], told["people"]["value"]) == ("TRUSTED", 0, 1.0)


def test_it_says_trusted_wrongly_in_fewer_than_one_of_twenty_files_that_grow(tmp_path):
    draw, rounds, wrong = random.Random(7), 60, 0
    for _ in range(rounds):
        prefers = ["chosen" if draw.random() < 0.8 else "first" for _ in range(120)]
        looks = [answered(tmp_path, prefers[:n], [(1, 0, 0)] * n) for n in (20, 40, 60, 90, 120)]
        wrong += any(found.answer != "INCONCLUSIVE" for found in looks)
    assert wrong / rounds <= 0.05
