"""Asking an engine for what is still owed, and keeping every completion as soon as it comes."""

from collections.abc import Sequence
from pathlib import Path

from ste_plugin.engines.base import ChatRequest, Completion, Engine
from ste_plugin.errors import EngineError
from ste_plugin.store import appending, cut_torn_tail, read_records, to_line
from ste_plugin.watch import Watch


def stored_completions(path: Path) -> dict[str, Completion]:
    """Return key → completion for everything a model has already answered, its torn tail cut."""
    cut_torn_tail(path)
    return {c.key: c for c in read_records(path, Completion)} if path.exists() else {}


def owed(requests: Sequence[ChatRequest], done: dict[str, Completion]) -> list[ChatRequest]:
    """Return the requests nobody has answered yet, each once, in order."""
    unique = {request.key: request for request in requests}
    return [request for key, request in unique.items() if key not in done]


def ask(
    engine: Engine, requests: Sequence[ChatRequest], path: Path, watch: Watch, title: str
) -> list[Completion]:
    """Return the completions of `requests` in their order; only those still owed are generated.

    Raises: EngineError where the engine left some unanswered.
    """
    done = stored_completions(path)
    wanted = owed(requests, done)
    if wanted:
        with appending(path) as file, watch.bar(title, len(wanted)) as bar:
            for completion in engine.complete(wanted):
                file.write(to_line(completion.to_dict()))
                file.flush()
                done[completion.key] = completion
                bar.step(completion.completion_tokens)
    missing = [r for r in requests if r.key not in done]
    if missing:
        raise EngineError(
            f"{title}: the engine left {len(missing)} of {len(requests)} requests unanswered. "
            "Run the same command again: only these are asked for."
        )
    return [done[request.key] for request in requests]
