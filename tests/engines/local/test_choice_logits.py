"""What a model thinks of choices is worked out once for every prompt."""

import torch

from ste_plugin.engines.local import choice_logits
from ste_plugin.engines.local.batches import Prompt
from ste_plugin.engines.local.choice_logits import ChoiceLogits


def prompt(*ids: int, choices: tuple[int, ...] = (1, 2)) -> Prompt:
    return Prompt([], list(ids), list(choices))


def test_the_logits_of_a_prompt_are_those_of_its_own_tokens_and_choices():
    known = ChoiceLogits()
    known.keep(prompt(7, 8), torch.tensor([0.5, 0.25]))
    assert known.get(prompt(7, 8)).tolist() == [0.5, 0.25]
    others = (prompt(7), prompt(7, 8, choices=(2, 1)), prompt(7, choices=(8, 1, 2)))
    assert [known.holds(other) for other in (*others, prompt(7, 8, choices=()))] == [False] * 4


def test_of_more_prompts_than_there_is_room_for_the_latest_are_known(monkeypatch):
    monkeypatch.setattr(choice_logits, "_MAX_PROMPTS", 2)
    known = ChoiceLogits()
    for n in range(3):
        known.keep(prompt(n), torch.tensor([float(n)]))
    assert [known.holds(prompt(n)) for n in range(3)] == [False, True, True]
