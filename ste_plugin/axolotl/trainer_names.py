"""Names of optimizers and schedules, which axolotl takes as any text and looks up in training."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from ste_plugin.axolotl.settings import AxolotlConfig
from ste_plugin.errors import nearest_or


def trainer_name_problems(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield the names of a config that no optimizer and no schedule has."""
    with suppress(ImportError):  # missing libraries are told where they are looked for
        if problem := _unknown(cfg, "optimizer", optimizers, own_optimizers):
            yield problem
        if problem := _unknown(cfg, "lr_scheduler", schedules):
            yield problem


def _unknown(cfg: AxolotlConfig, key: str, *expected: Callable[[], set[str]]) -> str:
    """Return that a key's name is in none of the sets, of which the first is looked at first."""
    name, known = cfg.get(key), set[str]()
    if not isinstance(name, str):
        return ""
    for names in expected:
        known |= names()
        if name in known:
            return ""
    expected_names = sorted(known)
    hint = nearest_or(f"expected one of {expected_names}.", name, expected_names)
    return f"{key}: there is none called {name!r}; {hint}"


def optimizers() -> set[str]:
    """Return the names of all optimizers of transformers."""
    from transformers.training_args import OptimizerNames

    return {o.value for o in OptimizerNames}


def own_optimizers() -> set[str]:
    """Return the names of axolotl's own optimizers."""
    from axolotl.utils.schemas.enums import CustomSupportedOptimizers

    return {o.value for o in CustomSupportedOptimizers}


def schedules() -> set[str]:
    """Return the names of all learning rate schedules that axolotl trains with."""
    from transformers.trainer_utils import SchedulerType

    return {s.value for s in SchedulerType} | {"one_cycle", "rex"}  # axolotl's own
