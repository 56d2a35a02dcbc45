"""Every error that a user can cause, and the exit code of the command for it.

SteError (1)
├── ConfigError (2)      a run's YAML or a command's arguments
├── DataError (3)        a file the user gave, or one a run wrote
├── EngineError (4)      a model or server that cannot answer
├── HostError (5)        axolotl or lm-eval is missing, or failed
├── PluginError (6)      a plugin that does not fit
├── JudgeError (7)       a judge that yields nothing to train on
├── NotTrusted (8)       an audit found what breaks its thresholds
└── Inconclusive (9)     an audit with too little to decide on

A message says where, what was found, what was expected, and what to do next.
"""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'NEAREST'?`, or nothing where no known name is near.

    >>> did_you_mean("vlm", ["hf", "vllm"])
    " Did you mean 'vllm'?"
    """
    near = get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def nearest_or(otherwise: str, name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'NEAREST'?`, or other words where no known name is near.

    >>> nearest_or("remove the key.", "vlm", ["hf", "vllm"])
    "did you mean 'vllm'?"
    """
    return did_you_mean(name, known).strip().replace("Did", "did", 1) or otherwise


class SteError(Exception):
    """The root: `ste` prints the message without a traceback and exits with `exit_code`."""

    exit_code = 1


class ConfigError(SteError):
    """A setting is unknown, missing, out of range, or in conflict with another."""

    exit_code = 2


class DataError(SteError):
    """A file is missing, malformed, or not what its name in a run says it is."""

    exit_code = 3


class EngineError(SteError):
    """A model could not be loaded, or a server did not answer as its protocol says."""

    exit_code = 4


class HostError(SteError):
    """axolotl or lm-eval is not installed, refused its input, or ended without its result."""

    exit_code = 5


class PluginError(SteError):
    """A plugin cannot be imported, names an unknown hook, or collides with another."""

    exit_code = 6


class JudgeError(SteError):
    """The judge gave no usable judgment, so there is nothing to train on."""

    exit_code = 7


class NotTrusted(SteError):
    """`ste audit` ended NOT TRUSTED: a figure breaks its threshold; or a cascade errs too often."""

    exit_code = 8


class Inconclusive(SteError):
    """`ste audit` ended INCONCLUSIVE, or a cascade has too few labels: too little to decide by."""

    exit_code = 9
