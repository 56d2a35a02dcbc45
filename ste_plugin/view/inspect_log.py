"""Judgments as logs of inspect_ai, which its viewer opens (`inspect view`).

The format is that of its version 0.3 (`.eval`, a zip of JSON files, schema version 2), written here
as inspect_ai itself wants another pydantic than axolotl.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

from ste_plugin import __version__
from ste_plugin.errors import SteError
from ste_plugin.records import content_key
from ste_plugin.storage.durable import make_folder
from ste_plugin.storage.jsonl import open_replacement, read_json
from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.prompts import FindFormat
from ste_plugin.view.queries import Filter, Item, items, spans_of
from ste_plugin.view.read_item import Read, read_item
from ste_plugin.view.sources import spoken_by
from ste_plugin.view.texts import Said

SCHEMA = 2
PER_LOG = 20_000
"""Samples of one log: of more its viewer takes long, and a zip's list of files much memory."""
_SHORT = 400
"""Characters of an input in the list of samples."""
_VALUES = {True: "C", False: "I"}
"""What inspect calls correct and incorrect; no verdict is N, as no answer is there."""
_FIGURES = ("acc", "acc_pc", "consistency", "pos_bias", "len_bias", "invalid_rate")
"""Figures of results.json that a log tells, too."""


class _Source(NamedTuple):
    judge: str
    on: str
    file: str
    mtime_ns: int
    sampled: int

    @property
    def name(self) -> str:
        return f"{self.judge}-{self.on}".replace("/", "-")

    @property
    def time(self) -> str:
        """When the judgments were written, so that the same ones make the same log."""
        return datetime.fromtimestamp(self.mtime_ns / 1e9, UTC).isoformat(timespec="seconds")


def export(folder: IndexedFolder, out: Path, find_format: FindFormat) -> Iterator[Path]:
    """Write a log of each judge on each set of pairs into `out`, or several of many; yield each.

    A sample is one pair in one order; its epochs are the samples that were drawn of it.
    Raises: DataError where the disk is full or cannot be written.
    """
    make_folder(out)
    with folder.connect() as db:
        rows = db.execute(
            "SELECT judge, on_pairs, path, mtime, sampled FROM source"
            " JOIN file ON file.id = source.file ORDER BY source.id"
        ).fetchall()
    for source in (_Source(*row) for row in rows):
        samples, part = _samples(folder, source, find_format), 1
        while chunk := islice(samples, PER_LOG):
            first = next(chunk, None)
            if first is None:
                break
            suffix = f"-{part}" if part > 1 else ""
            path = out / f"{source.name}{suffix}.eval"
            with open_replacement(path) as file:
                _write_log(file, folder, source, (sample for s in ([first], chunk) for sample in s))
            yield path
            part += 1


def _samples(
    folder: IndexedFolder, source: _Source, find_format: FindFormat
) -> Iterator[dict[str, Any]]:
    wanted, after = Filter(judge=source.judge, on=source.on), 0
    while True:
        with folder.connect() as db:
            page = items(db, wanted, after=after, limit=200)
            spans = [spans_of(db, item.id) for item in page]
        for item, places in zip(page, spans, strict=True):
            read = read_item(folder, item, places, find_format)
            model = folder.speaker(item)
            yield from (_sample(model, item, read, said) for said in read.said)
        if not page:
            return
        after = page[-1].id


def _sample(model: str, item: Item, read: Read, said: Said) -> dict[str, Any]:
    prompt = next((p.text for p in read.prompts if p.order == said.order and p.text), "")
    question = read.text.question if read.text else ""
    key = item.key.replace("/", "_")  # it becomes the name of a file in the zip
    name = f"{key}-{said.order}" if said.order else key
    reply: dict[str, Any] = {"role": "assistant", "source": "generate", "content": said.text}
    if said.thinking:
        thought = {"type": "reasoning", "reasoning": said.thinking}
        reply["content"] = [thought, {"type": "text", "text": said.text}]
    reply |= {"id": content_key(name, said.number), "model": model}
    asked = {"role": "user", "content": prompt or question, "id": content_key(name, "prompt")}
    return {
        "id": name,
        "epoch": said.number + 1,
        "input": prompt or question,
        "target": said.order,
        "messages": [asked, reply],
        "output": {
            "model": model,
            "choices": [{"message": reply, "stop_reason": "stop"}],
            "completion": said.text,
        },
        "scores": {"right": _score(item, said)},
        "metadata": {
            "pair": item.key,
            "subset": item.subset,
            "verdict in both orders": item.outcome,
            "better answer shown as": said.order,
            "forced": said.forced,
            "question": question,
            "better": list(read.text.better) if read.text else [],
            "worse": list(read.text.worse) if read.text else [],
            "prompt": "" if prompt else "not known: the question stands in its place",
        },
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }


def _score(item: Item, said: Said) -> dict[str, Any]:
    points = {"A": item.a, "B": item.b}.get(said.order, item.a)
    verdict = said.verdict
    if verdict is None and points in (1, -1):  # a letter that was forced, or nothing else was told
        return {"value": _VALUES[points == 1], "answer": "", "explanation": said.text}
    value = _VALUES[verdict == said.order] if verdict in ("A", "B") else "N"
    return {"value": value, "answer": verdict or "", "explanation": said.text}


def _write_log(
    file: BinaryIO, folder: IndexedFolder, source: _Source, samples: Iterable[dict[str, Any]]
) -> None:
    """Write one log; of each sample only what lists show is held."""
    summaries: list[bytes] = []
    names: dict[str, None] = {}
    right = epochs = 0
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for sample in samples:
            place = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            archive.writestr(place, _encoded(sample))
            summaries.append(_encoded(_summary(sample)))
            names[sample["id"]] = None
            epochs = max(epochs, sample["epoch"])
            right += sample["scores"]["right"]["value"] == "C"
        spec = _spec(folder, source, list(names), epochs)
        start = {"version": SCHEMA, "eval": spec, "plan": {"name": "plan", "steps": []}}
        archive.writestr("_journal/start.json", _encoded(start))
        archive.writestr("summaries.json", b"[" + b",".join(summaries) + b"]")
        results = _results(folder, source, len(summaries), right)
        stats = {"started_at": source.time, "completed_at": source.time, "model_usage": {}}
        end = {"status": "success", "results": results, "stats": stats, "invalidated": False}
        archive.writestr("header.json", _encoded(start | end))


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def _summary(sample: dict[str, Any]) -> dict[str, Any]:
    score = sample["scores"]["right"]
    short = {**score, "explanation": score["explanation"][:_SHORT]}
    kept = {name: sample[name] for name in ("id", "epoch", "target")}
    return kept | {
        "input": sample["metadata"]["question"][:_SHORT] or sample["input"][:_SHORT],
        "metadata": {name: sample["metadata"][name] for name in ("pair", "subset")},
        "scores": {"right": short},
        "model_usage": {},
        "completed": True,
        "message_count": len(sample["messages"]),
    }


def _spec(
    folder: IndexedFolder, source: _Source, names: Sequence[str], epochs: int
) -> dict[str, Any]:
    name = f"{folder.name}, {source.on}"
    own = content_key(str(folder.root), source.judge, source.on, names)
    return {
        "eval_id": own,
        "run_id": own,
        "created": source.time,
        "task": name,
        "task_id": own,  # of two logs with one, its viewer takes the older for a failed attempt
        "task_version": 0,
        "task_attribs": {},
        "task_args": {},
        "dataset": {"name": source.on, "samples": len(names), "sample_ids": names},
        "model": spoken_by(folder.root, source.judge, sampled=bool(source.sampled)),
        "model_args": {},
        "config": {"epochs": epochs},
        "packages": {"ste-plugin": __version__},
    }


def _results(folder: IndexedFolder, source: _Source, total: int, right: int) -> dict[str, Any]:
    metrics = {"accuracy": right / total} | _figures(folder, source)
    shown = {name: {"name": name, "value": value} for name, value in metrics.items()}
    return {
        "total_samples": total,
        "completed_samples": total,
        "scores": [{"name": "right", "scorer": "right", "params": {}, "metrics": shown}],
    }


def _figures(folder: IndexedFolder, source: _Source) -> dict[str, float]:
    """Return figures of the results.json beside the judgments, where there is one."""
    path = folder.root / source.file
    try:
        overall = read_json(path.with_name("results.json"))["overall"]
        return {n: float(overall[n]) for n in _FIGURES if isinstance(overall.get(n), int | float)}
    except (SteError, LookupError, TypeError):
        return {}
