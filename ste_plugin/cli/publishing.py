"""The command `ste publish`: a run's judge, report and data, with cards, for others."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ste_plugin.cli.app import app, open_existing_run, say, show
from ste_plugin.cli.running import Json, Plugin
from ste_plugin.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from ste_plugin.publish.build import Publication, What
    from ste_plugin.publish.files import Repository
    from ste_plugin.publish.hub import Uploaded

HUB = "hub:"
Run = Annotated[Path, typer.Argument(help="The run's folder, or its YAML.")]
To = Annotated[str, typer.Option("--to", help="A new folder, or hub:ORG/NAME.")]
Parts = Annotated[
    str,
    typer.Option("--what", help="Some of model, report, data; data are published only if named."),
]
Iteration = Annotated[
    int | None, typer.Option("--iteration", min=0, help="Which one; by default that it ships.")
]
AlthoughFailed = Annotated[
    bool,
    typer.Option(
        "--although-failed",
        help="Also one that breaks a gate, or was trained on what was forgotten.",
    ),
]
Private = Annotated[bool, typer.Option("--private", help="Of a hub: only you can read it.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would go, with its cards; write nothing.")
]


def _said(name: str, metavar: str, help_text: str) -> Any:
    """Return an option for what the cards say, and no file of the run does."""
    return typer.Option(name, metavar=metavar, help=help_text, rich_help_panel="On the cards")


Base = Annotated[str, _said("--base", "ORG/NAME", "Hub id of the seed, where that is a folder.")]
License = Annotated[str, _said("--license", "ID", "Of the judge, as apache-2.0.")]
DataLicense = Annotated[str, _said("--data-license", "ID", "Of the data.")]
SourceLicense = Annotated[
    list[str] | None,
    _said("--source-license", "SOURCE=ID", "Of a source, by its path in the config."),
]


@app.command()
def publish(
    run: Run,
    to: To,
    what: Parts = "model,report",
    iteration: Iteration = None,
    private: Private = False,
    dry_run: DryRun = False,
    although_failed: AlthoughFailed = False,
    base: Base = "",
    license_id: License = "unknown",
    data_license: DataLicense = "unknown",
    source_license: SourceLicense = None,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Publish a run's judge, report and data, each with a card, into a folder or to a hub."""
    from ste_plugin.publish.build import build
    from ste_plugin.publish.chosen import choose_judge
    from ste_plugin.publish.facts import Wishes

    parts, target = parse_parts(what), parse_target(to)
    if private and not target.hub:
        raise ConfigError(
            "--private: found with a folder; expected --to hub:ORG/NAME. Leave it out."
        )
    licences = parse_licences(source_license or [])
    wishes = Wishes(target.name, base, license_id, data_license, licences)
    target.check(dry=dry_run)
    with (
        open_existing_run(run, plugin or [], quiet=True) as context,
        TemporaryDirectory(prefix="ste-publish-") as scratch,
    ):
        chosen = choose_judge(context, iteration, although_failed=although_failed)
        made = build(context, chosen, wishes, parts, Path(scratch))
        if dry_run:
            show_plan(made, target, as_json)
            return
        send(made, target, private, as_json)


@dataclass(frozen=True)
class Target:
    """Where to: a hub's name, or a folder."""

    name: str
    hub: str = ""
    folder: Path = Path()

    def check(self, *, dry: bool) -> None:
        """Raise ConfigError where nothing could be written there."""
        from ste_plugin.publish.folder import check_free
        from ste_plugin.publish.hub import open_hub

        if not self.hub:
            check_free(self.folder)
        elif not dry:
            open_hub(self.hub)


def parse_target(to: str) -> Target:
    """Return where to publish. Raises: ConfigError for a hub's name that is none."""
    if not to.startswith(HUB):
        folder = Path(to).expanduser()
        return Target(folder.resolve().name, folder=folder)
    name = to.removeprefix(HUB)
    if name.count("/") != 1 or not all(name.split("/")):
        raise ConfigError(f"--to: found {to}; expected a folder, or hub:ORG/NAME.")
    return Target(name, hub=name)


