"""lm-eval without its description of the machine, for which it starts pip and ten more programs."""

from typing import Any


def leave_out_the_machine() -> None:
    """Have every evaluation in this process leave it out; that takes a second each."""
    from torch.utils import collect_env

    collect_env.get_pretty_env_info = lambda: "not looked for in tests"


def simple_evaluate(**how: Any) -> dict[str, Any]:
    """Return what lm-eval does."""
    import lm_eval

    leave_out_the_machine()
    return lm_eval.simple_evaluate(**how)
