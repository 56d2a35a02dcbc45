"""How a training's processes are started: by axolotl itself, by a launcher of its, over nodes."""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from string import Template
from typing import Any

from ste_plugin.config import HostConfig
from ste_plugin.errors import ConfigError
from ste_plugin.hosts.run_host import python_of

_WHERE = "hosts.train"
_NODES = {"torchrun": "nnodes", "accelerate": "num_machines"}
"""Launcher → the option that says how many nodes there are."""
_MEETING = {
    "torchrun": ("rdzv_endpoint", "master_addr"),
    "accelerate": ("main_process_ip", "config_file"),
}
"""Launcher → options that say where the nodes find each other."""
_RENDEZVOUS = ("rdzv_endpoint", "rdzv_backend", "rdzv_id")
_MEET_BY = {"rdzv_backend": "c10d"}
_OF_ONE_PROCESS = re.compile(
    "SLURM_(NODEID|PROCID|LOCALID)|OMPI_COMM_WORLD_.*RANK|PMI_RANK|(NODE_|GROUP_|LOCAL_)?RANK"
)
"""Variables that are others in each of the processes that are started."""
_PLACE = {
    "torchrun": "--rdzv_endpoint, FIRST_NODE:29500",
    "accelerate": "--main_process_ip, FIRST_NODE, --main_process_port, 29500",
}


def train_command(host: HostConfig, config: Path) -> list[str]:
    """Return the command that trains a config.

    With a launcher it is that of axolotl's documents: `axolotl train CONFIG --launcher NAME -- …`.
    Raises: ConfigError for a variable that is not set.
    """
    python, wrapper = python_of(host), _expanded(host.wrapper, "wrapper")
    if host.launcher == "python":
        return [*wrapper, python, "-m", "axolotl.cli.train", str(config)]
    axolotl = [python, "-m", "axolotl.cli.main", "train", str(config)]
    return [*wrapper, *axolotl, "--launcher", host.launcher, "--", *_arguments(host, config)]


def merge_command(host: HostConfig, config: Path) -> list[str]:
    """Return the command that merges again what a config has trained: one process does it.

    Raises: ConfigError for a variable that is not set.
    """
    module = [python_of(host), "-m", "ste_plugin.axolotl.finishing", str(config)]
    return [*_expanded(host.wrapper, "wrapper"), *module]


def launcher_environment(host: HostConfig) -> dict[str, str]:
    """Return the variables that a launcher needs: `PATH`, the environment's own programs first.

    axolotl starts launchers by name, and another environment's would train with another axolotl.
    """
    own, others = Path(python_of(host)).absolute().parent, os.environ.get("PATH", os.defpath)
    return {} if host.launcher == "python" else {"PATH": f"{own}{os.pathsep}{others}"}


def check_launcher(host: HostConfig, recipes: Mapping[str, Mapping[str, Any]]) -> None:
    """Find what would stop a training's processes from being started, or from meeting.

    `recipes`: name → settings. Raises: ConfigError.
    """
    words = _expanded(host.launcher_args, "launcher_args")
    programs = [*_expanded(host.wrapper, "wrapper")[:1]]
    if host.launcher != "python":
        _check_meeting(host.launcher, words)
        _check_without_ray(host.launcher, recipes)
        programs += [] if host.wrapper else [host.launcher]
    path = launcher_environment(host).get("PATH")
    for program in programs:
        if shutil.which(program, path=path) is None:
            raise ConfigError(
                f"{_WHERE}: found no program {program!r}, neither beside {python_of(host)} nor on "
                "PATH. Install it, or correct hosts.train.launcher, wrapper or python."
            )


