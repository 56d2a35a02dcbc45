"""The completions of a selection, by the keys of the prompts that were made from it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from ste_plugin.audit.probes.requested import probe_keys
from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.identity import fingerprint, model_identity
from ste_plugin.engines.nested import with_trained_weights
from ste_plugin.errors import DataError, SteError
from ste_plugin.forget.selection import Selection, find_files
from ste_plugin.inference.completion_store import CompletionStore, find_completions
from ste_plugin.inference.requests import JudgeRequests, Prompt
from ste_plugin.instructions.selection import LABEL_VERSION, label
from ste_plugin.pairs.shown_columns import columns_to_show, with_columns
from ste_plugin.pairs.strategies import read_answer, read_pair
from ste_plugin.pairs.strategy_replies import StrategyCalls
from ste_plugin.pairs.writers import (
    PAIRS,
    WEAKER,
    find_strategy,
    generator_requests,
    weaker_name,
    writer_of,
)
from ste_plugin.records import ORDERS, Instruction, Judgment, ResponsePair
from ste_plugin.storage.config_file import read_run_yaml
from ste_plugin.storage.jsonl import iter_records, read_json
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.storage.training_manifest import NAME as TRAINED
from ste_plugin.storage.training_manifest import find_trained_model

PROBES = "probes-*.completions.jsonl"
"""What audits asked, a file per judge."""


def find_prompt_keys(context: RunContext, selection: Selection) -> set[str]:
    """Return the prompt keys of every label, answer and judgment that was requested.

    Completions stay where a redo sets aside what was made of them, so that those go as well that
    were asked by the settings of then. Where these are not known, `selection.unread` says so.
    """
    keys = _requested_keys(context, selection)
    for old in sorted(context.folder.root.glob("old-[0-9]*")):
        try:
            if (earlier := _with_settings_of(old, context)).config != context.config:
                keys |= _requested_keys(earlier, selection)
        except SteError as error:
            why = str(error).splitlines()[0]
            selection.unread.append(f"what was asked by the settings of {old.name} ({why})")
    return keys


def _with_settings_of(old: Path, context: RunContext) -> RunContext:
    """Return the context of the run as it was when a redo set `old` aside."""
    layout = RunLayout(old)
    if not layout.config.exists():
        raise DataError("set aside by a version that kept no run.yaml there")
    config = read_run_yaml(layout.config)
    if layout.judge_format.exists():  # the file that the config names may hold another one now
        file = str(layout.judge_format.resolve())
        asked = config.judging.model_copy(update={"format": file, "rubric": ""})
        config = config.model_copy(update={"judging": asked})
    return replace(context, config=config)


def _requested_keys(context: RunContext, selection: Selection) -> set[str]:
    instructions, pairs = list(selection.instructions.values()), dict(selection.pairs)
    return {
        *_label_keys(context, instructions),
        *_answer_keys(context, instructions, pairs),
        *_judgment_keys(context, list(pairs.values())),
        *_stored_judgment_keys(context.folder.root, pairs.keys()),
        *_probe_keys(context, list(pairs.values())),
    }


class _Replies:
    """The completions in all files of these names."""

    def __init__(self, root: Path, *names: str) -> None:
        paths = (path for name in names for path in find_completions(root, name))
        self._stores = [CompletionStore(path) for path in paths]

    def get(self, request: ChatRequest) -> Completion | None:
        return next((c for s in self._stores if (c := s.get(request.key))), None)


def _label_keys(context: RunContext, instructions: Sequence[Instruction]) -> set[str]:
    replies, keys = _Replies(context.folder.root, "labels.completions.jsonl"), set[str]()
    builder = generator_requests(context)

    def ask(prompts: Iterable[Prompt], _: int) -> list[Completion]:
        requests = [builder.label(prompt, LABEL_VERSION) for prompt in prompts]
        keys.update(request.prompt_key for request in requests)
        return [replies.get(r) or Completion(r.key, "", "budget", 0, 0) for r in requests]

    list(label(instructions, ask))
    return keys


def _answer_keys(
    context: RunContext, instructions: Iterable[Instruction], pairs: dict[str, ResponsePair]
) -> Iterator[str]:
    """Yield the keys of the good answer's prompt and of every strategy's calls that were made.

    Their pairs are added to `pairs`: those of an unfinished pool are in no file, but may have been
    judged already.
    """
    files = [f"{name}.completions.jsonl" for name in (PAIRS, WEAKER)]
    replies, builder = _Replies(context.folder.root, *files), generator_requests(context)
    strategies = {n: find_strategy(context, n) for n in context.config.pairs.strategies}
    samples = context.config.pairs.samples
    calls = {n: StrategyCalls(n, s, writer_of(context, s), samples) for n, s in strategies.items()}
    weaker, columns = weaker_name(context), columns_to_show(context)
    for instruction in instructions:
        request = builder.answer(instruction)
        yield request.prompt_key
        reply = replies.get(request)
        better = read_answer(instruction, reply) if reply else None
        good = better if isinstance(better, str) else ""
        for name, strategy in strategies.items():
            if calls[name].kind.sees_answer and not good:  # it was never asked
                continue
            asked = list(_replay_calls(calls[name], instruction, good, replies))
            yield from (call.prompt_key for call, _ in asked)
            answered = [reply for _, reply in asked if reply]
            if good and asked and len(answered) == len(asked):
                answers = {instruction.key: good}
                pair = read_pair(
                    instruction, good, name, strategy, answered, answers, [instruction], weaker
                )
                if isinstance(pair, ResponsePair):
                    shown = with_columns(pair, instruction, columns)
                    pairs.setdefault(shown.key, shown)


def _replay_calls(
    calls: StrategyCalls, instruction: Instruction, good: str, replies: _Replies
) -> Iterator[tuple[ChatRequest, Completion | None]]:
    """Yield a strategy's calls for one instruction, up to the first without a reply."""
    earlier: list[Completion] = []
    while requests := calls.next_requests(instruction, good, earlier):
        found = [replies.get(request) for request in requests]
        yield from zip(requests, found, strict=True)
        if None in found:
            return
        earlier += [reply for reply in found if reply]


