"""What a config names that is not there: files, checkpoints, packages. Nothing heavy is imported.

`requirement_problems` is asked by `ste-doctor`, by the plugin before a model is loaded, and by
`ste run` before a token is paid for.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from ste_plugin.axolotl.settings import AxolotlConfig
from ste_plugin.engines.model_folder import ADAPTER_CONFIG
from ste_plugin.text.hub_id import may_be_hub_id

TRACKERS = {
    "use_wandb": "wandb",
    "wandb_project": "wandb",
    "use_mlflow": "mlflow",
    "mlflow_experiment_name": "mlflow",
    "use_comet": "comet_ml",
    "comet_project_name": "comet_ml",
    "use_trackio": "trackio",
    "trackio_project_name": "trackio",
}
"""Key that turns a tracker on → its package."""
PACKAGES = {
    **TRACKERS,
    "deepspeed": "deepspeed",
    "load_in_4bit": "bitsandbytes",
    "load_in_8bit": "bitsandbytes",
    "xformers_attention": "xformers",
    "sage_attention": "sageattention",
    "use_ray": "ray",
    "use_kernels": "kernels",
    "qat": "torchao",
}
"""Key that, where it is set, needs a package → the package."""
PLUGIN_PACKAGES = {
    "axolotl.integrations.liger": "liger_kernel",
    "axolotl.integrations.cut_cross_entropy": "cut_cross_entropy",
    "axolotl.integrations.llm_compressor": "llmcompressor",
}
"""Module of axolotl's own plugins → the package that it imports once a model is loaded."""
OPTIMIZERS = (
    (r"(ao_adamw|adamw_torch)_(4bit|8bit|fp8)", "torchao"),
    (r"q_galore_.*", "q_galore_torch"),
    (r"galore_.*", "galore_torch"),
    (r"apollo_.*", "apollo_torch"),
    (r"(ada)?lomo", "lomo_optim"),
    (r"grokadamw", "grokadamw"),
    (r"schedule_free_.*", "schedulefree"),
    (r"stable_adamw|optimi_adamw", "optimi"),
    (r"came_pytorch", "came_pytorch"),
    (r"flash_.*", "flashoptim"),
    (r"adamw_anyprecision", "torchdistx"),
    (r"paged_.*|.*_bnb.*|.*8bit|ademamix.*|lion_32bit", "bitsandbytes"),
)
"""Pattern of an optimizer's name → the package that it is from; the first that matches counts."""

INSTALLED_BY = {
    "cut_cross_entropy": "axolotl's own fork of it: see Cut Cross Entropy in axolotl's documents",
    "optimi": "pip install torch-optimi",
    "ray": "pip install 'ray[train]'",
}
"""Package → how it is installed, where its name on the index is another."""

HasModule = Callable[[str], bool]


def has_module(name: str) -> bool:
    """Return whether a package is installed here, without importing it."""
    return find_spec(name) is not None


def requirement_problems(cfg: AxolotlConfig, has: HasModule = has_module) -> list[str]:
    """Return what a config names that is not there, each with what to do about it."""
    checks = (package_problems(cfg, has), file_problems(cfg), folder_problems(cfg))
    return list(dict.fromkeys(problem for check in checks for problem in check))


def package_problems(cfg: AxolotlConfig, has: HasModule) -> Iterator[str]:
    """Yield the packages that a config needs and that are not installed."""
    for what, package in needed_packages(cfg):
        if not has(package):
            command = INSTALLED_BY.get(package) or f"pip install {package.replace('_', '-')}"
            yield (
                f"{what}: the package {package} is not installed beside axolotl. Install it there "
                f"({command}), or change the key."
            )
    if flash_attention(cfg) and not has("flash_attn"):
        if not has("kernels"):
            yield (
                "flash_attention: neither flash_attn nor kernels is installed beside axolotl. "
                "Install one (pip install kernels), or set attn_implementation: sdpa in its place."
            )
        elif _is_offline() and not any(_hub_cache().glob("*--kernels-community--flash-attn2")):
            yield (
                "flash_attention: flash_attn is not installed, and its kernel is not among what "
                "was downloaded (HF_HUB_OFFLINE is set). Install it (pip install flash-attn), or "
                "set attn_implementation: sdpa in its place."
            )


def needed_packages(cfg: AxolotlConfig) -> Iterator[tuple[str, str]]:
    """Yield (the setting, the package that it needs)."""
    for key, package in PACKAGES.items():
        if cfg.get(key):
            yield key, package
    for plugin in cfg.get("plugins") or []:
        for module, package in PLUGIN_PACKAGES.items():
            if str(plugin).startswith(module):
                yield f"plugins: {plugin}", package
    optimizer = str(cfg.get("optimizer") or "").rpartition(".")[2]
    for pattern, package in OPTIMIZERS:
        if re.fullmatch(pattern, optimizer):
            yield f"optimizer: {optimizer}", package
            break
    if cfg.get("rl") == "grpo" and (cfg.get("trl") or {}).get("use_vllm"):
        yield "trl.use_vllm", "vllm"


