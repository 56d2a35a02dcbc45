"""Building the plugin manager, and looking up what plugins contribute."""

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pluggy

from ste_plugin.errors import ConfigError, PluginError, did_you_mean
from ste_plugin.plugins.loader import FIX_PLUGIN, register_file

SPECIFICATIONS, BUILT_IN = "ste_plugin.hookspecs", "ste_plugin.plugins.builtin"
"""By name, not imported: they import every step of the method, and every step imports this."""
BUILT_IN_NAME = "builtin"

NAMED_HOOKS = (
    "ste_sources",
    "ste_engines",
    "ste_selectors",
    "ste_pair_strategies",
    "ste_judge_formats",
    "ste_dataset_formats",
    "ste_audit_checks",
    "ste_probes",
)
"""Hooks that return a dictionary of contributions by name."""


def plugin_manager(files: Iterable[Path] = ()) -> pluggy.PluginManager:
    """Return a manager with the built-ins, every installed plugin, and these `hooks.py` files.

    Raises: PluginError where one cannot be imported, misspells a hook, or reuses another's name.
    """
    manager = pluggy.PluginManager("ste")
    manager.add_hookspecs(importlib.import_module(SPECIFICATIONS))
    manager.register(importlib.import_module(BUILT_IN), BUILT_IN_NAME)
    try:
        manager.load_setuptools_entrypoints("ste")
    except Exception as error:  # whatever a plugin raises when imported
        raise PluginError(
            f"An installed plugin (entry-point group 'ste') cannot be imported: {error!r}.\n"
            "Fix or uninstall it; `pip list` shows what is installed."
        ) from error
    for file in files:
        register_file(manager, file)
    check_hooks(manager)
    return manager


def registered_files(manager: pluggy.PluginManager) -> tuple[Path, ...]:
    """Return the plugins that are files, which must be passed to other processes by name."""
    plugins = manager.list_name_plugin()
    return tuple(Path(name) for name, plugin in plugins if getattr(plugin, "__file__", "") == name)


def require_named_plugins(
    listed: Iterable[Path], named: Iterable[Path], where: str, how: str
) -> None:
    """Check that every plugin file that a config lists was also named by the user.

    A config is data, and may be untrusted. `how` is the option that names a file, such as
    `--plugin {}`.
    Raises: PluginError naming the files and the options to add.
    """
    known = {path.resolve() for path in named}
    if unnamed := [path for path in listed if path.resolve() not in known]:
        options = " ".join(how.format(path) for path in unnamed)
        raise PluginError(
            f"{where} lists plugins, which are Python code, and a plugin runs only if it is "
            f"installed or named on the command line. If you trust them, add: {options}"
        )


def check_hooks(manager: pluggy.PluginManager) -> None:
    """Raise PluginError for an unknown hook, or a name that two plugins contribute."""
    for name, plugin in manager.list_name_plugin():
        for caller in manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                hint = did_you_mean(caller.name, hook_descriptions())
                raise PluginError(
                    f"{name}: no hook is called {caller.name!r}.{hint} `ste plugins --hooks` lists "
                    "them."
                )
    for hook in NAMED_HOOKS:
        contributions(manager, hook)


def contributions(manager: pluggy.PluginManager, hook: str) -> dict[str, tuple[str, Any]]:
    """Return name → (plugin, contribution) for one of `NAMED_HOOKS`.

    Raises: PluginError naming both plugins where two contribute one name.
    """
    by_name: dict[str, tuple[str, Any]] = {}
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        for name, contribution in _contributed_by(implementation, hook).items():
            if name in by_name:
                raise PluginError(
                    f"{hook}: both {by_name[name][0]!r} and {implementation.plugin_name!r} "
                    f"contribute {name!r}. Rename one of them."
                )
            by_name[name] = (implementation.plugin_name, contribution)
    return by_name


def _contributed_by(implementation: pluggy.HookImpl, hook: str) -> dict[str, Any]:
    """Return what one plugin's hook returns.

    Raises: PluginError where it fails, or returns something of another kind.
    """
    where = f"{implementation.plugin_name}: {hook}"
    by_name = _called(implementation, where)
    if not isinstance(by_name, dict):
        raise PluginError(
            f"{where} returned {by_name!r}; expected a dictionary {{name: …}}. {FIX_PLUGIN}"
        )
    expected, fits = _EXPECTED.get(hook, ("something that can be called", callable))
    for name, value in by_name.items():
        if not isinstance(name, str):
            raise PluginError(f"{where}: found the name {name!r}; expected a text. {FIX_PLUGIN}")
        if not fits(value):
            raise PluginError(f"{where}: {name!r} is {value!r}; expected {expected}. {FIX_PLUGIN}")
    return by_name


def _called(implementation: pluggy.HookImpl, where: str) -> Any:
    """Return what a hook without arguments returns. Raises: PluginError where it fails."""
    try:
        return implementation.function()
    except (Exception, SystemExit) as error:  # whatever the plugin raises
        raise PluginError(f"{where} failed: {error!r}. {FIX_PLUGIN}") from error


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda value: all(hasattr(value, name) for name in names)


_EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "ste_engines": ("'module:factory'", lambda value: isinstance(value, str) and ":" in value),
    "ste_judge_formats": ("a JudgeFormat", _has("render", "parse", "version")),
    "ste_probes": ("a BiasProbe", _has("bias", "change", "measure", "variants")),
    "ste_pair_strategies": ("a PairStrategy", _has("next_prompt", "worse", "version")),
}
"""Hook → what it contributes, and a check of that; all other hooks contribute functions."""


def contributed_folders(manager: pluggy.PluginManager, hook: str) -> list[Path]:
    """Return the folders that plugins contribute to `ste_recipe_dirs` or `ste_task_dirs`.

    Raises: PluginError naming a plugin that contributes something else.
    """
    folders: list[Path] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        folder = _called(implementation, f"{implementation.plugin_name}: {hook}")
        if not isinstance(folder, Path) or not folder.is_dir():
            raise PluginError(
                f"{implementation.plugin_name}: {hook} returned {folder!r}; expected the Path of a "
                f"folder that exists, such as Path(__file__).parent. {FIX_PLUGIN}"
            )
        folders.append(folder)
    return folders


def find_contribution(manager: pluggy.PluginManager, hook: str, name: str, setting: str) -> Any:
    """Return the contribution of that name.

    Raises: ConfigError naming the setting, the nearest name and all known names.
    """
    known = contributions(manager, hook)
    if name not in known:
        hint = did_you_mean(name, known)
        raise ConfigError(
            f"{setting}: no {name!r}.{hint} There are: {', '.join(sorted(known))}; "
            "a plugin can add more (see `ste plugins`)."
        )
    return known[name][1]


def import_object(target: str) -> Any:
    """Return the object that `module:name` names.

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
    by_plugin: dict[str, dict[str, list[str]]] = {}
    for hook in hook_descriptions():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            named = hook in NAMED_HOOKS
            names = sorted(_contributed_by(implementation, hook)) if named else []
            by_plugin.setdefault(implementation.plugin_name, {})[hook] = names
    return by_plugin


def hook_descriptions() -> dict[str, str]:
    """Return hook → the first line of its docstring."""
    specs = vars(importlib.import_module(SPECIFICATIONS))
    names = sorted(name for name in specs if name.startswith("ste_"))
    return {name: (specs[name].__doc__ or "").strip().splitlines()[0] for name in names}