def _judgment_keys(context: RunContext, pairs: Sequence[ResponsePair]) -> Iterator[str]:
    """Yield the keys of the requests to every judge of the run, forced verdicts included."""
    config = context.config.judging
    names = ["judging.completions.jsonl"] if config.force_verdict else []
    replies = _Replies(context.folder.root, *names)
    for judge, draw in product(_find_judges(context), range(_count_draws(context))):
        builder = JudgeRequests.of_config(judge, context.judge_format, config, draw)
        for pair in pairs:
            for order in ORDERS:
                request = builder.judgment(pair, order)
                yield request.prompt_key
                if builder.force_verdict:
                    yield from _forced_keys(
                        builder, request, replies, config.samples + config.top_up
                    )


def _probe_keys(context: RunContext, pairs: Sequence[ResponsePair]) -> Iterator[str]:
    """Yield the keys of what audits asked the run's judges, where there was one."""
    root = context.folder.root
    if find_completions(root, PROBES):
        yield from probe_keys(context, _find_judges(context), pairs, _Replies(root, PROBES).get)


def _forced_keys(
    builder: JudgeRequests, request: ChatRequest, replies: _Replies, samples: int
) -> Iterator[str]:
    """Yield the keys of the requests for a letter, after nothing and after every sample's words."""
    reasonings = [
        None,
        *(replies.get(request.with_sample_index(number)) for number in range(samples)),
    ]
    for prefix in {builder.forced_prefix(reply) for reply in reasonings}:
        yield builder.forced(request, prefix).prompt_key


def _count_draws(context: RunContext) -> int:
    """Return how often a judge may have been asked the same, in draws of their own.

    It judges again for each iteration in between that broke a gate.
    """
    gates = (read_json(path) for path in find_files(context.folder.root, "gates.json"))
    return 1 + sum(not decision["passed"] for decision in gates)


def _find_judges(context: RunContext) -> set[str]:
    """Return the identities of all judges: the seed, trained ones, and those in manifests."""
    root, seed = context.folder.root, context.config.judge
    judges = {model_identity(seed, context.base)}
    for path in find_files(root, TRAINED):
        if final := find_trained_model(path.parent):
            trained = with_trained_weights(seed, str(final))
            judges |= {f"folder:{fingerprint(final)}", model_identity(trained, context.base)}
    manifests: list[Mapping[str, str]] = [read_json(p) for p in find_files(root, "manifest.json")]
    return judges | {m["judge"] for m in manifests if "judge" in m}


def _stored_judgment_keys(root: Path, pairs: Collection[str]) -> Iterator[str]:
    """Yield the keys of stored judgments of these pairs."""
    for path in find_files(root, "judgments.jsonl"):
        for judgment in iter_records(path, Judgment):
            if judgment.pair_key in pairs:
                yield judgment.key.rpartition("-")[0]
