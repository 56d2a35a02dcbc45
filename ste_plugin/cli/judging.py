"""The command `ste judge`: ask a judge which of two answers is better, or serve it over HTTP."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json, Plugin
from ste_plugin.cli.stopping import keep_nothing, leave_interrupts
from ste_plugin.errors import ConfigError

if TYPE_CHECKING:
    from ste_plugin.judge import Comparison, PairwiseJudge


def _option(panel: str, help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


_MODEL, _SERVE = "A model that is of no run", "Over HTTP"

JudgeName = Annotated[
    str,
    typer.Argument(
        metavar="JUDGE", help="A run, a cascade's file, or a model's folder, hub id or served name."
    ),
]
Instruction = Annotated[str | None, typer.Option(help="What was asked.")]
AnswerA = Annotated[str | None, typer.Option("--a", help="One answer.")]
AnswerB = Annotated[str | None, typer.Option("--b", help="The other answer.")]
Iteration = Annotated[int | None, typer.Option(help="Of a run; 0 is the seed.", min=0)]
Samples = Annotated[int, typer.Option(help="Replies to each prompt; the majority counts.", min=1)]
Force = Annotated[bool, typer.Option("--force-verdict", help="Draw a letter where none is said.")]
MaxTokens = Annotated[int | None, typer.Option(help="Longest judgment.", min=1)]
Format = Annotated[
    str | None,
    _option(_MODEL, "A name or a YAML file; by default its folder's own, or criteria.", "--format"),
]
Engine = Annotated[
    str | None, _option(_MODEL, "By default local; with --serve auto; with --base-url http.")
]
BaseUrl = Annotated[str | None, _option(_MODEL, "Its server: http://localhost:8000/v1.")]
ApiKeyEnv = Annotated[str | None, _option(_MODEL, "The variable that holds that server's key.")]
Options = Annotated[str, _option(_MODEL, "Of the engine: dtype=float32,… or JSON.")]
TemplateKwargs = Annotated[
    str, _option(_MODEL, "What its chat template is given: enable_thinking=false, or JSON.")
]
Column = Annotated[
    list[str] | None, _option(_MODEL, "NAME=VALUE, where its format shows a column.")
]
Calibrated = Annotated[
    Path | None, typer.Option("--calibration", help="A file of `ste calibrate`, for probabilities.")
]
Serve = Annotated[bool, _option(_SERVE, "Answer comparisons until Ctrl-C.", "--serve")]
Host = Annotated[str, _option(_SERVE, "Others than this machine need a key: STE_JUDGE_KEY.")]
Port = Annotated[int, _option(_SERVE, "0 is a free one.", min=0, max=65535)]
LimitsOption = Annotated[
    str, _option(_SERVE, "What it takes: max_waiting=512,timeout_s=60,… or JSON.", "--limits")
]


@app.command()
def judge(
    judge: JudgeName,
    instruction: Instruction = None,
    a: AnswerA = None,
    b: AnswerB = None,
    iteration: Iteration = None,
    samples: Samples = 1,
    force_verdict: Force = False,
    max_new_tokens: MaxTokens = None,
    calibration: Calibrated = None,
    form: Format = None,
    engine: Engine = None,
    base_url: BaseUrl = None,
    api_key_env: ApiKeyEnv = None,
    options: Options = "",
    chat_template_kwargs: TemplateKwargs = "",
    column: Column = None,
    serve: Serve = False,
    host: Host = "127.0.0.1",
    port: Port = 8008,
    limits: LimitsOption = "",
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Ask a judge which of two answers is better, in both presentation orders; or serve it."""
    keep_nothing()
    if serve:
        _refuse_pair(instruction, a, b)
    found = _open(
        judge,
        None if serve else "local",
        iteration=iteration,
        samples=samples,
        force_verdict=force_verdict or None,
        max_new_tokens=max_new_tokens,
        format=form,
        engine=engine,
        base_url=base_url,
        api_key_env=api_key_env,
        options=options,
        chat_template_kwargs=chat_template_kwargs,
        columns=_read_columns(column or []),
        calibration=calibration,
        plugins=plugin or [],
    )
    if serve:
        _serve(found, limits, host, port)
    else:
        _ask(found, _required(instruction, a, b), as_json)


def _refuse_pair(*texts: str | None) -> None:
    """Raise ConfigError where a pair is given to a command that serves."""
    if any(text is not None for text in texts):
        raise ConfigError(
            "ste judge: found --serve and a pair; expected one of them. With --serve pairs come "
            "over HTTP."
        )


