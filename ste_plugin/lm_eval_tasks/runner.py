"""Measuring a judge with lm-eval, in lm-eval's own environment."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ste_plugin import __version__
from ste_plugin.config import EvaluationConfig, ProgramConfig
from ste_plugin.engines.identity import fingerprint
from ste_plugin.errors import ConfigError, DataError, HostError, SteError, did_you_mean
from ste_plugin.hosts.run_host import Versions, python_of, require_module, run_python
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.published import check_published
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2, Choice
from ste_plugin.lm_eval_tasks.choice_scores import score_choice, spreads
from ste_plugin.lm_eval_tasks.figures import SPREAD, summarise
from ste_plugin.lm_eval_tasks.judged_file import write_choices, write_judged
from ste_plugin.lm_eval_tasks.measurement import described
from ste_plugin.lm_eval_tasks.measuring_process import MeasuringProcess
from ste_plugin.lm_eval_tasks.orders import TASK, order, tokenizer_revision, weights_revision
from ste_plugin.lm_eval_tasks.pairs_file import Document, kept
from ste_plugin.lm_eval_tasks.replies import read_replies
from ste_plugin.lm_eval_tasks.samples import (
    TokenCounter,
    Usage,
    read_figures,
    read_samples,
    sample_files,
    token_counter,
)
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.durable import sync_files
from ste_plugin.storage.jsonl import read_json, replace_json
from ste_plugin.storage.resources import find_task, shipped_folder
from ste_plugin.text.log_summary import read_log

VERSIONS = Versions("0.4.11", "0.5")
INSTALL = "pip install '/path/to/ste-plugin[eval]'"
"""The command that an error gives where lm-eval, or our plugin beside it, is missing."""
SEED = 0
"""Of the bootstrap behind the standard errors."""
_ASK_BACKENDS = """
import lm_eval.models
import ste_plugin.lm_eval_tasks.decisions_backend
from lm_eval.api import registry
print(json.dumps(sorted(registry.MODEL_REGISTRY)))
"""
_SERVER_SAID = re.compile(
    r"API request failed(?: with error message: |! Status code: )(.*?)\. Retrying\.\.\.", re.DOTALL
)
"""How lm-eval logs a refusal. What it ends with holds no more than the status, and behind
concurrent requests is another one's end."""
_MAX_SAID = 600
_BACKEND_NEEDS = {"hf": ("torch", "transformers"), "vllm": ("vllm",)}


