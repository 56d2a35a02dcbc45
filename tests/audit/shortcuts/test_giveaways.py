"""Signs are named where the answers differ in them beyond chance, however many were looked at."""

import numpy as np

from ste_plugin.audit.shortcuts.answers import answers_of
from ste_plugin.audit.shortcuts.giveaways import find_giveaways, signs_of
from tests.helpers.planted_pairs import honest, longer, opening, planted


def found_in(pairs):
    answers = answers_of(pairs)
    return find_giveaways(signs_of(answers), np.arange(len(pairs)), answers.groups)


def test_an_opener_in_few_answers_is_named_with_both_shares():
    found = found_in(planted(opening("Well then,", 0.15, 0.0), count=400))
    (sign,) = (g for g in found if not g.is_form)
    assert sign.sign == "begins with “well then”"
    assert 0.1 < sign.better < 0.2
    assert sign.worse == 0


def test_what_gives_a_worse_answer_away_is_named_as_well():
    sign = next(g for g in found_in(planted(opening("Sorry,", 0.02, 0.5))) if not g.is_form)
    assert sign.describe().startswith("begins with “sorry” in ")
    assert sign.better < sign.worse


def test_a_longer_answer_is_named_once_though_all_of_its_counts_are_higher():
    found = found_in(planted(longer(0.95)))
    assert [g.sign for g in found if g.is_form] == ["is longer"]


def test_honest_pairs_of_many_draws_have_next_to_no_signs():
    """0.01 is what the correction allows in a draw, over all signs."""
    drawn = [found_in(planted(honest, count=100, seed=seed)) for seed in range(30)]
    assert sum(map(bool, drawn)) <= 2


def test_a_sign_in_all_pairs_of_one_instruction_is_no_sign():
    """One instruction is one case, however many pairs it has."""
    pairs = planted(honest, count=100) + planted(
        opening("Sure,", 1.0, 0.0), count=30, each=30, seed=2
    )
    assert not any("sure" in g.sign for g in found_in(pairs))
