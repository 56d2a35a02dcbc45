"""The commands `ste cascade`: fit the threshold of a cascade, and show what it promises."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json, Plugin
from ste_plugin.errors import ConfigError, Inconclusive, NotTrusted

if TYPE_CHECKING:
    from ste_plugin.cascade.fitting import Fit, Promise
    from ste_plugin.cascade.labels import FitLabels
    from ste_plugin.cascade.settings import CascadeSettings, Fitted
    from ste_plugin.cascade.stages import Stages

cascades = typer.Typer(
    help="A decision first, then reasons, then a vote, then silence.", no_args_is_help=True
)
app.add_typer(cascades, name="cascade")

First = Annotated[
    Path,
    typer.Argument(
        metavar="JUDGE", help="The deciding judge: a run or a model; or the file of a cascade."
    ),
]
Labels = Annotated[
    Path | None, typer.Option(help="Pairs that people labelled; without, the run's test pairs.")
]
Error = Annotated[float, typer.Option(help="Share of answers that may be wrong, as 0.10.")]
Confidence = Annotated[float, typer.Option(help="The chance that the promise holds.")]
Ties = Annotated[str, typer.Option(help="Labels that prefer neither: left-out or wrong.")]
Constructed = Annotated[
    bool, typer.Option("--constructed", help="The labels are by construction, not by people.")
]
Format = Annotated[
    str | None, typer.Option("--format", help="Of the deciding model; by default its own.")
]
Reasoning = Annotated[str | None, typer.Option(help="The reasoning judge: a run or a model.")]
ReasoningFormat = Annotated[str | None, typer.Option(help="Of the reasoning model.")]
Votes = Annotated[
    int | None, typer.Option(help="Samples per order where it disagrees (7); 0: none.", min=0)
]
Engine = Annotated[str | None, typer.Option(help="Of models that are of no run.")]
BaseUrl = Annotated[str | None, typer.Option(help="Their server.")]
Options = Annotated[str, typer.Option(help="Of the engine: dtype=float32,… or JSON.")]
MaxTokens = Annotated[int | None, typer.Option(help="Longest judgment with reasons.", min=1)]
Out = Annotated[Path, typer.Option(help="The file to write.")]


@cascades.command()
def fit(
    judge: First,
    labels: Labels = None,
    error: Error = 0.10,
    confidence: Confidence = 0.95,
    ties: Ties = "left-out",
    constructed: Constructed = False,
    form: Format = None,
    reasoning: Reasoning = None,
    reasoning_format: ReasoningFormat = None,
    votes: Votes = None,
    engine: Engine = None,
    base_url: BaseUrl = None,
    options: Options = "",
    max_new_tokens: MaxTokens = None,
    out: Out = Path("cascade.json"),
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Fit when a decision is believed, so that a promised error is kept; ask all stages once."""
    from ste_plugin.cascade import fitting, settings, stages

    of_model = {"engine": engine, "base_url": base_url, "options": _parsed(options)}
    more = {
        "format": form,
        "reasoning": reasoning,
        "reasoning_format": reasoning_format,
        "max_new_tokens": max_new_tokens,
        "votes": votes,
    }
    told = _settings(judge, of_model, more)
    promise = fitting.Promise(error, confidence, _ties(ties))
    promise.check()
    settings.require_writable(out)
    judges = stages.open_stages(told, plugin or [])
    labelled = _labelled(labels, told, judges, constructed)
    fitting.require_enough(labelled, promise, len(judges))
    fitted = _fitted(judges, labelled, promise, as_json)
    settings.write_cascade(out, told.model_copy(update={"fitted": fitted}))
    if as_json:
        show(fitted.model_dump())
    else:
        say(
            f"{fitted.promise}\n{fitted.tied} of {fitted.pairs} labels prefer neither answer "
            f"({fitted.ties}). Written: {out}"
        )


def _labelled(
    labels: Path | None, told: "CascadeSettings", judges: "Stages", constructed: bool
) -> "FitLabels":
    """Return the labelled pairs to fit on; without any, those of the first judge's run."""
    from ste_plugin.audit.judge_words import folder_of
    from ste_plugin.cascade.stages import formats_of
    from ste_plugin.judge.which import is_run
    from ste_plugin.lm_eval_tasks.shown_columns import kept_by_all

    first = Path(told.decision.judge)
    return read_labels(
        labels,
        first if is_run(first) else None,
        constructed=constructed,
        keep=kept_by_all(formats_of(judges)),
        judges=[folder_of(Path(each.judge)) for each in (told.decision, told.reasoning) if each],
    )


def read_labels(labels: Path | None, run: Path | None, **how: Any) -> "FitLabels":
    """Return what `fit_labels` does, having said how many labels are left out, and why."""
    from ste_plugin.cascade.labels import fit_labels

    found = fit_labels(labels, run, **how)
    if found.without_texts:
        say(f"{labels}: {found.without_texts} labels of pairs without texts, left out.", err=True)
    if found.chose_judge:
        say(f"{labels}: {found.chose_judge} dev pairs, which chose the judge, left out.", err=True)
    return found


def _fitted(judges: "Stages", labelled: "FitLabels", promise: "Promise", as_json: bool) -> "Fitted":
    """Ask the judges, print what every setting does, and return what the chosen one promises.

    Raises: Inconclusive or NotTrusted where none keeps the promise.
    """
    from ste_plugin.cascade import fitting

    outcomes = fitting.ask_all(judges, labelled, promise.ties, lambda line: say(line, err=True))
    found = fitting.fit(outcomes, promise, len(judges))
    if not as_json:
        _print_curve(found)
    _require_kept(found, promise)
    return fitting.fitted(found, promise, labelled, judges, outcomes)


