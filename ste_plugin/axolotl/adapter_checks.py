"""Adapters that nobody could merge once they are trained."""

from collections.abc import Iterator

from ste_plugin.axolotl.settings import AxolotlConfig


def adapter_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield why the adapter could not be merged.

    PiSSA takes its start out of the base's weights; by chance, it cannot be found again. Replicated
    layers share weights, into which PEFT merges the adapters of all (0.20).
    """
    if not cfg.get("adapter"):
        return
    start = str(cfg.get("peft_init_lora_weights") or "")
    if start.startswith("pissa_niter"):
        yield (
            f"peft_init_lora_weights: {start} changes the base by chance, and nothing keeps how, "
            "so that the adapter cannot be merged right. Set it to pissa."
        )
    if cfg.get("peft_layer_replication") and (cfg.get("ste") or {}).get("merge") is not False:
        yield (
            "peft_layer_replication: the replicated layers share weights, so that the adapter "
            "cannot be merged right. Remove the key, or set ste.merge: false."
        )
