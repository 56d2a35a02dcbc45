"""The trainer of a judge that answers by a letter: axolotl's own, with pairs kept together."""

from typing import Any

from axolotl.core.trainers.base import AxolotlTrainer

from ste_plugin.axolotl.both_orders import BETTER_IS, PAIR, PairSampler
from ste_plugin.axolotl.decision_loss import DecisionLoss
from ste_plugin.errors import DataError


class DecisionTrainer(AxolotlTrainer):  # type: ignore[misc]
    """Draws pairs instead of rows, and learns by `decision_loss`, which is set once it is made."""

    decision_loss: DecisionLoss

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # our loss is a mean over the batch's pairs, so that the trainer divides by the batches
        self.model_accepts_loss_kwargs = False

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        missing = {PAIR, BETTER_IS} - set(self._signature_columns)
        self._signature_columns += sorted(missing)

    def _get_train_sampler(self, train_dataset: Any = None) -> PairSampler:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        in_order = self.args.curriculum_sampling
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return _sampler(dataset, None if in_order else seed)

    def _get_eval_sampler(self, eval_dataset: Any = None) -> PairSampler:
        return _sampler(self.eval_dataset if eval_dataset is None else eval_dataset, None)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss of a batch of pairs."""
        inputs = inputs | self._own_inputs(model, inputs)
        loss, outputs, parts = self.decision_loss.of_batch(model, inputs)
        when = "train" if model.training else "eval"
        self.store_metrics({k: float(part) for k, part in parts.items()}, train_eval=when)
        return (loss, outputs) if return_outputs else loss

    def _own_inputs(self, model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return what some models want beside tokens, which axolotl adds in its own loss (0.19)."""
        config = getattr(self.accelerator.unwrap_model(model), "config", None)
        if getattr(config, "model_type", "") not in ("gemma4", "gemma4_unified"):
            return {}
        return {"mm_token_type_ids": inputs["input_ids"].new_zeros(inputs["input_ids"].shape)}


def _sampler(dataset: Any, seed: int | None) -> PairSampler:
    sampler = PairSampler(dataset, seed)
    if not sampler.pairs:
        raise DataError(
            f"ste.decision: of {len(sampler.single)} rows none is there in both orders of its "
            "pair. Generate the data set with dataset.both_orders_only: true."
        )
    return sampler
