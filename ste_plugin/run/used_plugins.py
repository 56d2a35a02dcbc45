"""Which plugins a run was made with: kept in its run.yaml, so that none is left out in silence."""

from pathlib import Path

import pluggy

from ste_plugin.errors import ConfigError
from ste_plugin.plugins.manager import BUILT_IN_NAME
from ste_plugin.run.redo import Redo, Stage
from ste_plugin.storage.config_file import read_run_record
from ste_plugin.storage.run_layout import RunLayout

UNNAMED_HOOKS: dict[str, Stage] = {
    "ste_drop_judgment": "generate",
    "ste_generate_dataset": "generate",
    "ste_gates": "eval",
}
"""Hook that acts on what a run makes though no config names it → the first stage in which it does;
the earliest first.

What a config names is missed by its name; one that only looks on may be left out."""


def file_name(plugin: str) -> str:
    """Return what a run calls a plugin: a file by its name alone, so that it may be moved."""
    return Path(plugin).name


def used_plugins(plugins: pluggy.PluginManager) -> dict[str, list[str]]:
    """Return plugin → its hooks that act unnamed, without the built-in one."""
    used: dict[str, list[str]] = {}
    for hook in UNNAMED_HOOKS:
        for implementation in getattr(plugins.hook, hook).get_hookimpls():
            if implementation.plugin_name != BUILT_IN_NAME:
                used.setdefault(file_name(implementation.plugin_name), []).append(hook)
    return used


def require_used(
    plugins: pluggy.PluginManager, folder: RunLayout, redo: Redo | None = None
) -> None:
    """Check that a run which goes on has the plugins that it was made with.

    One may be missing where all that it acted on is made anew, and where the run is of a version
    that kept no record of them.
    Raises: ConfigError naming it, and how to go on; DataError for a damaged record.
    """
    made_with = read_run_record(folder.config).plugins if folder.config.exists() else {}
    for plugin in sorted(made_with.keys() - used_plugins(plugins).keys()):
        hooks = [hook for hook in UNNAMED_HOOKS if hook in made_with[plugin]]
        first: Stage = UNNAMED_HOOKS[hooks[0]] if hooks else "eval"
        if not (redo and redo.covers(first)):
            raise ConfigError(lacking(folder.config, plugin, first))


def lacking(where: Path, plugin: str, first: Stage) -> str:
    """Return the error's words for a missing plugin; `first`: the stage in which it first acts."""
    name = f"name it by --plugin {plugin}" if plugin.endswith(".py") else "install it again"
    return (
        f"{where}: made with the plugin {plugin}, which is missing now; without it another judge "
        f"may be made, or shipped. Go on with it: {name}; or redo what it acted on, which keeps "
        f"the old output beside the new: `ste run CONFIG --from {first}`."
    )
