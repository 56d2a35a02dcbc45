"""What a judge that answers by a letter is trained by: both orders of a pair at once.

For a pair shown in two orders, the better answer as A and as B, with p1 and p2 the probabilities
of A among the two letters, q1 = p1 and q2 = 1 - p2 those of the right letter:

    loss = mean of -log P(reply) over the two orders, over the whole vocabulary
         + brier * ((1 - q1)^2 + (1 - q2)^2) / 2
         + consistency * (p1 + p2 - 1)^2
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ste_plugin.axolotl.both_orders import BETTER_IS, PAIR
from ste_plugin.axolotl.letter_place import LetterPlace
from ste_plugin.axolotl.measure_model import keeps_logits
from ste_plugin.axolotl.trained_rows import IGNORED
from ste_plugin.errors import DataError


@dataclass(frozen=True, slots=True)
class DecisionLoss:
    """The loss of batches in which the rows of a pair are side by side."""

    place: LetterPlace
    brier: float
    consistency: float

    def of_batch(self, model: Any, inputs: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
        """Return the loss, the model's outputs, and the loss's parts.

        `inputs`: `input_ids`, `attention_mask`, `labels` of (rows, tokens), PAIR and BETTER_IS of
        (rows). Raises: DataError where two rows are not the two orders of one pair.
        """
        check_side_by_side(inputs[PAIR], inputs[BETTER_IS])
        following = torch.full_like(inputs["labels"], IGNORED)
        following[:, :-1] = inputs["labels"][:, 1:]
        learnt = following != IGNORED
        kept = learnt.any(dim=0).nonzero().squeeze(1)
        own = ("labels", PAIR, BETTER_IS)
        passed = {key: value for key, value in inputs.items() if key not in own}
        if keeps := keeps_logits(model):
            passed["logits_to_keep"] = kept
        outputs = model(**passed, use_cache=False)
        logits = outputs.logits if keeps else outputs.logits[:, kept]
        at = torch.searchsorted(kept, learnt.int().argmax(dim=1) + self.place.offset)
        loss, parts = self.of_logits(logits, following[:, kept], at, inputs[BETTER_IS])
        return loss, outputs, parts

    def of_logits(
        self, logits: Any, targets: Any, at: Any, better_is: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the loss and its parts.

        logits: (rows, places, vocabulary). targets: (rows, places), the tokens that should come
        there, or IGNORED. at: (rows), the letter's place. better_is: (rows), 0 where A is right.
        """
        logits = logits.float()
        entropies = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
        )
        cross_entropy = entropies.view_as(targets).sum(dim=1).mean()
        rows = torch.arange(len(at), device=at.device)
        tokens = torch.tensor(self.place.tokens, device=at.device)
        if (targets[rows, at] != tokens[better_is]).any():
            raise DataError(
                "ste.decision: a row's letter is not where this data set's judge format puts it. "
                "Remove what axolotl prepared before (dataset_prepared_path), or generate the "
                "data set again."
            )
        letters = logits[rows, at][:, tokens]
        shown_first = torch.sigmoid(letters[:, 0] - letters[:, 1])
        right = torch.where(better_is == 0, shown_first, 1 - shown_first)
        brier = (1 - right).square().mean()
        gap = (shown_first[0::2] + shown_first[1::2] - 1).square().mean()
        loss = cross_entropy + self.brier * brier + self.consistency * gap
        parts = {"cross_entropy": cross_entropy, "brier": brier, "inconsistency": gap}
        return loss, {name: part.detach() for name, part in parts.items()}


def check_side_by_side(pairs: Any, better_is: Any) -> None:
    """Return if rows 0 and 1, 2 and 3, … are the two orders of one pair each.

    Raises: DataError where they are not.
    """
    even = len(pairs) % 2 == 0
    if even and (pairs[0::2] == pairs[1::2]).all() and (better_is[0::2] != better_is[1::2]).all():
        return
    raise DataError(
        f"ste.decision: a batch of {len(pairs)} rows in which the two orders of a pair are not "
        "side by side, so that they cannot be held against each other. Something changed the "
        "trainer's sampler or cut its batches: remove other plugins with a trainer of their own, "
        "and keys that split or shuffle batches."
    )
