"""What cards say of a judge and its run, as plain values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from ste_plugin import __version__
from ste_plugin.audit.printing import FAILED, PASSED, UNDECIDED, UNSURE, status_of
from ste_plugin.config import RunConfig, SourceConfig
from ste_plugin.context import RunContext
from ste_plugin.errors import ConfigError, did_you_mean
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.judging.published import VERSION, FormatCard, PublishedJudge
from ste_plugin.lm_eval_tasks.figures import pairs_counted, pairs_in_words
from ste_plugin.plugins.manager import BUILT_IN_NAME, contributions
from ste_plugin.publish.chosen import Chosen
from ste_plugin.publish.origins import unchecked_pairs, unseen_answers
from ste_plugin.report.figures import LABELS, estimate_of
from ste_plugin.report.headline import make_headline
from ste_plugin.report.read_run import HELD_OUT, Round, RunFigures
from ste_plugin.text.hub_id import may_be_hub_id

UNKNOWN = "unknown"
FORMAT_FILE = "judge_format.yaml"
"""What a judge format's file is called beside its judge."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the publisher says that no file of the run does."""

    name: str
    """What the judge is called: ORG/NAME, or a folder's name."""
    base: str = ""
    """Hub id of the model that it was trained from."""
    license: str = UNKNOWN
    data_license: str = UNKNOWN
    source_licenses: tuple[tuple[str, str], ...] = ()
    """A source, as the config names it, and its licence."""


def base_of(config: RunConfig, base: Path, wishes: Wishes) -> str:
    """Return the hub id of the seed; empty where it is a folder and none was given."""
    if wishes.base:
        return wishes.base
    model = config.judge.model
    return model if may_be_hub_id(model) and not (base / model).is_dir() else ""


def publish_record(
    context: RunContext, chosen: Chosen, base: str, sha256: Mapping[str, str]
) -> PublishedJudge:
    """Return what `ste_judge.json` says."""
    config, judge_format = context.config, context.judge_format
    known = contributions(context.plugins, "ste_judge_formats")
    plugin = known.get(config.judging.format, (BUILT_IN_NAME,))[0]
    thinking = config.judge.thinking
    return PublishedJudge(
        ste_judge=VERSION,
        ste_plugin=__version__,
        base_model=base,
        iteration=chosen.number,
        judge_format=FormatCard(
            name=judge_format.name if FORMAT_FILE in sha256 else config.judging.format,
            version=judge_format.version,
            closing=judge_format.closing,
            reasons=judge_format.reasons,
            pointwise=judge_format.pointwise,
            max_new_tokens=judge_format.max_new_tokens,
            plugin="" if plugin == BUILT_IN_NAME else PurePath(plugin).name,
            file=FORMAT_FILE if FORMAT_FILE in sha256 else "",
        ),
        chat_template_kwargs=dict(config.judge.chat_template_kwargs),
        thinking=(thinking.open, thinking.close) if thinking else None,
        force_verdict=config.judging.force_verdict,
        max_new_tokens=config.evaluation.max_new_tokens or config.judging.max_new_tokens,
        sha256=dict(sha256),
    )


def source_rows(config: RunConfig, wishes: Wishes) -> list[tuple[str, str, str]]:
    """Return name, reader and licence of each source of instructions and of labelled pairs.

    Raises: ConfigError for a licence of a source that there is none of.
    """
    labelled = [file.path for file in config.pairs.given]
    names = list(dict.fromkeys([*(source.path for source in config.instructions), *labelled]))
    given = dict(wishes.source_licenses)
    for name in given:
        if name not in names:
            raise ConfigError(
                f"--source-license: found {name!r}.{did_you_mean(name, names)} The run's sources "
                f"are: {', '.join(names)}."
            )
    return [
        *((source_name(s), s.reader, given.get(s.path, UNKNOWN)) for s in config.instructions),
        *((PurePath(path).name, "labelled pairs", given.get(path, UNKNOWN)) for path in labelled),
    ]


def source_name(source: SourceConfig) -> str:
    """Return what strangers are told of a source: a data set's name, or a file's without its
    folders."""
    return source.path if source.reader == "hub" else PurePath(source.path).name


def round_of(run: RunFigures, number: int) -> Round | None:
    """Return a round that was measured, or None."""
    return next((r for r in run.measured if r.number == number), None)