def _check_meeting(launcher: str, words: Sequence[str]) -> None:
    """Raise ConfigError for several nodes that are not told where to meet."""
    name = _NODES[launcher]
    found = _options(words)
    nodes = found.get(name) or os.environ.get(f"PET_{name.upper()}") or "1"
    most = nodes.rpartition(":")[2]
    if not re.fullmatch(r"(\d+:)?[1-9]\d*", nodes):
        raise ConfigError(
            f"{_WHERE}.launcher_args: --{name}: found {nodes!r}; expected how many nodes there "
            "are, as 2 (or 1:4, from one to four)."
        )
    places = _MEETING[launcher]
    if int(most) > 1 and not any(
        found.get(p) or os.environ.get(f"PET_{p.upper()}") for p in places
    ):
        raise ConfigError(
            f"{_WHERE}.launcher_args: {nodes} nodes (--{name}), but no --{places[0]}, so that each "
            f"would wait for the others on its own. Add [{_PLACE[launcher]}], the first node's "
            "name and a free port there."
        )


def _check_without_ray(launcher: str, recipes: Mapping[str, Mapping[str, Any]]) -> None:
    for name, recipe in recipes.items():
        if recipe.get("use_ray"):
            raise ConfigError(
                f"training.recipe: {name}: use_ray: true has Ray start the processes, and "
                f"hosts.train.launcher: {launcher} would start them, too. Remove one of them."
            )


def _arguments(host: HostConfig, config: Path) -> list[str]:
    """Return a launcher's arguments; nodes that meet get the name of what they meet for.

    Left out, axolotl would draw another one on each node (0.19, 0.21), and they would never meet.
    It knows `--rdzv_endpoint` by this spelling only, and adds how they meet; where the place is in
    the environment, this is added here: by default each node would take itself for the first.
    """
    words = _expanded(host.launcher_args, "launcher_args")
    if host.launcher != "torchrun":
        return words
    words = [re.sub("^--rdzv-", "--rdzv_", word) for word in words]
    found = _options(words)
    given = {*found, *(name for name in _RENDEZVOUS if os.environ.get(f"PET_{name.upper()}"))}
    name = hashlib.sha256(str(config).encode()).hexdigest()[:12]
    added = {"rdzv_id": f"ste-{name}"} | ({} if "rdzv_endpoint" in found else _MEET_BY)
    if "rdzv_endpoint" in given:
        words += [w for n, value in added.items() if n not in given for w in (f"--{n}", value)]
    return words


def _options(words: Sequence[str]) -> dict[str, str]:
    """Return name → value of the options among words: `--a 1`, `--a=1` and `--a-b 1` alike.

    >>> _options(["--nnodes", "2", "--rdzv-endpoint=a:1", "--standalone"])
    {'nnodes': '2', 'rdzv_endpoint': 'a:1', 'standalone': ''}
    """
    found = {}
    for word, after in zip_longest(words, words[1:], fillvalue="--"):
        if word.startswith("-"):
            name, has_value, value = word.lstrip("-").partition("=")
            value = value if has_value else "" if after.startswith("-") else after
            found[name.replace("-", "_")] = value
    return found


def _expanded(words: Sequence[str | int], setting: str) -> list[str]:
    """Return words with the values of the environment variables that they name: $NAME, ${NAME}.

    Raises: ConfigError for one that is not set, or that is another on each node.
    """
    for name in (n for word in words for n in Template(str(word)).get_identifiers()):
        if _OF_ONE_PROCESS.fullmatch(name):
            raise ConfigError(
                f"{_WHERE}.{setting}: found ${name}, which is another one on each node, but is "
                "filled in once, where `ste` runs. Leave it out: nodes that meet by torchrun's "
                "--rdzv_endpoint (accelerate: with --rdzv_backend, c10d) number themselves."
            )
    try:
        return [Template(str(word)).substitute(os.environ) for word in words]
    except KeyError as error:
        name = error.args[0]
        raise ConfigError(
            f"{_WHERE}.{setting}: names the environment variable {name}, which is not set. Set it "
            f"(`export {name}=...`) where `ste` is started; a `$` itself is written `$$`."
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"{_WHERE}.{setting}: a `$` that begins no variable's name. Write `$NAME`, or `$$` for "
            "the sign itself."
        ) from error
