"""Adapters that PEFT would not make, or that nobody could merge once they are trained."""

from collections.abc import Iterator

from ste_plugin.axolotl.settings import AxolotlConfig


def adapter_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield why the adapter could not be merged.

    PiSSA takes its start out of the base's weights; by chance, it cannot be found again. Replicated
    layers share weights, into which PEFT merges the adapters of all (0.20).
    """
    if not cfg.get("adapter"):
        return
    if not cfg.get("lora_model_dir"):
        yield from making_problems(cfg)
    start = str(cfg.get("peft_init_lora_weights") or "")
    if start.startswith("pissa_niter"):
        yield (
            f"peft_init_lora_weights: {start} changes the base by chance, and nothing keeps how, "
            "so that the adapter cannot be merged right. Set it to pissa."
        )
    if start == "corda":
        yield (
            "peft_init_lora_weights: corda needs a look at data before the training, which axolotl "
            "does not take. Set it to eva or pissa, or remove the key."
        )
    if cfg.get("peft_layer_replication") and (cfg.get("ste") or {}).get("merge") is not False:
        yield (
            "peft_layer_replication: the replicated layers share weights, so that the adapter "
            "cannot be merged right. Remove the key, or, outside of a run, set "
            "ste.merge: false."
        )


def making_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield what a new LoRA adapter lacks: PEFT asks for it once the model is loaded."""
    if cfg.get("adapter") not in ("lora", "qlora"):
        return
    targets = ("lora_target_linear", "lora_target_modules", "lora_target_parameters")
    if not any(cfg.get(key) for key in targets):
        yield (
            "lora_target_modules: missing, so that the adapter would change nothing. Write "
            "lora_target_linear: true, or name modules."
        )
    for key, usual in (("lora_r", 16), ("lora_alpha", 32)):
        if not cfg.get(key):
            yield f"{key}: missing or 0. Write {key}: {usual} or what you want."


def merging_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield why there would be no adapter to merge at the end."""
    if cfg.get("relora") and (cfg.get("ste") or {}).get("merge") is not False:
        yield (
            "relora: axolotl merges the adapter itself when it saves, so that none is left to "
            "merge. Remove relora, or, outside of a run, set ste.merge: false."
        )
