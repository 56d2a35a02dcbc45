"""Files that say in which form they are written, since other versions of ste-plugin read them."""

from pathlib import Path
from typing import Any

from ste_plugin.errors import ConfigError
from ste_plugin.storage.jsonl import read_json


def read_form(path: Path, key: str, newest: int) -> Any:
    """Return the JSON of a file, whose `key` holds the number of its form.

    Raises: DataError where the file is damaged; ConfigError where its form is above the `newest`.
    """
    content = read_json(path)
    form = content.get(key) if isinstance(content, dict) else None
    if isinstance(form, int) and form > newest:
        raise ConfigError(
            f"{path}: found form {form} of this file; this ste-plugin knows {newest}. "
            "Install a newer one."
        )
    return content
