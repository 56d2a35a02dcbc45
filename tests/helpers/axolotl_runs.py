"""Trainings with real axolotl, each in a process of its own, for the price of one import.

`python -m tests.helpers.axolotl_runs CONFIG…` trains each config, its output in CONFIG's `.log`
and the exit code that `python -m axolotl.cli.train CONFIG` would give in its `.rc`. The config
`interrupted` gets a SIGINT after its first step; those named `validated…` are only read; those
named `ranks_N` train in N processes, with the environment that torchrun gives them, by
`judged_in_processes`.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

from ste_plugin.engines.vllm.server_process import free_port
from tests.helpers import environment, judged_in_processes

ON_A_CPU = {
    "bf16": False,
    "fp16": False,
    "tf32": False,
    "optimizer": "adamw_torch",
    "dataset_num_proc": 0,
    "sequence_len": 256,
    "micro_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "num_epochs": 1,
    "learning_rate": 0.01,
    "logging_steps": 1,
}
LORA = {
    "adapter": "lora",
    "lora_r": 4,
    "lora_alpha": 8,
    "lora_target_linear": True,
    "lora_mlp_kernel": False,
    "lora_qkv_kernel": False,
    "lora_o_kernel": False,
}
RECIPE = """\
# purpose: a few steps on a tiny model
base_model: STE_MODEL
plugins: [ste_plugin.axolotl.training_plugins.SeededAdapter]
adapter: lora
lora_r: 4
lora_alpha: 8
lora_target_linear: true
sequence_len: 1024
micro_batch_size: 4
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
"""A recipe of a few steps on a tiny model."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "WANDB_SILENT": "true",
}


def train_all(configs: list[Path]) -> dict[str, int]:
    """Return name of config → exit code."""
    command = [sys.executable, "-m", "tests.helpers.axolotl_runs", *map(str, configs)]
    with (configs[0].parent / "runs.log").open("w") as log:
        subprocess.run(
            command,
            cwd=configs[0].parent,
            env=environment(**ENVIRONMENT),
            stdout=log,
            stderr=log,
            timeout=1800,
            check=True,
        )
    return {c.stem: int(c.with_suffix(".rc").read_text()) for c in configs}


def train_here(config: Path, log_suffix: str) -> None:
    """Train one config in this process."""
    log = os.open(config.with_suffix(log_suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.argv = ["axolotl"]
    if config.stem.startswith("ranks"):
        judged_in_processes.train(config, int(os.environ["RANK"]))
    elif config.stem.startswith("validated"):
        validate(config)
    else:
        from axolotl.cli.train import do_cli

        do_cli(str(config))


def validate(config: Path) -> None:
    """Read a config as far as axolotl can without what it trains with."""
    import yaml
    from axolotl.cli.config import prepare_plugins
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    cfg = DictDefault(yaml.safe_load(config.read_text()))
    prepare_plugins(cfg)
    assert validate_config(cfg).deepspeed


def interrupt(child: int, log: Path) -> None:
    """Send SIGINT once a step is taken."""
    while not log.exists() or "'loss'" not in log.read_text(errors="replace"):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGINT)


def seen_reward(completions, pair, better_is, **_):
    """A reward of every second completion, which writes down what prompts came in one batch."""
    with Path("batches.jsonl").open("a") as seen:
        seen.write(
            json.dumps([[p, letter] for p, letter in zip(pair, better_is, strict=True)]) + "\n"
        )
    return [float(n % 2) for n in range(len(completions))]


def forked(config: Path, rank: int, world: int, port: int) -> int:
    """Start training a config in a process of its own; return its id."""
    child = os.fork()
    if child:
        return child
    if world:
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ.update({key: str(value) for key, value in (place | address).items()})
    code = 1
    try:
        train_here(config, f".{rank}.log" if rank else ".log")
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()
    os._exit(code)


def main() -> None:
    import axolotl.cli.train
    import axolotl.core.builders
    import axolotl.train
    import axolotl.utils.config  # noqa: F401

    for config in map(Path, sys.argv[1:]):
        world = int(config.stem.partition("ranks_")[2] or 0)
        port = free_port(None)
        children = [forked(config, rank, world, port) for rank in range(world or 1)]
        if config.stem == "interrupted":
            interrupt(children[0], config.with_suffix(".log"))
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        config.with_suffix(".rc").write_text(str(max(codes, key=abs)))


if __name__ == "__main__":
    main()