def flash_attention(cfg: AxolotlConfig) -> bool:
    """Return whether a config asks for FlashAttention 2."""
    named = str(cfg.get("attn_implementation") or "")
    return bool(cfg.get("flash_attention")) or named in ("flash_attention_2", "flash")


def file_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield the files that a config names and that cannot be used."""
    given = cfg.get("deepspeed")
    if isinstance(given, str) and (why := unreadable_json(Path(given))):
        yield (
            f"deepspeed: {given}: {why}, looked for in {Path.cwd()}. Name a file that is there "
            "(`axolotl fetch deepspeed_configs` downloads axolotl's own), or write its settings "
            "into the config."
        )
    template = str(cfg.get("chat_template_jinja") or "")
    if template and "{" not in template and not Path(template).is_file():
        yield (
            f"chat_template_jinja: {template}: no such file, looked for in {Path.cwd()}; axolotl "
            "would take its name for the template. Name a file that is there."
        )


def unreadable_json(path: Path) -> str:
    """Return why a file holds no JSON mapping; an empty string where it does."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return str(error.strerror).lower()
    except ValueError as error:
        return f"no JSON ({error})"
    return "" if isinstance(content, dict) else "no JSON object"


def folder_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield the folders that a config names and that are not what they are named for."""
    resumed = cfg.get("resume_from_checkpoint")
    if resumed and not (Path(str(resumed)) / "trainer_state.json").is_file():
        yield (
            f"resume_from_checkpoint: {resumed}: no checkpoint there (no trainer_state.json). Name "
            "a folder checkpoint-N of an earlier training, or remove the key."
        )
    for key, wanted in _MODEL_FOLDERS.items():
        if (named := cfg.get(key)) and (why := missing_model(str(named), wanted)):
            yield f"{key}: {named}: {why}. Name a folder with {wanted[0]}, or an id on the hub."
    for key in ("output_dir", "dataset_prepared_path"):
        if (named := cfg.get(key)) and (why := unwritable(Path(str(named)))):
            yield f"{key}: {named}: {why}. Name a folder that can be written to."
    yield from overwriting_problems(cfg)
    yield from leftover_problems(cfg)


def leftover_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield an adapter beside which a whole model would be written.

    transformers (5.16) would load that model with the old adapter on it.
    """
    output = cfg.get("output_dir")
    if output and not cfg.get("adapter") and (Path(str(output)) / ADAPTER_CONFIG).is_file():
        yield (
            f"output_dir: {output}: an adapter of another training lies there ({ADAPTER_CONFIG}), "
            "and what is trained without one would be loaded with the old adapter on it. "
            "Name another folder, or remove the files adapter_* there."
        )


def overwriting_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield an output folder into which the model that is trained would be written over itself."""
    base, output = cfg.get("base_model"), cfg.get("output_dir")
    if not base or not output or not Path(str(base)).is_dir():
        return
    written = Path(str(output)).resolve()
    if Path(str(base)).resolve() in (written, written / "merged"):
        yield (
            f"output_dir: {output}: the base_model {base} would be overwritten. Name another "
            "folder."
        )


_MODEL_FOLDERS = {
    "base_model": ("config.json",),
    "base_model_config": ("config.json",),
    "tokenizer_config": ("tokenizer_config.json", "tokenizer.json", "tokenizer.model"),
    "lora_model_dir": ("adapter_config.json",),
}
"""Key that names a folder or an id on the hub → files of which the folder has one."""


def missing_model(named: str, wanted: Sequence[str]) -> str:
    """Return why there is no such model; an empty string where there may be one."""
    folder = Path(named)
    if folder.is_dir():
        there = any((folder / name).is_file() for name in wanted)
        return "" if there else f"has no {wanted[0]}"
    if not may_be_hub_id(named):
        return "no such folder"
    if _is_offline() and not (_hub_cache() / f"models--{named.replace('/', '--')}").is_dir():
        return (
            "no such folder, and not among the models downloaded (HF_HUB_OFFLINE is set). If it is "
            f"on the hub, download it where that can be reached: `hf download {named}`"
        )
    return ""


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def _hub_cache() -> Path:
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def unwritable(folder: Path) -> str:
    """Return why a folder cannot be made or written to; an empty string where it can."""
    for path in (folder, *folder.parents):
        if path.is_dir():
            return "" if os.access(path, os.W_OK) else f"{path} cannot be written to"
        if path.exists():
            return f"{path} is a file"
    return ""
