"""What judges said in a round is read in one pass, whenever sampling stopped."""

import json
from random import Random

import pytest

from ste_plugin.audit import rounds
from ste_plugin.audit.rounds import TEXTS, at_the_ends, read_round, read_rounds
from ste_plugin.audit.shares import sampled_shares
from ste_plugin.config.audit import AuditConfig
from ste_plugin.records import ORDERS, OTHER, Judgment
from ste_plugin.sampling.judge_task import CORRECT, WRONG
from ste_plugin.sampling.stopping_rules import RULES, Counts
from ste_plugin.storage.jsonl import replace_records
from ste_plugin.storage.run_layout import RunLayout

LETTERS = sampled_shares(AuditConfig())[0]


def round_of(folder, rates, rule="until_correct", samples=8, seed=0, **manifest):
    """Judgments of pairs whose chance to be judged right is given, sampled by a rule."""
    random, judgments = Random(seed), []
    for number, rate in enumerate(rates):
        for gold in ORDERS:
            drawn = ""
            while size := RULES[rule](Counts(drawn.count(CORRECT), drawn.count(WRONG)), samples):
                drawn += "".join(random.choices((CORRECT, WRONG), (rate, 1 - rate), k=size))
            for index, outcome in enumerate(drawn):
                verdict = gold if outcome == CORRECT else OTHER[gold]
                key = f"p{number}:{gold}-{index}"
                text = f"Reason {number} {index}. [[{verdict}]]"
                judgments.append(
                    Judgment(key, f"p{number}", gold, index, text, verdict, forced=False)
                )
    replace_records(folder / "judgments.jsonl", judgments)
    judging = {"samples": samples, "temperature": 0.7}
    content = {"settings": {"judging": judging}, "judged_by": {"iteration": 0, "stage": 0}}
    (folder / "dataset").mkdir(parents=True, exist_ok=True)
    (folder / "dataset/manifest.json").write_text(json.dumps(content | manifest))
    return read_round(folder, 1, 1)


@pytest.mark.parametrize("rule", ["until_correct", "until_both", "until_decided", "fixed"])
def test_pass_rates_at_the_ends_are_told_from_even_ones_whatever_the_rule(tmp_path, rule):
    split = round_of(tmp_path / "a", [0.02, 0.98] * 300, rule)
    even = round_of(tmp_path / "b", [0.5] * 600, rule)
    assert split.sums.estimate(at_the_ends).above(0.8)
    assert even.sums.estimate(at_the_ends).below(0.2)


@pytest.mark.parametrize("rule", ["until_correct", "until_both", "until_decided", "fixed"])
def test_the_variance_of_the_rates_is_estimated_without_bias(tmp_path, rule):
    rates = [0.2, 0.9] * 300
    mean = 0.55
    true = 1 - (0.2 * 0.8 + 0.9 * 0.1) / 2 / (mean * (1 - mean))
    found = [round_of(tmp_path, rates, rule, seed=n).sums.estimate(at_the_ends) for n in range(12)]
    assert sum(e.figure for e in found) / 12 == pytest.approx(true, abs=0.03)
    assert sum(e.interval[0] <= true <= e.interval[1] for e in found) >= 10


@pytest.mark.parametrize("rule", ["until_correct", "fixed"])
def test_a_letter_is_counted_once_per_question_however_often_it_was_sampled(tmp_path, rule):
    found = round_of(tmp_path, [0.5] * 200, rule)
    total = found.sums.total()
    assert total[3] == found.questions == 400
    assert total[1] == 400
    assert not LETTERS.share(found.sums).above(0.06)


def test_a_judge_that_always_says_a_lies_at_the_ends_and_at_one_letter(tmp_path):
    judgments = [
        Judgment(f"{n}{gold}", f"p{n}", gold, 0, "[[A]]", "A", forced=True)
        for n in range(100)
        for gold in ORDERS
    ]
    replace_records(tmp_path / "judgments.jsonl", judgments)
    found = read_round(tmp_path, 2, 1)
    assert LETTERS.share(found.sums).figure == 0.5
    assert found.sums.share(rounds.FORCED).figure == 1.0
    assert found.sums.estimate(at_the_ends).figure == 1.0
    assert found.trained
    assert not found.texts


def test_words_are_kept_of_the_same_questions_in_every_round(tmp_path):
    texts = [round_of(tmp_path / str(n), [0.95] * 1500, seed=n).texts for n in range(2)]
    assert [len(t) for t in texts] == [TEXTS, TEXTS]
    assert len(texts[0].keys() & texts[1].keys()) > 0.9 * TEXTS


def test_stages_without_judgments_are_left_out(tmp_path):
    layout = RunLayout(tmp_path)
    round_of(layout.iteration(1, 2), [0.5] * 20)
    assert [(r.iteration, r.stage) for r in read_rounds(layout, 1, 2)] == [(1, 2)]
    assert read_rounds(layout, 0, 2) == []
