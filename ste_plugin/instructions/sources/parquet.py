"""Reading Parquet files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources.files import NEEDS_EXTRA, locate_file

if TYPE_CHECKING:
    from ste_plugin.config import SourceConfig


def read_parquet(source: "SourceConfig", base: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows batch by batch; locations count from 0, as pyarrow does."""
    path = locate_file(source, base)
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ConfigError(f"reader: parquet needs pyarrow ({error}). {NEEDS_EXTRA}") from error
    index = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    yield f"{source.path}#{index}", row
                    index += 1
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DataError(
            f"{path}: not a readable Parquet file: {_parquet_problem(path, error)}, at row "
            f"{index}. Write or copy it again, or say what it is (`reader`; pairs: the ending of "
            "the name)."
        ) from error


def _parquet_problem(path: Path, error: Exception) -> str:
    """Return why pyarrow cannot read a file: it is of another kind, truncated, or damaged."""
    content = path.read_bytes()
    if not content.startswith(b"PAR1"):
        return f"it begins with {content[:8]!r} instead of b'PAR1'"
    return str(error).splitlines()[0] if content.endswith(b"PAR1") else "its end is missing"
