"""Runs whose models stand behind a chat server, or behind files, and always say the same."""

from pathlib import Path
from types import SimpleNamespace

from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from tests.helpers.fake_judge import judgment, reply
from tests.helpers.fake_runs import written

NOWHERE = "http://127.0.0.1:9/v1"


def says(body, index):
    """Judge right one time in four, after a thought; or write."""
    prompt = body["messages"][-1]["content"]
    if "[Answer A]" not in prompt:
        return reply(SimpleNamespace(messages=[SimpleNamespace(content=prompt)]), "well")
    seed = (body["seed"] + index) * 2654435761 % 2**32 * 2**28
    request = SimpleNamespace(choices=(), seed=seed, sample_index=0)
    return "<think>Which?</think>" + judgment(prompt, 0.25, request)


def config_in(folder, tiny_model, base_url=NOWHERE, texts=40, judging=None, **options) -> Path:
    folder.mkdir(exist_ok=True)
    options = {"base_url": base_url, "backoff_s": 0.001, "max_attempts": 2} | options
    return written(
        folder,
        tiny_model,
        texts=texts,
        judge={"model": str(tiny_model), "engine": "http", "options": options},
        judging={"format": "brief", "samples": 15, "top_up": 5} | (judging or {}),
    )


def by_http(path):
    with open_run(path, [], quiet=True) as context:
        return stages.generate(context, 1)


def made(path) -> dict[str, bytes]:
    """All that was made of the completions."""
    root = path.parent / "run"
    files = [f for f in root.rglob("*.json*") if f.is_file() and "completions" not in f.name]
    return {str(f.relative_to(root)): f.read_bytes() for f in files if f.name != "events.jsonl"}
