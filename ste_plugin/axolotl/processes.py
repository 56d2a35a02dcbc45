"""The processes of one training: which of them this is, and one that goes on without the others."""

import os
from collections.abc import Mapping

from ste_plugin.errors import ConfigError

_LAUNCHERS = ("ACCELERATE_", "TORCHELASTIC_", "FSDP_", "MASTER_", "OMPI_", "PMI_")
_STARTERS = {"SLURM_STEP_NUM_TASKS": "srun", "OMPI_COMM_WORLD_SIZE": "mpirun"}
"""Variable with the number of processes started → what starts them and has no ranks for torch."""
_NUMBERS = ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK")
"""Variables with the number of one of the processes that such a starter started."""
_PROCESS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK")


def is_main() -> bool:
    """Return whether this is the first of all processes."""
    return int(os.environ.get("RANK", "0")) == 0


def refuse_copies(environment: Mapping[str, str]) -> None:
    """Raise ConfigError where several of what was started at once would each train alone.

    All of them would write to one folder, and whichever is last would count.
    """
    # torchrun and accelerate tell how many of them meet; others, how many processes there are
    met = int(environment.get("GROUP_WORLD_SIZE") or environment.get("WORLD_SIZE") or 1)
    for name, starter in _STARTERS.items():
        started = int(environment.get(name) or 1)
        if started > met:
            raise ConfigError(
                f"{starter} started axolotl {started} times ({name}), but {met} of them "
                f"train{'s' * (met == 1)} together, so that each would write the same judge. Start "
                "one per node, with hosts.train.launcher: torchrun and launcher_args: [--nnodes, "
                f"{started}, --rdzv_endpoint, FIRST_NODE:29500, ...]; or start only one."
            )


def is_first(environment: Mapping[str, str]) -> bool:
    """Return whether this is the first of what was started at once, where one is to do the work."""
    return not any(int(environment.get(name) or 0) for name in _NUMBERS)


def without_launcher(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what a launcher tells one of several processes."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(_LAUNCHERS) and name not in _PROCESS
    }


def leave_others() -> None:
    """Have axolotl, accelerate and transformers take this process for the only one from now on.

    After a training axolotl ends the group of its processes, and then still asks the group which of
    them this is, in every line that it logs (0.19, 0.21). Under Ray the group stays, and the first
    process would wait for others that do nothing more.
    """
    from accelerate.state import AcceleratorState
    from axolotl.utils import distributed
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    kept = without_launcher(os.environ)
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    AcceleratorState._reset_state(reset_partial_state=True)
    distributed.distributed_state = None
    unset_hf_deepspeed_config()