def _settings(judge: Path, of_model: dict[str, Any], more: dict[str, Any]) -> "CascadeSettings":
    """Return the judges that a file or options name.

    Raises: ConfigError for both at once, and for options of what is not asked.
    """
    from ste_plugin.cascade.settings import StageJudge, is_cascade, read_cascade
    from ste_plugin.judge.which import OfModel, is_run
    from ste_plugin.judging.published import preset_settings

    given = [name for name, value in (of_model | more).items() if value not in (None, "", {})]
    if is_cascade(judge):
        _refuse(given, judge, "it says by itself which judges there are", "change the file")
        return read_cascade(judge).model_copy(update={"fitted": None})

    def stage(name: str, form: str | None, **own: Any) -> StageJudge:
        model = {} if is_run(Path(name)) else of_model | {"format": form}
        return StageJudge(judge=name, **model, **own)

    reasons = more["reasoning"]
    if is_run(judge):
        named = ["format"] + ([] if reasons and not is_run(Path(reasons)) else list(of_model))
        of_runs = [name for name in given if name in named]
        _refuse(of_runs, judge, "a run says by itself how its judge is asked", "name a model")
    if not reasons:
        unused = ("reasoning_format", "max_new_tokens", "votes")
        _refuse([n for n in given if n in unused], judge, "no --reasoning is given", "give one")
    elif is_run(Path(reasons)):
        named = [name for name in given if name == "reasoning_format"]
        _refuse(named, reasons, "a run says by itself how its judge is asked", "name a model")
    own = "decision" if of_model["engine"] == "decisions" else "verdict"
    of_judge = OfModel(None, of_model["engine"], None, None, of_model["options"], None)
    preset = preset_settings(judge, None, of_judge.revision)
    letters = more["format"] or preset.get("format", own)
    length = {"max_new_tokens": more["max_new_tokens"]}
    return _validated(
        decision=stage(str(judge), letters, force_verdict=True),
        reasoning=stage(reasons, more["reasoning_format"], **length) if reasons else None,
        votes=more["votes"],
    )


def _validated(votes: int | None, **judges: Any) -> "CascadeSettings":
    from ste_plugin.cascade.settings import CascadeSettings
    from ste_plugin.text.settings_errors import validate_settings

    told = {name: judge.model_dump() for name, judge in judges.items() if judge is not None}
    if votes is not None:
        told["votes"] = votes
    return validate_settings(CascadeSettings, told, "ste cascade fit")


def _refuse(options: list[str], judge: str | Path, why: str, cure: str) -> None:
    """Raise ConfigError where an option would have no effect."""
    if options:
        raise ConfigError(
            f"{judge}: {why}; found --{options[0].replace('_', '-')} as well. Leave it out, or "
            f"{cure}."
        )


def _parsed(options: str) -> dict[str, Any] | None:
    from ste_plugin.cli.measuring import parse_args

    return parse_args(options, "--options") or None


def _ties(given: str) -> Any:
    known = {"left-out": "left out", "wrong": "wrong"}
    if given not in known:
        raise ConfigError(f"--ties: found {given!r}; expected left-out or wrong.")
    return known[given]


def _print_curve(found: "Fit") -> None:
    from ste_plugin.cascade.words import of_subsets, share_or_dash, table

    whole = [point for point in found.curve if not point.subset]
    for line in table(whole, found.tested, found.best):
        say(line)
    nearest = found.best or min(found.tested, key=lambda each: each.bound)
    for line in of_subsets([p for p in found.curve if p.subset], nearest):
        say(line)
    if found.alone and found.alone.pairs:
        one = found.alone
        say(
            f"\nthe reasoning judge alone: answers {one.share:.3f}, accuracy "
            f"{share_or_dash(one.accuracy)}, reads {one.prompt_tokens / one.pairs:.1f} tokens a "
            f"pair, writes {one.written_tokens / one.pairs:.1f}"
        )


def _require_kept(found: "Fit", promise: "Promise") -> None:
    """Raise Inconclusive or NotTrusted where no setting keeps the promise, saying what it takes."""
    if found.best is not None:
        return
    if not any(each.answered for each in found.tested):
        raise NotTrusted(
            f"ste cascade fit: no stage gives a verdict that holds in both orders on any of "
            f"{found.prompts} labelled prompts, so that there is nothing to promise. Look at a "
            "pair: `ste judge`. A judge that reasons (--reasoning), longer judgments "
            "(--max-new-tokens) or better judges may help. Nothing is written."
        )
    if found.more is None:
        raise NotTrusted(
            f"ste cascade fit: no setting errs on less than {promise.error:g} of what it answers, "
            f"as {found.prompts} labelled prompts show, so that more labels alone will not help. "
            "Promise less (--error), or take better judges. Nothing is written."
        )
    told = f"about {found.more} more like these"
    if all(each.wrong >= promise.error * each.answered for each in found.tested):
        told = f"at least {found.more} more, and fewer wrong answers than by these"
    raise Inconclusive(
        f"ste cascade fit: {found.prompts} labelled prompts are too few to promise an error of "
        f"{promise.error:g}: it takes {told}. Label more, or promise less (--error). Nothing is "
        "written."
    )