def evaluate(
    model: str,
    out: Path,
    *,
    settings: JudgeSettings,
    config: EvaluationConfig,
    host: ProgramConfig,
    task: str = TASK,
    task_dirs: Sequence[Path] = (),
    process: MeasuringProcess | None = None,
    server: Callable[[], str] | None = None,
    announce: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Return the figures of `model` on a task, which `out`/results.json then holds as well.

    A `process` (`open_process`) measures one model on several tasks and loads it once. `server`
    starts the server that has the model, if need be, and returns its base URL. `announce` is called
    where there is something to measure, before that.

    A results.json of the same model, pairs and settings is returned as it is. `out` also gets what
    was said about each pair (judged.jsonl), lm-eval's log and, in `lm-eval/`, prompts and replies.

    Raises: DataError for faulty pairs, and for a published judge's folder that holds another judge,
    before any model is loaded; ConfigError for a task that does not exist; HostError where lm-eval
    is missing, fails, or ends without a sample of every pair.
    """
    location = find_task(task, task_dirs or [shipped_folder("tasks")])
    settings = JudgeSettings.read(settings.environment(), location.metadata)
    rows, judge_format = read_documents(settings), settings.load_judge_format()
    settings = settings.asked_in(judge_format)
    check_published(model, settings.format, judge_format, weights_revision(config))
    wanted = {"task": task, **identity(model, settings, judge_format, config, rows)}
    if done := read_finished(out / "results.json", wanted):
        return done
    announce()
    version, before = require_host(python_of(host), config.backend), set(sample_files(out, task))
    started, at = time.monotonic(), server() if server else None
    asked = order(
        model, out, settings, config=config, task=task, folder=location.folder, base_url=at
    )
    with nullcontext(process) if process else open_process(host) as measuring:
        run_lm_eval(measuring, asked, out / "lm-eval.log", f"lm-eval on {settings.data or task}")
    seconds, usage = round(time.monotonic() - started, 1), Usage(judge_token_counter(model, config))
    fresh = set(sample_files(out, task)) - before
    figures = write_replies(out, rows, read_samples(out, fresh, rows, usage), settings)
    if "n" not in figures:
        figures = {"n": len(rows), "overall": read_figures(fresh, task) | figures, "subsets": {}}
    record = {"lm_eval": version, "ste_plugin": __version__, "seconds": seconds, **usage.to_dict()}
    sync_files(out / "lm-eval")
    replace_json(out / "results.json", results := {**wanted, **figures, "host": record})
    return results


def open_process(host: ProgramConfig) -> MeasuringProcess:
    """Return the process in which lm-eval measures one model on several sets."""
    return MeasuringProcess(python_of(host), host.timeout_minutes)


def run_lm_eval(process: MeasuringProcess, asked: Mapping[str, Any], log: Path, what: str) -> None:
    """Let lm-eval carry out an order.

    Raises: HostError, with what a server said where that is why it ended.
    """
    start = log.stat().st_size if log.exists() else 0
    try:
        process.measure(asked, log, what)
    except HostError as error:
        said = _SERVER_SAID.findall(read_log(log, start)) if log.exists() else []
        if not said or SteError.__module__ in str(error):
            raise
        told = said[-1].strip()[:_MAX_SAID]
        raise HostError(f"{error}\nThe server's last refusal: {told}") from error


def write_replies(
    out: Path, rows: Sequence[Document], replies: Sequence[list[Any]], settings: JudgeSettings
) -> dict[str, Any]:
    """Write what a judge replied to each row into judged.jsonl; return the figures of pairs.

    Those of RewardBench 2 are lm-eval's own; of these how far they may be off.
    """
    pairs = [row for row in rows if isinstance(row, LabelledPair)]
    if not pairs:
        choices = [row for row in rows if isinstance(row, Choice)]
        write_choices(out, choices, replies)
        return choice_spreads(choices, replies)
    judge_format = settings.load_judge_format()
    judged = [
        read_replies(pair, results, judge_format, settings)
        for pair, results in zip(pairs, replies, strict=True)
    ]
    write_judged(out, judged)
    return summarise(judged, SEED, settings)


def choice_spreads(rows: Sequence[Choice], replies: Sequence[list[Any]]) -> dict[str, Any]:
    """Return the intervals and biases of RewardBench 2's figures, as `SPREAD` names them."""
    scores = [score_choice(row, texts) for row, texts in zip(rows, replies, strict=True)]
    told: dict[str, Any] = {}
    for name, spread in spreads(scores).items():
        told |= {name + SPREAD[1]: [spread.low, spread.high], name + SPREAD[2]: spread.bias}
    return told


def read_documents(settings: JudgeSettings) -> Sequence[LabelledPair] | Sequence[Choice]:
    """Return what is judged: pairs, or RewardBench 2's rows of four answers and more."""
    if settings.benchmark != REWARDBENCH2.name:
        return read_pairs(settings)
    return kept(REWARDBENCH2.name, REWARDBENCH2.read(settings.data), settings.limit)


def judge_token_counter(model: str, config: EvaluationConfig) -> TokenCounter | None:
    """Return a count of tokens, or None where the judge's tokenizer is not known here."""
    known = config.backend in _BACKEND_NEEDS or "tokenizer" in config.model_args
    name = str(config.model_args.get("tokenizer", model))
    return token_counter(name, tokenizer_revision(config)) if known else None


def require_host(python: str, backend: str) -> str:
    """Return lm-eval's version in an environment that has all that the backend needs.

    Raises: HostError naming what is missing there and the command that installs it; ConfigError
    for a backend that this lm-eval does not have.
    """
    version = require_module(python, "lm_eval", INSTALL, VERSIONS)
    require_module(python, "ste_plugin", INSTALL)  # the task's classes live in it
    _require_backend(python, backend)
    for module in _BACKEND_NEEDS.get(backend, ()):
        require_module(python, module, f"pip install 'lm-eval[{backend}]'")
    return version


def _require_backend(python: str, backend: str) -> None:
    answer = run_python(python, _ASK_BACKENDS)
    if answer.returncode != 0:  # lm-eval itself will say what is wrong with it
        return
    known = json.loads(answer.stdout)
    if backend not in known:
        raise ConfigError(
            f"evaluation.backend: lm-eval has no {backend!r}.{did_you_mean(backend, known)} There "
            f"are: {', '.join(known)}."
        )


def identity(
    model: str,
    settings: JudgeSettings,
    judge_format: JudgeFormat,
    config: EvaluationConfig,
    rows: Sequence[Document] = (),
) -> dict[str, Any]:
    """Return everything that the figures depend on, as results.json records it."""
    how = described(settings, judge_format, rows)
    backend = {"backend": config.backend, "model_args": dict(config.model_args)}
    # an adapter, a tokenizer: the same path may hold another one later
    texts = {name: value for name, value in config.model_args.items() if isinstance(value, str)}
    own = {name: fingerprint(Path(text)) for name, text in texts.items() if Path(text).is_dir()}
    return {
        "model": model,
        "model_fingerprint": fingerprint(Path(model)) if Path(model).is_dir() else None,
        **({"model_args_fingerprints": own} if own else {}),
        **how,
        "settings": how["settings"] | backend,
    }


def read_finished(path: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what an earlier evaluation wrote, if it measured the same; moved data are the same.

    Raises: DataError where it is something else.
    """
    if not path.exists():
        return None
    results = read_json(path)
    if not isinstance(results, dict):
        raise DataError(f"{path}: not what `ste eval` writes. Delete it and run again.")
    same = all(results.get(key) == wanted[key] for key in wanted if key != "data")
    return results if same else None
