"""Reading Parquet files."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources.unpacking import NEEDS_EXTRA
from ste_plugin.text.file_type import HEAD_BYTES, explain_file_type

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet as parquet

Decode = Callable[[Any], Any]
_JSON = "arrow.json"
"""What Arrow calls texts that hold JSON."""
_BATCH = 256
"""How many rows are in memory at once."""
_BUFFER_BYTES = 1 << 20
"""How much of a column is read at once. Without it, and with `pre_buffer`, pyarrow keeps all that
was read: 300 MB of a file of 320 MB."""


def parquet_rows(path: Path, shown: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows batch by batch, with what they hold as JSON decoded.

    Locations count from 0, as pyarrow does.
    """
    index = 0
    with _open(path, lambda: index) as file:
        decoders = json_decoders(file.schema_arrow)
        for batch in file.iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                decoded = {name: decode(row[name]) for name, decode in decoders.items()}
                yield f"{shown}#{index}", row | decoded
                index += 1


def check_parquet(path: Path) -> None:
    """Raise DataError for a file that is no whole Parquet, or that has two columns of a name."""
    with _open(path) as file:
        names = file.schema_arrow.names
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"{path}: {', '.join(map(repr, repeated))} names more than one column; expected each "
            "column once. Write the file with other names."
        )


@contextmanager
def _open(path: Path, row: Callable[[], int] = lambda: 0) -> Iterator["parquet.ParquetFile"]:
    """Open a file; errors of reading it become a DataError that names the row."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ConfigError(f"reader: parquet needs pyarrow ({error}). {NEEDS_EXTRA}") from error
    try:
        with parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            yield file
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(
            f"{path}: not a readable Parquet file: {_parquet_problem(path, error)}, at row "
            f"{row()}. Write or copy it again, or say what it is (`reader`; pairs: the ending of "
            "the name)."
        ) from error


def json_decoders(schema: "pyarrow.Schema") -> dict[str, Decode]:
    """Return column → decoder of its values, for columns that hold JSON at any depth.

    `datasets` 4.7 and later write values that differ in type, and structs whose keys do, as JSON,
    and say so twice: in Arrow's type, which pyarrow before 19 shows as a text, and in metadata.
    """
    features = _features(schema)
    found = {field.name: _decoder(field, features.get(field.name)) for field in schema}
    return {name: decode for name, decode in found.items() if decode}


def _features(schema: "pyarrow.Schema") -> Mapping[str, Any]:
    """Return what `datasets` noted about the columns, empty where it did not write the file."""
    noted = _parse((schema.metadata or {}).get(b"huggingface", b"{}"))
    for key in ("info", "features"):
        noted = noted.get(key) if isinstance(noted, dict) else None
    return noted if isinstance(noted, dict) else {}


def _decoder(field: "pyarrow.Field", feature: Any) -> Decode | None:
    """Return how to decode a column, an item or a member of a struct; None where nothing is."""
    import pyarrow.types as types

    kind = field.type
    if _is_json(field, feature):
        return _parse
    if types.is_struct(kind):
        members = feature if isinstance(feature, dict) else {}
        decoders = {f.name: _decoder(f, members.get(f.name)) for f in kind}
        return _struct_decoder({name: decode for name, decode in decoders.items() if decode})
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _list_decoder(_decoder(kind.value_field, _item(feature)))
    return None


def _is_json(field: "pyarrow.Field", feature: Any) -> bool:
    by_type = getattr(field.type, "extension_name", "") == _JSON
    by_field = (field.metadata or {}).get(b"ARROW:extension:name") == _JSON.encode()
    return by_type or by_field or (isinstance(feature, dict) and feature.get("_type") == "Json")


def _item(feature: Any) -> Any:
    """Return the feature of a list's items: `[item]` in old files, {"feature": item} in others."""
    if isinstance(feature, list):
        return feature[0] if feature else None
    return feature.get("feature") if isinstance(feature, dict) else None


def _list_decoder(item: Decode | None) -> Decode | None:
    if item is None:
        return None
    return lambda values: None if values is None else [item(value) for value in values]


def _struct_decoder(members: Mapping[str, Decode]) -> Decode | None:
    if not members:
        return None
    return lambda struct: (
        None if struct is None else struct | {name: members[name](struct[name]) for name in members}
    )


def _parse(text: Any) -> Any:
    """Return what JSON says; anything else is not what the schema promises, and stays as it is."""
    try:
        return json.loads(text) if isinstance(text, str | bytes) else text
    except (ValueError, RecursionError):
        return text


def _parquet_problem(path: Path, error: Exception) -> str:
    """Return why pyarrow cannot read a file: it is of another kind, truncated, or damaged."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4))
        end = file.read()
    if not head.startswith(b"PAR1"):
        other = explain_file_type(head).partition(". ")
        return other[0] or f"it begins with {head[:8]!r} instead of b'PAR1'"
    return str(error).splitlines()[0] if end == b"PAR1" else "its end is missing"
