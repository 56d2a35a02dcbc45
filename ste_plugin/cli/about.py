"""Commands that tell what there is: recipes, tasks, plugins, doctor."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.errors import ConfigError, HostError

recipes_app = typer.Typer(help="Axolotl configs that train judges.", no_args_is_help=True)
tasks_app = typer.Typer(help="lm-eval tasks that measure judges.", no_args_is_help=True)
app.add_typer(recipes_app, name="recipes")
app.add_typer(tasks_app, name="tasks")

Plugin = Annotated[
    list[Path] | None, typer.Option("--plugin", help="A hooks.py that is not installed.")
]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Name = Annotated[str, typer.Argument(help="A recipe's name, or the path of an axolotl YAML.")]


def recipe_dirs(files: list[Path] | None) -> list[Path]:
    """Return every folder of recipes, those of given plugin files included."""
    from ste_plugin.plugins.manager import contributed_folders, plugin_manager

    return contributed_folders(plugin_manager(files or []), "ste_recipe_dirs")


@recipes_app.command("list")
def recipes_list(plugin: Plugin = None, as_json: Json = False) -> None:
    """List every recipe with its purpose."""
    from ste_plugin.fitting.catalogue import list_recipes

    found = list_recipes(recipe_dirs(plugin))
    if as_json:
        show([{"name": n, "purpose": purpose, "path": str(path)} for n, purpose, path in found])
        return
    width = max(len(name) for name, _, _ in found)
    for name, purpose, _ in found:
        say(f"{name:<{width}}  {purpose}")


@recipes_app.command("show")
def recipes_show(name: Name, plugin: Plugin = None) -> None:
    """Print a recipe."""
    from ste_plugin.fitting.catalogue import find_recipe

    say(find_recipe(name, recipe_dirs(plugin)).read_text(encoding="utf-8").rstrip("\n"))


@recipes_app.command("copy")
def recipes_copy(
    name: Annotated[str, typer.Argument(help="A recipe, or a kind of cluster: slurm, ray.")],
    to: Annotated[Path, typer.Argument(help="A file or folder; for a cluster, a folder.")],
    plugin: Plugin = None,
) -> None:
    """Copy a recipe, or the files of a run on a cluster, to make them your own."""
    from ste_plugin.fitting.catalogue import cluster_files, cluster_names, find_recipe
    from ste_plugin.storage.durable import make_folder

    dirs = recipe_dirs(plugin)
    if files := cluster_files(name, dirs):
        _copy_all(files, to)
        return
    path = find_recipe(name, dirs, f"ste recipes copy (clusters: {', '.join(cluster_names(dirs))})")
    if to.exists() and not to.is_dir():
        raise ConfigError(f"{to}: exists already; give another name.")
    make_folder(to.parent)
    say(shutil.copy(path, to))


def _copy_all(files: list[Path], to: Path) -> None:
    """Copy files into a folder. Raises: ConfigError where one of them is there already."""
    from ste_plugin.storage.durable import make_folder

    for path in [to] if to.is_file() else [to / file.name for file in files]:
        if path.exists():
            raise ConfigError(f"{path}: exists already; give another folder.")
    make_folder(to)
    for file in files:
        say(shutil.copy(file, to))


@recipes_app.command("validate")
def recipes_validate(
    names: Annotated[list[str] | None, typer.Argument(help="By default all.")] = None,
    python: Annotated[str | None, typer.Option(help="Interpreter that has axolotl.")] = None,
    plugin: Plugin = None,
) -> None:
    """Check recipes against axolotl's own schema."""
    import sys

    from ste_plugin.fitting.catalogue import find_recipe, list_recipes, recipe_problems, refusal

    dirs = recipe_dirs(plugin)
    paths = {n: find_recipe(n, dirs) for n in names or [n for n, _, _ in list_recipes(dirs)]}
    found = recipe_problems([*paths.values()], python or sys.executable)
    for name, path in paths.items():
        if found[path]:
            say(refusal(path, found[path]), err=True)
        else:
            say(f"{name}: valid")
    if any(found.values()):
        raise typer.Exit(HostError.exit_code)


@tasks_app.command("list")
def tasks_list(plugin: Plugin = None, as_json: Json = False) -> None:
    """List the lm-eval tasks by name."""
    from ste_plugin.plugins.manager import contributed_folders, plugin_manager
    from ste_plugin.storage.resources import task_names

    names = task_names(contributed_folders(plugin_manager(plugin or []), "ste_task_dirs"))
    show(names) if as_json else say("\n".join(names))


@tasks_app.command("path")
def tasks_path() -> None:
    """Print the folder for `lm_eval --include_path`."""
    from ste_plugin.storage.resources import shipped_folder

    say(shipped_folder("tasks"))


@app.command()
def plugins(
    plugin: Plugin = None,
    hooks: Annotated[bool, typer.Option("--hooks", help="List the hooks instead.")] = False,
    as_json: Json = False,
) -> None:
    """List what each plugin contributes, or the hooks that there are."""
    from ste_plugin.plugins.manager import contributed_names, hook_descriptions, plugin_manager

    described = hook_descriptions()
    if hooks:
        show(described) if as_json else say("\n".join(f"{h}: {d}" for h, d in described.items()))
        return
    found = contributed_names(plugin_manager(plugin or []))
    if as_json:
        show(found)
        return
    for name, told in found.items():
        say(name)
        for hook, names in told.items():
            say(f"  {hook}: {', '.join(names) or 'implemented'}")


@app.command()
def doctor(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(help="Check a run's hosts, too; or axolotl configs, or folders of them."),
    ] = None,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Check an installation and a run's settings: what is wrong, its cure, and what to do first."""
    from ste_plugin.run.doctor import conclude, examine

    findings = examine(configs or [], plugin or [])
    if as_json:
        show([f.to_dict() for f in findings])
    else:
        for f in findings:
            say(f"{f.label:>7}  {f.what}: {f.found}")
            if f.cure:
                say(f"{'':>9}→ {f.cure}")
        say(conclude(findings))
    if not all(f.ok for f in findings):
        raise typer.Exit(1)
