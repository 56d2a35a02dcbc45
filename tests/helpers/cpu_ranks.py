"""A plugin with which several processes of one axolotl training run on a CPU, and a launcher of
nodes that are all this machine."""

import sys
from pathlib import Path
from typing import Any

from axolotl.integrations.base import BasePlugin

NAME = "tests.helpers.cpu_ranks.CpuRanks"
ENVIRONMENT = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}


class CpuRanks(BasePlugin):
    """Keeps the weights of every process on the CPU, where axolotl gives each a GPU (0.19)."""

    def register(self, cfg: Any) -> None:
        """Ask no driver of GPUs about them: axolotl 0.21 does where there are several processes."""
        from axolotl.utils import trainer

        trainer.check_cuda_p2p_ib_support = lambda: True

    def load_datasets(self, cfg: Any, preprocess: bool = False) -> None:
        """Undo what axolotl has worked out for several processes."""
        cfg.device_map, cfg.ddp = "cpu", False

    def get_training_args(self, cfg: Any) -> dict[str, Any]:
        """Have the processes talk without GPUs."""
        return {"use_cpu": True, "ddp_backend": "gloo"}


def nodes_on_this_machine(folder: Path, nodes: int) -> Path:
    """Return a program that runs its arguments so many times at once, as `srun` does on nodes."""
    path = folder / "on-nodes"
    path.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\n"
        f"running = [subprocess.Popen(sys.argv[1:]) for _ in range({nodes})]\n"
        "sys.exit(max(node.wait() for node in running))\n"
    )
    path.chmod(0o755)
    return path
