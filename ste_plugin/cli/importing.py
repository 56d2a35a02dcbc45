"""The command `ste import`: judgments that others have published, as a data set to train on."""

from pathlib import Path
from typing import Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json

Files = Annotated[
    list[Path],
    typer.Argument(help="Files of judgments, chosen and rejected, for the same prompts."),
]
To = Annotated[Path, typer.Option("--to", help="A new folder for the data set.")]
Wildchat = Annotated[
    Path | None,
    typer.Option(
        "--instructions", help="WildChat, where prompts name a conversation of it by its hash."
    ),
]
Format = Annotated[str, typer.Option("--format", help="The judge format that reads the verdicts.")]
DevFraction = Annotated[
    float, typer.Option("--dev-fraction", min=0.0, max=0.5, help="Share held out, by instruction.")
]
Seed = Annotated[int, typer.Option("--seed", help="Decides what is held out.")]


@app.command("import")
def import_(
    files: Files,
    to: To,
    instructions: Wildchat = None,
    judge_format: Format = "criteria",
    dev_fraction: DevFraction = 0.05,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Make a data set of judgments that others published, for SFT and for preferences.

    An axolotl config trains on it by `ste.manifest`, without a run.
    """
    from ste_plugin.dataset.import_judgments import import_judgments
    from ste_plugin.plugins.judge_formats import find_judge_format
    from ste_plugin.plugins.manager import plugin_manager
    from ste_plugin.storage.dataset_manifest import read_manifest

    form = find_judge_format(plugin_manager([]), judge_format, "--format")
    path = import_judgments(
        files, to, form, instructions=instructions, dev_fraction=dev_fraction, seed=seed
    )
    content = read_manifest(path).content
    if as_json:
        show(content)
        return
    told = ", ".join(f"{entry['rows']} {name}" for name, entry in content["files"].items())
    say(f"{path}: of {content['imported']['rows']} rows {told}")
    for reason, count in content["drops"].items():
        say(f"  {count} x {reason}")
