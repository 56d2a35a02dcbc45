"""Which completions belong to a selection: the keys of the prompts that were made from it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.identity import fingerprint, model_identity
from ste_plugin.forget.selection import Selection, files_named
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.requests import GeneratorRequests, JudgeRequests, Prompt
from ste_plugin.instructions.selection import LABEL_VERSION, label
from ste_plugin.pairs.generate import generator_requests
from ste_plugin.pairs.strategies import PairStrategy, read_answer, read_pair
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import ORDERS, Instruction, Judgment, ResponsePair
from ste_plugin.storage.jsonl import iter_records, read_json
from ste_plugin.storage.training_manifest import NAME as TRAINED
from ste_plugin.storage.training_manifest import find_trained_model


def prompt_keys_of(context: RunContext, selection: Selection) -> set[str]:
    """Return the prompt keys of every label, answer and judgment that was asked for."""
    instructions, pairs = list(selection.instructions.values()), dict(selection.pairs)
    return {
        *_labels(context, instructions),
        *_answers(context, instructions, pairs),
        *_judging(context, list(pairs.values())),
        *_judged(context.folder.root, pairs.keys()),
    }


class _Replies:
    """What models said, in all files of these names."""

    def __init__(self, root: Path, *names: str) -> None:
        self._files = [CompletionStore(path) for path in files_named(root, *names)]

    def get(self, request: ChatRequest) -> Completion | None:
        return next((c for f in self._files if (c := f.get(request.key))), None)


def _labels(context: RunContext, instructions: Sequence[Instruction]) -> set[str]:
    replies, keys = _Replies(context.folder.root, "labels.completions.jsonl"), set[str]()
    make = generator_requests(context)

    def ask(prompts: Sequence[Prompt]) -> list[Completion]:
        requests = [make.label(prompt, LABEL_VERSION) for prompt in prompts]
        keys.update(request.prompt_key for request in requests)
        return [replies.get(r) or Completion(r.key, "", "budget", 0, 0) for r in requests]

    label(instructions, ask)
    return keys


def _answers(
    context: RunContext, instructions: Iterable[Instruction], pairs: dict[str, ResponsePair]
) -> Iterator[str]:
    """Yield the keys of the good answer's prompt and of every strategy's calls, as far as they
    went.

    The pairs that these make are added to `pairs`: of an unfinished pool they are on no file, and
    may
    have been judged already.
    """
    replies = _Replies(context.folder.root, "pairs.completions.jsonl")
    make = generator_requests(context)
    for instruction in instructions:
        asked = make.answer(instruction.text)
        yield asked.prompt_key
        answer = replies.get(asked)
        better = read_answer(instruction, answer) if answer else None
        for name in context.config.pairs.strategies:
            strategy = find_contribution(
                context.plugins, "ste_pair_strategies", name, "pairs.strategies"
            )
            calls = list(_calls(make, name, strategy, instruction, replies))
            yield from (request.prompt_key for request, _ in calls)
            said = [reply for _, reply in calls if reply]
            if calls and len(said) == len(calls) and isinstance(better, str):
                known = {instruction.key: better}
                pair = read_pair(instruction, name, strategy, said, known, [instruction])
                if isinstance(pair, ResponsePair):
                    pairs.setdefault(pair.key, pair)


def _calls(
    make: GeneratorRequests,
    name: str,
    strategy: PairStrategy,
    instruction: Instruction,
    replies: _Replies,
) -> Iterator[tuple[ChatRequest, Completion | None]]:
    """Yield a strategy's calls for one instruction, up to the first that nobody has answered."""
    said: list[str] = []
    while prompt := strategy.next_prompt(instruction, said):
        request = make.worse_answer(prompt, name, strategy.version)
        reply = replies.get(request)
        yield request, reply
        if reply is None:
            return
        said.append(reply.text)


def _judging(context: RunContext, pairs: Sequence[ResponsePair]) -> Iterator[str]:
    """Yield the keys of the requests to every judge that the run has had, forced verdicts
    included."""
    config = context.config.judging
    names = ["judging.completions.jsonl"] if config.force_verdict else []
    replies = _Replies(context.folder.root, *names)
    for judge in _judges(context):
        make = JudgeRequests.of_config(judge, context.judge_format, config)
        for pair in pairs:
            for order in ORDERS:
                request = make.judgment(pair, order)
                yield request.prompt_key
                if make.force_verdict:
                    yield from _forced(make, request, replies, config.samples + config.top_up)


def _forced(
    make: JudgeRequests, request: ChatRequest, replies: _Replies, samples: int
) -> Iterator[str]:
    """Yield the keys of the requests for a letter, behind nothing and behind every sample's
    words."""
    said = [None, *(replies.get(request.with_sample_index(number)) for number in range(samples))]
    for prefix in {make.forced_prefix(reply) for reply in said}:
        yield make.forced(request, prefix).prompt_key


def _judges(context: RunContext) -> set[str]:
    """Return the identities of all judges: the seed, and whatever was trained or has judged."""
    root = context.folder.root
    found = {model_identity(context.config.judge, context.base)}
    for path in files_named(root, TRAINED):
        if final := find_trained_model(path.parent):
            found.add(f"folder:{fingerprint(final)}")
    manifests: list[Mapping[str, str]] = [read_json(p) for p in files_named(root, "manifest.json")]
    return found | {m["judge"] for m in manifests if "judge" in m}


def _judged(root: Path, pairs: Collection[str]) -> Iterator[str]:
    """Yield the keys under which judgments of these pairs are on file."""
    for path in files_named(root, "judgments.jsonl"):
        for judgment in iter_records(path, Judgment):
            if judgment.pair_key in pairs:
                yield judgment.key.rpartition("-")[0]