def _read_columns(given: list[str]) -> dict[str, str]:
    """Return columns given as NAME=VALUE. Raises: ConfigError for anything else."""
    for each in given:
        if "=" not in each:
            raise ConfigError(f"--column: found {each!r}; expected NAME=VALUE, as reference=Paris.")
    return dict(each.split("=", 1) for each in given)


def _serve(judge: "PairwiseJudge", limits: str, host: str, port: int) -> None:
    from ste_plugin.cli.measuring import parse_args
    from ste_plugin.serving import require_serving
    from ste_plugin.text.settings_errors import validate_settings

    require_serving()
    from ste_plugin.serving.limits import Limits
    from ste_plugin.serving.server import serve_judge

    checked = validate_settings(Limits, parse_args(limits, "--limits"), "--limits")
    if ended_by := serve_judge(judge, checked, host, port, say, leave_interrupts):
        raise typer.Exit(128 + ended_by)


def _required(*texts: str | None) -> tuple[str, str, str]:
    """Return the texts of the pair. Raises: ConfigError for those that are missing."""
    names = ("--instruction", "--a", "--b")
    if missing := [name for name, text in zip(names, texts, strict=True) if text is None]:
        raise ConfigError(
            f"ste judge: {', '.join(missing)} missing; expected what was asked and two answers, or "
            "--serve to answer over HTTP."
        )
    instruction, a, b = (text or "" for text in texts)
    return instruction, a, b


def _open(judge: str, default_engine: str | None, **settings: Any) -> "PairwiseJudge":
    """Return a judge; `default_engine` is that of a model of no run.

    For one pair that is `local`, as nothing else loads as fast.
    """
    from ste_plugin.cascade import open_judge
    from ste_plugin.cascade.settings import is_cascade
    from ste_plugin.cli.measuring import parse_args
    from ste_plugin.judge.which import is_run

    for name in ("options", "chat_template_kwargs"):
        option = f"--{name.replace('_', '-')}"
        settings[name] = parse_args(settings[name], option) or None
    names_engine = settings["engine"] is not None or settings["base_url"] is not None
    if not names_engine and not is_run(Path(judge)) and not is_cascade(Path(judge)):
        settings["engine"] = default_engine
    return open_judge(judge, **settings)


def _ask(judge: "PairwiseJudge", pair: tuple[str, str, str], as_json: bool) -> None:
    with judge:
        found = judge.compare(*pair)
    told = told_in_words(found, judge.format.pointwise)
    if as_json:
        show(told)
        return
    for reply in told["replies"]:
        say(f"--- {reply['order']} ---\n{reply['text']}")
        if "ended" in reply:
            say(f"({reply['ended']})")
    say(f"better: {told['better']}")
    if found.probability is not None and found.probability_from == "likelihoods":
        say(f"probability that a is better: {found.probability:.2f}")
    if found.stage:
        did = "answered by" if found.verdict else "abstained after"
        spent = found.tokens
        why = f": {found.abstained}" if found.abstained else ""
        say(f"{did}: {found.stage}{why} ({spent.prompt} tokens read, {spent.written} written)")


_ABSTAINED = {"orders differ": "inconsistent", "identical answers": "equal"}
_ORDERS = ("a shown as A", "b shown as A")
_ALONE = ("a alone", "b alone")


def told_in_words(found: "Comparison", pointwise: bool) -> dict[str, Any]:
    """Return `{"better": "a" | "b" | "tie" | "inconsistent" | "no verdict" | "equal", …}`."""
    better = _ABSTAINED.get(found.abstained, found.abstained) or (found.verdict or "").lower()
    shown = [
        (name, reply)
        for name, order in zip(_ALONE if pointwise else _ORDERS, found.orders, strict=False)
        for reply in order.replies
    ]
    replies = []
    for name, reply in shown:
        one = {"order": name, "text": reply.text}
        one |= {"thinking": reply.thinking} if reply.thinking else {}
        one |= {"ended": reply.problem} if reply.problem else {}
        replies.append(one)
    told: dict[str, Any] = {
        "better": better,
        "probability": found.probability,
        "replies": replies,
    }
    if found.stage:
        tokens = found.tokens._asdict()
        told |= {"abstained": found.abstained, "stage": found.stage, "tokens": tokens}
    return told