def parse_parts(what: str) -> "tuple[What, ...]":
    """Return the parts to publish. Raises: ConfigError for one that there is none of."""
    from ste_plugin.publish.build import PARTS, parts_of

    names = [name.strip() for name in what.split(",") if name.strip()]
    for name in names:
        if name not in PARTS:
            raise ConfigError(
                f"--what: found {name!r}.{did_you_mean(name, PARTS)} Expected some of "
                f"{', '.join(PARTS)}, with commas between them."
            )
    if not names:
        raise ConfigError(f"--what: found nothing; expected some of {', '.join(PARTS)}.")
    return parts_of(names)


def parse_licences(given: list[str]) -> tuple[tuple[str, str], ...]:
    """Return (source, licence). Raises: ConfigError for what is not SOURCE=ID."""
    pairs = [text.rpartition("=")[::2] for text in given]
    for text, (source, licence) in zip(given, pairs, strict=True):
        if not source or not licence:
            raise ConfigError(
                f"--source-license: found {text!r}; expected SOURCE=ID, as "
                "instructions.jsonl=cc-by-4.0."
            )
    return tuple(pairs)


def show_plan(made: "Publication", target: Target, as_json: bool) -> None:
    """Print what would be published, file by file, and the cards."""
    from ste_plugin.publish.files import CARD, sizes_of

    plans = [(place_of(r, target), r, sizes_of(r)) for r in made.repositories]
    if as_json:
        rows = [
            {
                "to": place,
                "kind": r.kind,
                "files": sizes,
                "left_out": r.left_out,
                "card": r.card,
            }
            for place, r, sizes in plans
        ]
        show({"published": [], "plan": rows, "redacted": made.redacted})
        return
    for place, r, sizes in plans:
        say(f"{place} ({r.kind}), {sum(sizes.values()):,} bytes:")
        for name, size in sizes.items():
            say(f"  {size:>14,}  {name}")
        if r.left_out:
            say(f"  stays here: {', '.join(r.left_out)}")
    for place, r, _ in plans:
        say(f"\n--- {place}/{CARD} ---\n{r.card}")
    say(_taken_out(made))
    say("Nothing was written (--dry-run).")


def send(made: "Publication", target: Target, private: bool, as_json: bool) -> None:
    """Publish, and print where."""
    from ste_plugin.publish.folder import write_folder
    from ste_plugin.publish.hub import open_hub, repository_name, upload

    if not target.hub:
        write_folder(target.folder, made.repositories)
        places = [place_of(r, target) for r in made.repositories]
        if as_json:
            show({"published": places, "redacted": made.redacted})
            return
        say("\n".join(places))
    else:
        api = open_hub(target.hub)
        tell = (lambda _: None) if as_json else say
        done: list[Uploaded] = []
        for r in made.repositories:
            name = repository_name(target.hub, r)
            done.append(upload(api, name, r, private=private, say=tell))
        if as_json:
            rows = [{"to": u.url, "sent": u.sent, "already_there": u.already_there} for u in done]
            show({"published": rows, "redacted": made.redacted})
            return
        say("\n".join(u.url for u in done))
    say(_taken_out(made))


def place_of(repository: "Repository", target: Target) -> str:
    """Return where a repository goes."""
    from ste_plugin.publish.folder import PLACES
    from ste_plugin.publish.hub import repository_name

    if target.hub:
        return f"{HUB}{repository_name(target.hub, repository)}"
    return str(target.folder / PLACES[repository.kind])


def _taken_out(made: "Publication") -> str:
    told = ", ".join(f"{n:,} x {kind}" for kind, n in made.redacted.items())
    return f"Taken out of texts: {told or 'nothing'}."
