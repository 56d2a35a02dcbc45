"""A run to kill: its config, its instructions, its seed judge, and the environment it is started
in."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.helpers import ROOT

HERE = Path(__file__).parent
STUBS = HERE / "hosts"
HOOKS = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_engines():
    return {"steady": "tests.survival.soak.engine:create"}
"""
RECIPE = """\
base_model: STE_MODEL
plugins: [ste_plugin.axolotl.training_plugins.SeededAdapter]
adapter: lora
lora_r: 4
lora_alpha: 8
lora_target_linear: true
sequence_len: 1024
micro_batch_size: 8
gradient_accumulation_steps: 1
num_epochs: 1
optimizer: adamw_torch
learning_rate: 0.001
lr_scheduler: cosine
bf16: false
fp16: false
lora_mlp_kernel: false
lora_qkv_kernel: false
lora_o_kernel: false
logging_steps: 1
output_dir: STE_OUTPUT
"""
PREFERENCES = RECIPE + "rl: dpo\nrl_beta: 0.1\n"


class Scene:
    """A folder with all that a run starts from."""

    def __init__(
        self,
        folder: Path,
        seed: Path,
        *,
        stubs: bool,
        iterations: int = 2,
        texts: int = 24,
        small: bool = False,
        pause_s: float = 0.004,
        **settings: Any,
    ) -> None:
        """`stubs`: axolotl, lm-eval and transformers are programs of the tests; `seed` is the seed
        judge.

        `small`: one training an iteration and one evaluation a judge. `pause_s`: what a few
        requests take.
        `settings` are laid over the config.
        """
        self._pause_s = pause_s
        self.folder, self.stubs, self.hears_hanging_up = folder, stubs, True
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hooks.py").write_text(HOOKS)
        (folder / "sft.yaml").write_text(RECIPE)
        (folder / "dpo.yaml").write_text(PREFERENCES)
        rows = [{"instruction": f"Say the number {n} in words.", "id": n} for n in range(texts)]
        (folder / "instructions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        held_out = {"dev_fraction": 0.2, "test_fraction": 0.0 if small else 0.2}
        self.config = {
            "run": "run",
            "iterations": iterations,
            "judge": {"model": str(seed), "engine": "steady", "options": self.options("cpu")},
            "generator": {"model": "none", "engine": "steady", "options": self.options("cuda:0")},
            "plugins": ["hooks.py"],
            "instructions": [{"path": "instructions.jsonl"}],
            "selection": {"label": True},
            "pairs": {"strategies": ["other-instruction", "modified-instruction-two-calls"]},
            "judging": {"format": "brief", "samples": 3, "force_verdict": True, "top_up": 3},
            "dataset": {"sequence_len": 1024} | held_out,
            "training": {"recipe": ["sft.yaml"] if small else ["sft.yaml", "dpo.yaml"]},
            "evaluation": {"max_new_tokens": 8},
        } | settings
        self.write()

    def options(self, device: str) -> dict[str, Any]:
        """Return an engine's options. Generator and judge say different devices: both work at
        once."""
        return {"asked": str(self.asked), "pause_s": self._pause_s, "device": device}

    def write(self) -> None:
        """Write the config as it is now."""
        (self.folder / "ste.yaml").write_text(yaml.safe_dump(self.config))

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.folder / "run"

    @property
    def asked(self) -> Path:
        """Every request that was paid for, one a line, in the order of asking."""
        return self.folder / "asked.txt"

    @property
    def command(self) -> list[str]:
        """What starts and resumes the run."""
        return [
            sys.executable,
            "-m",
            "ste_plugin",
            "run",
            "ste.yaml",
            "--plugin",
            "hooks.py",
            "--json",
        ]

    def environment(self, mark: str = "") -> dict[str, str]:
        """Return the environment of the run; `mark` is in that of every process that it starts."""
        places = [*[STUBS] * self.stubs, ROOT, os.environ.get("PYTHONPATH", "")]
        more = {"PYTHONPATH": os.pathsep.join(map(str, places)), "STE_SOAK": mark}
        # on one thread a training gives the same weights each time
        return os.environ | more | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def folder_in_memory() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder on tmpfs, where syncs cost nothing and no inode number is used twice, or a
    usual one."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    return tempfile.TemporaryDirectory(dir=place)


def fake_seed(folder: Path) -> Path:
    """Return the folder of a model that only stubs read."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "model.safetensors").write_bytes(b"seed" * 64)
    return folder
