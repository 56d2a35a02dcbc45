"""The command `ste forget`: take an instruction, and everything made of it, out of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json, Plugin

if TYPE_CHECKING:
    from ste_plugin.forget import ForgetQuery, ForgetReport

Run = Annotated[Path, typer.Argument(help="The run's folder, or its config.")]
Match = Annotated[str, typer.Option("--match", help="Instructions with this text, in any case.")]
Regex = Annotated[str, typer.Option("--regex", help="Those that this regular expression finds.")]
Key = Annotated[str, typer.Option("--key", help="The one of this key (pool/instructions.jsonl).")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]


@app.command()
def forget(
    run: Run,
    match: Match = "",
    regex: Regex = "",
    key: Key = "",
    dry_run: Dry = False,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Take an instruction and everything made of it out of a run; name the models that saw it."""
    from dataclasses import asdict

    from ste_plugin import forget as forgetting
    from ste_plugin.plugins.manager import require_named_plugins
    from ste_plugin.run.open_run import open_existing

    query = forgetting.ForgetQuery.read(match, regex, key)
    config, base = forgetting.read_run(run)
    require_named_plugins(
        [base / path for path in config.plugins], plugin or [], str(run), "--plugin {}"
    )
    with open_existing(config, base, plugin or []) as context:
        report = forgetting.forget(context, query, dry=dry_run)
        root = context.folder.root
    rounds = _forget_in_rounds(root, base, query, plugin or [], dry=dry_run)
    if as_json:
        told = {name: asdict(each) for name, each in rounds.items()}
        show({"dry_run": dry_run, **asdict(report), "rounds": told})
        return
    _say_report(report, dry_run)
    for name, each in rounds.items():
        say(f"\n{name}:")
        _say_report(each, dry_run)


def _forget_in_rounds(
    root: Path, base: Path, query: "ForgetQuery", plugins: list[Path], *, dry: bool
) -> "dict[str, ForgetReport]":
    """Forget in the runs of a run's rounds, too; return the folder of each → what went.

    `base`: where paths in the run's config start, and in theirs.
    """
    from ste_plugin import forget as forgetting
    from ste_plugin.run.open_run import open_existing
    from ste_plugin.storage.config_file import read_run_yaml
    from ste_plugin.storage.followed import read_followed

    reports = {}
    for folder in (each.folder(root) for each in read_followed(root)):
        if (folder / "run.yaml").is_file():
            written = read_run_yaml(folder / "run.yaml")
            config = written.model_copy(update={"run": folder})
            with open_existing(config, base, plugins) as context:
                reports[str(folder)] = forgetting.forget(context, query, dry=dry)
    return reports


def _say_report(report: "ForgetReport", dry: bool) -> None:
    """Say what went, what cannot be undone, and what is left to the user."""
    if not (report.keys or report.removed):
        say("No instruction of this run or of its sources matches: nothing to forget.")
        return
    would = "would be forgotten" if dry else "forgotten"
    removed = ", ".join(f"{n} {kind}" for kind, n in report.removed.items())
    say(
        f"{len(report.keys)} instructions {would}; taken out: "
        f"{removed or 'nothing was left of them'}."
    )
    if report.by_answers:
        say(
            f"{len(report.by_answers)} of them do not match themselves, but what was made of them "
            "does."
        )
    if report.models:
        say("Models trained on them, whose weights cannot be changed back:")
        _list(report.models)
        say(
            "Train again without them: ste run CONFIG --from train, then delete these folders "
            "(they are kept in old-N). Withdraw copies that were given away."
        )
    if report.sources:
        say("Your own files still hold them (not touched; this run leaves them out from now on):")
        _list(report.sources)
    for source in report.unread:
        say(f"Not searched: {source}")
    if report.quoted:
        say("Files of the run that still quote them, for you to check:")
        _list(report.quoted)
    if not dry:
        say(
            "Outside the run, caches may hold copies: Hugging Face's datasets (HF_DATASETS_CACHE, "
            "by default ~/.cache/huggingface/datasets), and your backups."
        )


def _list(names: list[str]) -> None:
    for name in names:
        say(f"  {name}")