def figure_rows(run: RunFigures, number: int) -> list[list[Any]]:
    """Return rows of a table: pairs, how many count, metric, the judge's estimate, the seed's."""
    r, seed = round_of(run, number), round_of(run, 0)
    rows: list[list[Any]] = []
    for name, results in r.results.items() if r else ():
        before = seed.results.get(name, {}).get("overall", {}) if seed else {}
        for metric, label in LABELS.items():
            found = estimate_of(results["overall"], metric)
            if found.value is not None:
                n = pairs_counted(results["overall"], metric, results["n"])
                rows.append([name, n, label, found, estimate_of(before, metric)])
    return rows


def sets_in_words(run: RunFigures, number: int) -> str:
    """Return how many pairs it was measured on, and which of these cannot count."""
    r = round_of(run, number)
    return "; ".join(
        f"{name}, {pairs_in_words(results)}" for name, results in (r.results if r else {}).items()
    )


def index_results(run: RunFigures, number: int, data: str) -> list[dict[str, Any]]:
    """Return the results of a card's `model-index`; an interval is in a metric's name."""
    r = round_of(run, number)
    return [
        {
            "task": {"type": "text-generation", "name": "judging which of two answers is better"},
            "dataset": {
                "type": data if name in HELD_OUT and data else name,
                "name": f"{name}: pairs of the run, held out" if name in HELD_OUT else name,
            },
            "metrics": list(_metrics(results)),
        }
        for name, results in (r.results.items() if r else ())
    ]


def _metrics(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for metric, label in LABELS.items():
        found = estimate_of(results["overall"], metric)
        if found.value is None:
            continue
        reach = found.interval
        words = f"95% interval {reach[0]:.3f} to {reach[1]:.3f}, " if reach else ""
        n = pairs_counted(results["overall"], metric, results["n"])
        name = f"{label} ({words}n = {n})"
        yield {"type": metric, "name": name, "value": round(found.value, 4), "verified": False}


def finding_sentences(run: RunFigures, chosen: Chosen) -> list[str]:
    """Return what the run came to, where it is this judge that the run shows."""
    told = []
    if chosen.shipped != chosen.number:
        ships = (
            "is not finished" if chosen.shipped is None else f"ships {judge_name(chosen.shipped)}"
        )
        told.append(f"This is {judge_name(chosen.number)} of a run that {ships}.")
    if run.shown and run.shown.number == chosen.number:
        headline = make_headline(run)
        told += [headline.title, *(paragraph.text for paragraph in headline.paragraphs)]
    return told


def warnings_of(chosen: Chosen) -> list[str]:
    """Return what speaks against using the judge."""
    told = [f"It breaks a gate of its run: {words}" for words in chosen.broken]
    if chosen.forgotten:
        told.append(
            f"{chosen.forgotten} of the instructions that it was trained on were forgotten "
            "afterwards; its weights have seen them."
        )
    return told


def audit_sentence(run: RunFigures, number: int) -> str:
    """Return an audit's verdict on a judge in a sentence, or that there was none."""
    checks = run.findings.get(number, {})
    findings = [f for name, found in checks.items() if name != "gates" for f in found]
    if not findings:
        return "No audit was made of this judge."
    states = [status_of(finding) for finding in findings]
    counts = {state: states.count(state) for state in (FAILED, UNSURE, UNDECIDED, PASSED)}
    if counts[FAILED]:
        verdict = f"NOT TRUSTED: {counts[FAILED]} of {len(findings)} figures break their threshold"
    elif counts[PASSED]:
        verdict = f"no figure of {len(findings)} breaks its threshold"
    else:
        verdict = "INCONCLUSIVE: no figure surely keeps its threshold"
    rest = f"{counts[UNSURE]} unsure, {counts[UNDECIDED]} could not be computed"
    return f"The audit ({', '.join(checks)}) found: {verdict} ({rest})."


def unknowns(run: RunFigures, number: int, licences: Sequence[tuple[str, str]]) -> list[str]:
    """Return what is not known of a judge, each as a sentence; `licences`: of what, which."""
    told = list(_unmeasured(round_of(run, number)))
    told += [words for words in (unseen_answers(run), unchecked_pairs(run)) if words]
    if not any(name != "gates" for name in run.findings.get(number, {})):
        told.append("What it goes by instead of judging: no audit was made.")
    open_ones = (what for what, licence in licences if licence == UNKNOWN)
    told += [f"The licence of {what}." for what in dict.fromkeys(open_ones)]
    told.append(
        "How it does in languages, domains and lengths that its instructions do not have, and on "
        "answers that were written to please it."
    )
    return told


def _unmeasured(r: Round | None) -> Iterable[str]:
    if r is None:
        yield "How good it is: it was not measured."
    elif "test" not in r.results:
        yield "How it does on pairs that chose nothing: there are no test pairs."
