"""Which rows a trainer has: digests of their tokens, held against those of the data set's own."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ste_plugin.axolotl.strategies import GrpoTransform
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.errors import DataError
from ste_plugin.storage.dataset_manifest import DatasetManifest

IGNORED = -100
"""Label of a token that is not learnt."""
_BATCH = 1000
_APART = ("prompt_input_ids", "chosen_input_ids", "rejected_input_ids")
_PREFERENCE = ("prompt_ids", "chosen_ids", "rejected_ids")
COLUMNS: dict[str, tuple[str, ...]] = {
    "sft": ("input_ids", "labels"),
    "dpo": _PREFERENCE,
    "ipo": _PREFERENCE,
    "orpo": _APART,
    "simpo": _APART,
    "kto": ("prompt_ids", "completion_ids", "label"),
    "grpo": ("prompt",),
}
"""axolotl's `rl`, or sft → the columns of its trainer's rows that are trained on (TRL 1.9)."""
_CAUSES = (
    "pretraining_dataset, streaming, dataset_exact_deduplication, excess_length_strategy, "
    "min_sample_len, shards"
)

Tokens = Sequence[int]


class Learnt(Protocol):
    """What a trainer makes of one judgment: the tokens of its prompt, and those behind it."""

    @property
    def prompt(self) -> Tokens:
        """Return the tokens of the prompt."""
        ...

    @property
    def learnt(self) -> Tokens:
        """Return the tokens behind it."""
        ...


def expected_digest(
    template: ChatTemplate,
    row: Mapping[str, Any],
    rl: str | None,
    judgments: Sequence[Learnt],
    *,
    whole: bool = False,
) -> bytes:
    """Return the digest of a row's tokens as its trainer should have them.

    `judgments`: the chosen one before the rejected. `whole`: the prompt is learnt, too.
    """
    prompt, replies = list(judgments[0].prompt), [list(j.learnt) for j in judgments]
    if rl == "grpo":
        return digest([GrpoTransform.texts(row, template)["prompt"]])
    if rl == "kto":
        return digest([prompt, *replies, row["label"]])
    if rl in ("orpo", "simpo"):
        return digest([prompt, *([*prompt, *reply] for reply in replies)])
    if rl:
        return digest([prompt, *replies])
    ids = prompt + replies[0]
    return digest([ids, ids if whole else [IGNORED] * len(prompt) + replies[0]])


def digest(values: Iterable[Any]) -> bytes:
    """Return 16 bytes for one row's values: tokens, texts, or yes and no."""
    found = hashlib.blake2b(digest_size=16)
    for value in values:
        if isinstance(value, str):
            content = value.encode()
        else:
            content = np.asarray(value, dtype=np.int64).tobytes()
        found.update(len(content).to_bytes(8, "little"))
        found.update(content)
    return found.digest()


def row_digests(dataset: Any, columns: Sequence[str]) -> Iterator[bytes]:
    """Yield the digest of every row of a `datasets.Dataset`."""
    for batch in dataset.select_columns(list(columns)).with_format("arrow").iter(_BATCH):
        yield from map(digest, zip(*(_values(batch.column(c)) for c in columns), strict=True))


def _values(column: Any) -> Iterator[Any]:
    """Yield a column's values, lists of numbers as arrays."""
    import pyarrow

    for chunk in column.chunks:
        if pyarrow.types.is_list(chunk.type) or pyarrow.types.is_large_list(chunk.type):
            numbers = chunk.flatten().to_numpy(zero_copy_only=False)
            ends = np.cumsum(chunk.value_lengths().to_numpy(zero_copy_only=False))
            yield from np.split(numbers, ends[:-1])
        else:
            yield from chunk.to_pylist()


def check_dataset(
    dataset: Any,
    expected: Counter[bytes],
    manifest: DatasetManifest,
    rl: str | None,
    *,
    alone: bool,
) -> dict[str, Any]:
    """Return what the training's manifest says of the rows in a trainer, once they are ours.

    `expected`: digests of our rows, none where other rows are trained on; `alone`: no others may
    be there. Where the trainer keeps them otherwise than we know, they are only counted.
    Raises: DataError where rows are missing, or others are there.
    """
    if not hasattr(dataset, "select_columns") or not hasattr(dataset, "__len__"):
        if alone:
            raise DataError(f"{manifest.path}: its rows do not reach the trainer. {_cure()}")
        return {"rows": None, "sha256": None}
    columns = COLUMNS[rl or "sft"]
    if not set(columns) <= set(dataset.column_names):
        if alone and len(dataset) != expected.total():
            raise DataError(_differs(manifest, len(dataset), expected.total(), None, None))
        return {"rows": len(dataset), "sha256": None}
    found = Counter(row_digests(dataset, columns))
    missing, others = (expected - found).total(), (found - expected).total()
    if missing or (alone and others):
        raise DataError(_differs(manifest, len(dataset), expected.total(), missing, others))
    every = hashlib.sha256(b"".join(sorted(found.elements()))).hexdigest()
    return {"rows": len(dataset), "sha256": every}


def _differs(
    manifest: DatasetManifest, rows: int, ours: int, missing: int | None, others: int | None
) -> str:
    which = "" if missing is None else f": {missing} of ours are missing, {others} are not ours"
    told = f"{manifest.path}: it has {ours} rows to train on, and the trainer has {rows}{which}. "
    every = missing == ours > 0 and (others or 0) >= ours
    return told + (f"{_RENDERED_OTHERWISE} {_CHANGED}" if every else _cure())


_RENDERED_OTHERWISE = (
    "So the chat template renders every row otherwise now than when axolotl prepared them, as one "
    "does that puts in today's date. Remove the folder dataset_prepared_path (axolotl's own: "
    "last_run_prepared) and train again; for one text on every day give the template its date, by "
    "judge.chat_template_kwargs in the run's config (Llama 3's: date_string)."
)
_CHANGED = f"If that does not help, remove what changes rows ({_CAUSES})."


def _cure() -> str:
    return (
        f"Remove what drops, changes or adds rows ({_CAUSES}), and what axolotl prepared before "
        "(dataset_prepared_path)."
    )
