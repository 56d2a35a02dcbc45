"""Which completions belong to what goes: the keys of the prompts that were made of it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion, Message, Sampling
from ste_plugin.engines.identity import fingerprint, model_identity
from ste_plugin.forget.wanted import Selection, files_named
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.instructions.selection import LABEL_VERSION, label
from ste_plugin.pairs.strategies import PairStrategy, read_answer, read_pair, user
from ste_plugin.plugins.manager import named
from ste_plugin.records import ORDERS, Instruction, Judgment, ResponsePair
from ste_plugin.storage.jsonl import iter_records, read_json
from ste_plugin.storage.training_manifest import NAME as TRAINED
from ste_plugin.storage.training_manifest import trained_model


def prompts_of(context: RunContext, gone: Selection) -> set[str]:
    """Return the prompt keys of every label, answer and judgment that was asked for."""
    instructions, pairs = list(gone.instructions.values()), dict(gone.pairs)
    return {
        *_labels(context, instructions),
        *_answers(context, instructions, pairs),
        *_judging(context, list(pairs.values())),
        *_judged(context.folder.root, pairs.keys()),
    }


class _Replies:
    """What models said, in all files of one name."""

    def __init__(self, root: Path, name: str) -> None:
        self._files = [CompletionStore(path) for path in files_named(root, name)]

    def get(self, request: ChatRequest) -> Completion | None:
        return next((c for f in self._files if (c := f.get(request.key))), None)


def _labels(context: RunContext, instructions: Sequence[Instruction]) -> set[str]:
    replies, found = _Replies(context.folder.root, "labels.completions.jsonl"), set[str]()
    sampling, model = Sampling(0.0, 1.0, 2048), context.generator_identity

    def ask(prompts: Sequence[tuple[Message, ...]]) -> list[Completion]:
        requests = [ChatRequest(model, p, sampling, format_version=LABEL_VERSION) for p in prompts]
        found.update(request.prompt_key for request in requests)
        return [replies.get(r) or Completion(r.key, "", "budget", 0, 0) for r in requests]

    label(instructions, ask)
    return found


def _answers(
    context: RunContext, instructions: Iterable[Instruction], pairs: dict[str, ResponsePair]
) -> Iterator[str]:
    """Yield the keys of the good answer's prompt and of every strategy's calls, as far as they went.

    The pairs that these make are added to `pairs`: of an unfinished pool they are on no file, and may
    have been judged already.
    """
    replies = _Replies(context.folder.root, "pairs.completions.jsonl")
    model = context.generator_identity  # reads the model's folder: once
    for instruction in instructions:
        asked = _request(context, model, user(instruction.text), "answer")
        yield asked.prompt_key
        answer = replies.get(asked)
        better = read_answer(instruction, answer) if answer else None
        for name in context.config.pairs.strategies:
            strategy = named(context.plugins, "ste_pair_strategies", name, "pairs.strategies")
            said, finished = [], False
            for request, reply in _calls(context, model, name, strategy, instruction, replies):
                yield request.prompt_key
                finished = reply is not None
                said += [reply] if reply else []
            if finished and isinstance(better, str):
                known = {instruction.key: better}
                made = read_pair(instruction, name, strategy, said, known, [instruction])
                if isinstance(made, ResponsePair):
                    pairs.setdefault(made.key, made)


def _calls(
    context: RunContext, model: str, name: str, strategy: PairStrategy, instruction: Instruction,
    replies: _Replies,
) -> Iterator[tuple[ChatRequest, Completion | None]]:  # fmt: skip
    """Yield a strategy's calls for one instruction, up to the first that nobody has answered."""
    said: list[str] = []
    while prompt := strategy.next_prompt(instruction, said):
        request = _request(context, model, prompt, f"{name}-{strategy.version}")
        reply = replies.get(request)
        yield request, reply
        if reply is None:
            return
        said.append(reply.text)


def _request(
    context: RunContext, model: str, prompt: tuple[Message, ...], version: str
) -> ChatRequest:
    config = context.config.pairs
    sampling = Sampling(config.temperature, config.top_p, config.max_new_tokens)
    system = (Message("system", config.system),) if config.system else ()
    turns = prompt if prompt[0].role == "system" else system + prompt
    return ChatRequest(model, turns, sampling, format_version=version)


def _judging(context: RunContext, pairs: Sequence[ResponsePair]) -> Iterator[str]:
    """Yield the keys of the questions to every judge that the run has had, forced verdicts included."""
    root, judge_format, config = context.folder.root, context.judge_format, context.config.judging
    replies = _Replies(root, "judging.completions.jsonl") if config.force_verdict else None
    sampling = Sampling(
        config.temperature, config.top_p, config.max_new_tokens or judge_format.max_new_tokens
    )
    for judge in _judges(context):
        for pair in pairs:
            for order in ORDERS:
                turns = judge_format.render_pair(pair.instruction, pair.better, pair.worse, order)
                request = ChatRequest(judge, turns, sampling, format_version=judge_format.version)
                yield request.prompt_key
                if replies:
                    yield from _forced(context, request, replies)


def _forced(context: RunContext, request: ChatRequest, replies: _Replies) -> Iterator[str]:
    judge_format, config = context.judge_format, context.config.judging
    prefixes = {judge_format.forced_prefix("")}
    for sample in range(config.samples + config.top_up):
        if said := replies.get(request.with_sample_index(sample)):
            cut = said.finish_reason == "length"
            prefixes.add(judge_format.forced_prefix(said.text, cut_off=cut))
    for prefix in prefixes:
        yield replace(request, prefix=prefix, choices=ORDERS).prompt_key


def _judges(context: RunContext) -> set[str]:
    """Return the identities of all judges: the seed, and whatever was trained or has judged."""
    root = context.folder.root
    found = {model_identity(context.config.judge, context.base)}
    for path in files_named(root, TRAINED):
        if final := trained_model(path.parent):
            found.add(f"folder:{fingerprint(final)}")
    manifests: list[Mapping[str, str]] = [read_json(p) for p in files_named(root, "manifest.json")]
    return found | {m["judge"] for m in manifests if "judge" in m}


def _judged(root: Path, pairs: Collection[str]) -> Iterator[str]:
    """Yield the keys under which judgments of these pairs are on file."""
    for path in files_named(root, "judgments.jsonl"):
        for judgment in iter_records(path, Judgment):
            if judgment.pair_key in pairs:
                yield judgment.key.rpartition("-")[0]
