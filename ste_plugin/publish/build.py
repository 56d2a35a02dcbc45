"""What a run's publication is made of: a judge with its report, and its data."""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Literal

from ste_plugin.config import RunConfig
from ste_plugin.context import RunContext
from ste_plugin.forget.gate_words import without_plugins
from ste_plugin.instructions.privacy.finders import make_finders
from ste_plugin.judging.published import NAME, PublishedJudge, sha256_of
from ste_plugin.plugins.judge_formats import as_file
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.publish.cards import Subject, data_card, model_card
from ste_plugin.publish.chosen import Chosen
from ste_plugin.publish.facts import FORMAT_FILE, Wishes, base_of, publish_record
from ste_plugin.publish.files import CARD, Content, Repository, refuse_private
from ste_plugin.publish.model_files import collect_model
from ste_plugin.publish.own_figures import for_strangers
from ste_plugin.publish.redact import Redactor
from ste_plugin.publish.rows import write_data
from ste_plugin.report.page import render
from ste_plugin.report.read_run import read_run
from ste_plugin.report.sections import collect_sections
from ste_plugin.storage.jsonl import read_json
from ste_plugin.storage.run_layout import RunLayout

What = Literal["model", "data", "report"]
PARTS: tuple[What, ...] = ("model", "data", "report")
BY_DEFAULT: tuple[What, ...] = ("model", "report")
"""Data go only where somebody asks for them: instructions are often other people's."""


@dataclass(frozen=True, slots=True)
class Publication:
    """All that is about to be published."""

    repositories: tuple[Repository, ...]
    """The data set first: the judge's card refers to it."""
    redacted: dict[str, int]
    """Kind → how many places were taken out of texts."""


def build(
    context: RunContext,
    chosen: Chosen,
    wishes: Wishes,
    what: Collection[What],
    scratch: Path,
) -> Publication:
    """Return what is about to be published, checked; data are written into the folder `scratch`.

    Raises: DataError for a secret or a path of this machine in what would go; ConfigError where
    something that would be needed is not there.
    """
    places = _places(context)
    finders = make_finders(context.config.privacy) if context.config.privacy.scrub else {}
    redact = Redactor(places, finders)
    base = base_of(context.config, context.base, wishes)
    run = for_strangers(read_run(context.folder.root))
    run = replace(run, config=public_config(run.config, base))
    data = f"{wishes.name}-data" if "data" in what else ""
    about = Subject(run, context, chosen, wishes, base, data)
    repositories = []
    if "data" in what:
        repositories.append(_data(about, scratch, redact))
    if "model" in what or "report" in what:
        repositories.append(_model(about, what, redact))
    refuse_private(repositories, places)
    return Publication(tuple(repositories), redact.found)


def _places(context: RunContext) -> dict[Path, str]:
    """Return folders of this machine → what stands for them in what is published."""
    root, base = context.folder.root, context.base
    told = {base: ".", base.resolve(): ".", root.absolute(): root.name, root.resolve(): root.name}
    return {path: word for path, word in told.items() if path.is_absolute()}


def public_config(config: RunConfig, base: str) -> RunConfig:
    """Return a config without where anything lies on this machine."""
    shown = _without_folders(config.model_dump(mode="json"))
    if base:
        shown["judge"]["model"] = base
    return RunConfig.model_validate(shown)


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_folders(inner) for inner in value]
    is_path = isinstance(value, str) and (PurePath(value).is_absolute() or value[:1] in "~.")
    return PurePath(value).name or value if is_path and value else value


def _data(about: Subject, scratch: Path, redact: Redactor) -> Repository:
    rows = write_data(about.context, about.chosen.number, scratch, redact)
    manifest = {
        "judge_format": about.context.judge_format.version,
        "iteration": about.chosen.number,
        "files": {
            name: {"rows": rows.counts[name], "sha256": sha256_of(path)}
            for name, path in rows.files.items()
        },
        "forgotten": sum(rows.forgotten.values()),
    }
    card = redact.text(data_card(about, rows, dict(redact.found)))
    own = {CARD: card.encode(), "manifest.json": _json(manifest)}
    return Repository("dataset", {**own, **rows.files})


def _model(about: Subject, what: Collection[What], redact: Redactor) -> Repository:
    """Return the judge, its report, or both; the card is the same, and what is not in it may lie
    there from before."""
    weights, left_out = collect_model(about.chosen.model, about.base, redact.value)
    if (written := as_file(about.context.judge_format)) is not None:
        weights[FORMAT_FILE] = written
    record = publish_record(about.context, about.chosen, about.base, _hashes(weights))
    judge: dict[str, Content] = {**weights, NAME: _json(_as_dict(record, redact))}
    report = _report(about, redact)
    card = redact.text(model_card(about, record, list(weights))).encode()
    files = {
        **(judge if "model" in what else {}),
        **(report if "report" in what else {}),
        CARD: card,
    }
    beside = tuple(name for name in (*judge, *report) if name not in files)
    return Repository("model", files, left_out if "model" in what else (), beside)


def _hashes(files: dict[str, Content]) -> dict[str, str]:
    return {
        name: sha256_of(content)
        if isinstance(content, Path)
        else hashlib.sha256(content).hexdigest()
        for name, content in files.items()
    }


def _as_dict(record: PublishedJudge, redact: Redactor) -> dict[str, Any]:
    told = record.to_dict()
    own = {**told, "sha256": {}}
    return {**redact.value(own), "sha256": told["sha256"]}  # hashes look like keys


def _report(about: Subject, redact: Redactor) -> dict[str, Content]:
    """Return the run's report for strangers: plugins' sections are not in it."""
    named = RunLayout(Path("/run", *about.wishes.name.split("/")))  # a folder's parents say who
    sections = collect_sections(about.run, plugin_manager())
    page = render(replace(about.run, folder=named), sections)
    files: dict[str, Content] = {"report/report.html": redact.text(page).encode()}
    path = about.run.folder.report
    if path.is_file():
        told = _without_folders(redact.value(read_json(path)))
        for row in told.get("iterations", ()):
            row["broken"] = without_plugins(row.get("broken", ()))
        files["report/report.json"] = _json(told)
    return files


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def parts_of(names: Iterable[str]) -> tuple[What, ...]:
    """Return the parts of these names, in order."""
    return tuple(part for part in PARTS if part in names)
