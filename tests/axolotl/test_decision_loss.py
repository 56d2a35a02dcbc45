"""The loss over both orders of a pair: its formula, and what it refuses."""

import math

import pytest
import torch

from ste_plugin.axolotl.both_orders import BETTER_IS, PAIR
from ste_plugin.axolotl.decision_loss import DecisionLoss
from ste_plugin.axolotl.letter_place import LetterPlace
from ste_plugin.errors import DataError

A, B, OPEN, END = 5, 6, 7, 8
PLACE = LetterPlace(1, (A, B))


class Fixed(torch.nn.Module):
    """A model with the same logits whatever it reads; `short` gives those that are asked for."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, input_ids, attention_mask=None, use_cache=None, logits_to_keep=None):
        kept = slice(None) if logits_to_keep is None else logits_to_keep
        return type("Out", (), {"logits": self.logits[:, kept]})()


class Whole(Fixed):
    """One that cannot leave logits out."""

    def forward(self, input_ids, attention_mask=None, use_cache=None):
        return type("Out", (), {"logits": self.logits})()


def batch(**more) -> dict:
    """One pair, the second row a token shorter; the reply is OPEN, letter, END."""
    ids = torch.tensor([[1, 2, OPEN, A, END], [1, OPEN, B, END, 0]])
    labels = torch.tensor([[-100, -100, OPEN, A, END], [-100, OPEN, B, END, -100]])
    columns = {PAIR: torch.tensor([9, 9]), BETTER_IS: torch.tensor([0, 1])}
    mask = torch.tensor([[1] * 5, [1] * 4 + [0]])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels, **columns} | more


def logits_of(a_in_first: float, a_in_second: float) -> torch.Tensor:
    """Logits by which A has these log-odds, at each row's letter, and all else is even."""
    logits = torch.zeros(2, 5, 10)
    logits[0, 2, A], logits[1, 1, A] = a_in_first, a_in_second
    return logits


@pytest.mark.parametrize("kind", [Fixed, Whole])
def test_the_loss_is_that_of_its_formula(kind):
    odds = (2.0, 1.0)
    loss, _, parts = DecisionLoss(PLACE, 0.5, 2.0).of_batch(kind(logits_of(*odds)), batch())
    p1, p2 = (1 / (1 + math.exp(-x)) for x in odds)
    even = math.log(10)
    of_letters = (
        math.log(math.exp(2.0) + 9) - 2.0,
        math.log(math.exp(1.0) + 9),
    )
    assert parts["cross_entropy"].item() == pytest.approx(2 * even + sum(of_letters) / 2)
    assert parts["brier"].item() == pytest.approx(((1 - p1) ** 2 + p2**2) / 2)
    assert parts["inconsistency"].item() == pytest.approx((p1 + p2 - 1) ** 2)
    expected = parts["cross_entropy"] + 0.5 * parts["brier"] + 2 * parts["inconsistency"]
    assert loss.item() == pytest.approx(expected.item())


def test_the_mean_brier_score_is_that_of_the_mean_and_a_quarter_of_the_inconsistency():
    _, _, parts = DecisionLoss(PLACE, 1, 1).of_batch(Fixed(logits_of(2.0, 1.0)), batch())
    q1, q2 = 1 / (1 + math.exp(-2.0)), 1 - 1 / (1 + math.exp(-1.0))
    of_mean = (1 - (q1 + q2) / 2) ** 2
    assert parts["brier"].item() == pytest.approx(of_mean + parts["inconsistency"].item() / 4)


def test_a_judge_that_always_says_a_learns_to_take_it_back_where_b_is_right():
    model = Fixed(logits_of(3.0, 3.0))
    loss, _, _ = DecisionLoss(PLACE, 1, 1).of_batch(model, batch())
    loss.backward()
    assert model.logits.grad[1, 1, A] > 0 > model.logits.grad[1, 1, B]


@pytest.mark.parametrize(
    "wrong",
    [
        {PAIR: torch.tensor([9, 8])},
        {BETTER_IS: torch.tensor([0, 0])},
    ],
)
def test_rows_that_are_not_the_two_orders_of_a_pair_are_refused(wrong):
    with pytest.raises(DataError, match="two orders of a pair are not side by side"):
        DecisionLoss(PLACE, 1, 1).of_batch(Fixed(logits_of(0, 0)), batch(**wrong))


def test_a_batch_with_half_a_pair_is_refused():
    half = {key: value[:1] for key, value in batch().items()}
    with pytest.raises(DataError, match="a batch of 1 rows"):
        DecisionLoss(PLACE, 1, 1).of_batch(Fixed(logits_of(0, 0)), half)


def test_a_row_with_its_letter_elsewhere_is_refused():
    with pytest.raises(DataError, match="letter is not where"):
        DecisionLoss(LetterPlace(0, (A, B)), 1, 1).of_batch(Fixed(logits_of(0, 0)), batch())
