"""The command `ste recipes fit`: which recipes fit a model on given GPUs, and why."""

from typing import Annotated

import typer

from ste_plugin.cli.about import Json, Plugin, recipe_dirs, recipes_app
from ste_plugin.cli.app import say, show


@recipes_app.command("fit")
def recipes_fit(
    model: Annotated[
        str, typer.Option(help="A folder with config.json, a hub id, or a size such as 8B.")
    ],
    gpus: Annotated[str, typer.Option(help="GPUSxGB or NODESxGPUSxGB, such as 8x80.")],
    names: Annotated[list[str] | None, typer.Argument(help="Recipes; by default all.")] = None,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Say which recipes fit a model on these GPUs, best first, with the terms of the sum in GB per
    GPU."""
    from ste_plugin.fitting.catalogue import find_recipe, list_recipes
    from ste_plugin.fitting.fit import best_first, fit_recipe, read_cluster
    from ste_plugin.fitting.model_config import read_shape

    cluster = read_cluster(gpus)
    shape, source = read_shape(model)
    dirs = recipe_dirs(plugin)
    paths = [find_recipe(n, dirs) for n in names or [n for n, _, _ in list_recipes(dirs)]]
    found = best_first(fit_recipe(path, shape, cluster) for path in paths)
    if as_json:
        told = {"model": model, "parameters": shape.parameters, "shape": source, "gpus": gpus}
        told["active_parameters"] = shape.active_parameters
        show(told | {"recipes": [fit.to_dict() for fit in found]})
        return
    active = f" ({shape.active_parameters:,} of them per token)" if shape.experts else ""
    say(f"{model}: {shape.parameters:,} parameters{active}, by {source}; {cluster} GPUs.")
    say("Calculated, in GB of 1e9 bytes per GPU; activations and logits are estimates.")
    say(
        "What fits comes first, best first: for a model of this size, all weights before LoRA, "
        "SFT before DPO."
    )
    for fit in found:
        say(f"{fit.recipe}\n  {fit}" if fit.fits else f"{fit.recipe} {fit}")
