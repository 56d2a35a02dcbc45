"""Building the plugin manager, and asking it for what plugins contribute."""

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pluggy

from ste_plugin.errors import ConfigError, PluginError, did_you_mean
from ste_plugin.plugins.loader import MEND, register_file

SPECIFICATIONS, BUILT_IN = "ste_plugin.hookspecs", "ste_plugin.plugins.builtin"
"""By name, not imported: they know every step of the method, and every step asks for plugins here."""

NAMED_HOOKS = (
    "ste_sources",
    "ste_engines",
    "ste_selectors",
    "ste_pair_strategies",
    "ste_judge_formats",
    "ste_dataset_formats",
)
"""Hooks that return a dictionary by name."""


def plugin_manager(files: Iterable[Path] = ()) -> pluggy.PluginManager:
    """Return a manager with the built-ins, every installed plugin, and these `hooks.py` files.

    Raises: PluginError where one cannot be imported, misspells a hook, or takes another's name.
    """
    manager = pluggy.PluginManager("ste")
    manager.add_hookspecs(importlib.import_module(SPECIFICATIONS))
    manager.register(importlib.import_module(BUILT_IN), "builtin")
    try:
        manager.load_setuptools_entrypoints("ste")
    except Exception as error:  # whatever the import of a stranger's module raises
        raise PluginError(
            f"An installed plugin (entry-point group 'ste') cannot be imported: {error!r}.\n"
            "Mend or uninstall it; `pip list` shows what is installed."
        ) from error
    for file in files:
        register_file(manager, file)
    check(manager)
    return manager


def registered_files(manager: pluggy.PluginManager) -> tuple[Path, ...]:
    """Return the files among the plugins: another process has to be told of these, not of installed ones."""
    plugins = manager.list_name_plugin()
    return tuple(Path(name) for name, plugin in plugins if getattr(plugin, "__file__", "") == name)


def require_named_plugins(
    listed: Iterable[Path], named: Iterable[Path], where: str, how: str
) -> None:
    """Return if every plugin file that a config lists was also named by who runs it.

    Raises: PluginError naming the files and `how` to name them: a config is data, and may be a stranger's.
    """
    known = {path.resolve() for path in named}
    if unnamed := [path for path in listed if path.resolve() not in known]:
        told = " ".join(how.format(path) for path in unnamed)
        raise PluginError(
            f"{where} lists plugins, which are Python code, and a plugin runs only if it is installed or "
            f"named on the command line. If you trust them, add: {told}"
        )


def check(manager: pluggy.PluginManager) -> None:
    """Raise PluginError for a hook nobody specified, or a name that two plugins contribute."""
    for name, plugin in manager.list_name_plugin():
        for caller in manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                hint = did_you_mean(caller.name, hook_descriptions())
                raise PluginError(
                    f"{name}: no hook is called {caller.name!r}.{hint} `ste plugins --hooks` lists them."
                )
    for hook in NAMED_HOOKS:
        contributions(manager, hook)


def contributions(manager: pluggy.PluginManager, hook: str) -> dict[str, tuple[str, Any]]:
    """Return name → (plugin, thing) for one of `NAMED_HOOKS`.

    Raises: PluginError naming both plugins where two contribute one name.
    """
    found: dict[str, tuple[str, Any]] = {}
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        for name, thing in _contributed_by(implementation, hook).items():
            if name in found:
                raise PluginError(
                    f"{hook}: both {found[name][0]!r} and {implementation.plugin_name!r} contribute "
                    f"{name!r}. Rename one of them."
                )
            found[name] = (implementation.plugin_name, thing)
    return found


def _contributed_by(implementation: pluggy.HookImpl, hook: str) -> dict[str, Any]:
    """Return what one plugin's hook gives. Raises: PluginError where it fails, or gives something else."""
    where = f"{implementation.plugin_name}: {hook}"
    try:
        found = implementation.function()
    except Exception as error:  # whatever a stranger's function raises
        raise PluginError(f"{where} failed: {error!r}. {MEND}") from error
    if not isinstance(found, dict):
        raise PluginError(f"{where} returned {found!r}; expected a dictionary {{name: …}}. {MEND}")
    expected, fits = _THINGS.get(hook, ("something that can be called", callable))
    for name, thing in found.items():
        if not fits(thing):
            raise PluginError(f"{where}: {name!r} is {thing!r}; expected {expected}. {MEND}")
    return found


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda thing: all(hasattr(thing, name) for name in names)


_THINGS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "ste_engines": ("'module:factory'", lambda thing: isinstance(thing, str) and ":" in thing),
    "ste_judge_formats": ("a JudgeFormat", _has("render", "parse", "version")),
    "ste_pair_strategies": ("a PairStrategy", _has("next_prompt", "worse", "version")),
}
"""Hook → what the things that it names are; of all others they are functions."""


def contributed_folders(manager: pluggy.PluginManager, hook: str) -> list[Path]:
    """Return the folders that plugins contribute to `ste_recipe_dirs` or `ste_task_dirs`.

    Raises: PluginError naming the plugin whose folder is none.
    """
    found: list[Path] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        folder = implementation.function()
        if not isinstance(folder, Path) or not folder.is_dir():
            raise PluginError(
                f"{implementation.plugin_name}: {hook} returned {folder!r}; expected the Path of a folder "
                f"that exists, as Path(__file__).parent. {MEND}"
            )
        found.append(folder)
    return found


def find_contribution(manager: pluggy.PluginManager, hook: str, name: str, setting: str) -> Any:
    """Return the thing that plugins contribute under `name`.

    Raises: ConfigError naming the setting, the nearest name and all that there are.
    """
    found = contributions(manager, hook)
    if name not in found:
        hint = did_you_mean(name, found)
        raise ConfigError(
            f"{setting}: no {name!r}.{hint} There are: {', '.join(sorted(found))}; "
            "a plugin can add more (see `ste plugins`)."
        )
    return found[name][1]


def import_object(target: str) -> Any:
    """Return what `module:name` points to.

    Raises: PluginError where it cannot be imported, with what is missing.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"{target}: cannot be imported ({error}). `ste doctor` says what to install."
        ) from error


def contributed_names(manager: pluggy.PluginManager) -> dict[str, dict[str, list[str]]]:
    """Return plugin → hook → names contributed (none for hooks that return no dictionary)."""
    found: dict[str, dict[str, list[str]]] = {}
    for hook in hook_descriptions():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            names = sorted(implementation.function()) if hook in NAMED_HOOKS else []
            found.setdefault(implementation.plugin_name, {})[hook] = names
    return found


def hook_descriptions() -> dict[str, str]:
    """Return hook → the first line of its docstring."""
    specs = vars(importlib.import_module(SPECIFICATIONS))
    names = sorted(name for name in specs if name.startswith("ste_"))
    return {name: (specs[name].__doc__ or "").strip().splitlines()[0] for name in names}
