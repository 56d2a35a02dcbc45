"""What a training by both orders of a pair needs of a config and of its rows."""

from collections.abc import Iterator

from ste_plugin.axolotl.letter_place import check_letters_alone, reply_of, what_else
from ste_plugin.axolotl.settings import AxolotlConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging import JudgeFormat
from ste_plugin.records import ORDERS
from ste_plugin.storage.dataset_manifest import DatasetManifest

_EXCLUDED = {
    "rl": "is trained by rewards or preferences, not by the letter",
    "sample_packing": "puts the two orders of a pair into one row, or into two batches",
    "batch_flattening": "puts the rows of a batch into one",
    "group_by_length": "draws rows by their length, and so parts the orders of a pair",
    "train_on_inputs": "learns prompts, where the letter alone is to be learnt",
    "trainer_cls": "is another trainer than the one that keeps the orders of a pair together",
    "auto_find_batch_size": "changes the batch size, by which orders of a pair would come apart",
}
"""Key → why it does not go with `ste.decision`."""


def decision_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield the settings under which the orders of a pair would not meet, each with the cure."""
    own = cfg.get("ste") or {}
    if own.get("decision") is None:
        return
    if own.get("datasets") not in (None, "replace"):
        yield (
            f"ste.decision: with ste.datasets: {own['datasets']} there would be rows of no pair. "
            "Set ste.datasets: replace, or remove ste.decision."
        )
    if own.get("judge_by") == "generation":
        yield (
            "ste.judge_by: generation reads no probabilities, by which a judge of letters is "
            "measured and calibrated. Remove the key."
        )
    for key, why in _EXCLUDED.items():
        if cfg.get(key):
            yield f"{key}: {why}. Remove the key, or ste.decision."
    if (cfg.get("accelerator_config") or {}).get("split_batches"):
        yield (
            "accelerator_config.split_batches: cuts batches, and with them pairs. Set it to false."
        )
    micro = cfg.get("micro_batch_size") or 1
    for key, size in (
        ("micro_batch_size", micro),
        ("eval_batch_size", cfg.get("eval_batch_size") or 2),
    ):
        if size % 2:
            yield (
                f"{key}: found {size}; expected an even number, as both orders of a pair come in "
                f"one batch. Set {key}: {size + 1}" + (_fewer_steps(cfg, size) or ".")
            )


def trains_by_both_orders(
    recipe: AxolotlConfig, name: str, judge_format: JudgeFormat, *, force_verdict: bool
) -> bool:
    """Return whether a run's recipe trains by both orders of a pair, as a judge of letters.

    Raises: ConfigError where the run's judge is to say anything else.
    """
    if (recipe.get("ste") or {}).get("decision") is None:
        return False
    if what := what_else(judge_format):
        raise ConfigError(
            f"training.recipe: {name} trains a judge that answers by a letter alone "
            f"(ste.decision), but judging.format {judge_format.name} {what}. Set judging.format: "
            "decision, or choose another recipe (`ste recipes list`)."
        )
    if not (force_verdict or judge_format.only_choices):
        raise ConfigError(
            f"training.recipe: {name} trains a judge that answers by a letter alone "
            "(ste.decision), but judging.force_verdict is false, so that a judge of the format "
            f"{judge_format.name} writes what it likes. Set judging.force_verdict: true, or "
            "judging.format: decision."
        )
    return True


def _fewer_steps(cfg: AxolotlConfig, size: int) -> str:
    steps = cfg.get("gradient_accumulation_steps") or 1
    if size == 1 and steps % 2 == 0:
        return f", and gradient_accumulation_steps: {steps // 2} for the same step."
    return ""


def check_pairs(manifest: DatasetManifest, judge_format: JudgeFormat) -> dict[str, int]:
    """Return how many pairs have rows in both orders, and how many rows are left out.

    Raises: ConfigError for a format with more than a letter, DataError where a row replies
    anything else, or no pair is there in both orders.
    """
    check_letters_alone(judge_format)
    replies = {letter: reply_of(judge_format, letter) for letter in ORDERS}
    counts: dict[str, list[int]] = {}
    for place, row in manifest.rows("sft-train"):
        said, gold = row["messages"][-1]["content"], row["better_is"]
        if said != replies[gold]:
            raise DataError(
                f"{place}: found the reply {said[:40]!r}; expected {replies[gold]!r}, the letter "
                "alone as the judge format asks for it. Generate the data set with "
                "judging.force_verdict: true and without dataset.verdict_share."
            )
        counts.setdefault(row["pair"], [0, 0])[ORDERS.index(gold)] += 1
    pairs = sum(min(count) for count in counts.values())
    rows = sum(map(sum, counts.values()))
    if not pairs:
        raise DataError(
            f"{manifest.path}: {rows} training rows of {len(counts)} pairs, none of them in both "
            "orders; expected both, as ste.decision holds them against each other. Generate the "
            "data set with dataset.both_orders_only: true, or remove ste.decision."
        )
    return {"pairs": pairs, "left_out": rows - 2 * pairs}
