"""Names of optimizers and schedules, which axolotl takes as any text and looks up in training."""

from collections.abc import Iterator
from difflib import get_close_matches

from ste_plugin.axolotl.settings import AxolotlConfig


def trainer_name_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield the names of a config that no optimizer and no schedule has."""
    for key, expected in (("optimizer", optimizers), ("lr_scheduler", schedules)):
        name = cfg.get(key)
        if isinstance(name, str) and name not in (known := expected()):
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {sorted(known)}."
            yield f"{key}: there is none called {name!r}; {hint}"


def optimizers() -> set[str]:
    """Return the names of all optimizers that axolotl trains with."""
    from axolotl.utils.schemas.enums import CustomSupportedOptimizers
    from transformers.training_args import OptimizerNames

    return {o.value for enum in (OptimizerNames, CustomSupportedOptimizers) for o in enum}


def schedules() -> set[str]:
    """Return the names of all learning rate schedules that axolotl trains with."""
    from transformers.trainer_utils import SchedulerType

    return {s.value for s in SchedulerType} | {"one_cycle", "rex"}  # axolotl's own
