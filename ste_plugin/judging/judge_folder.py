"""Where the files are that a judge's folder holds beside its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ste_plugin.text.hub_id import may_be_hub_id

MAIN = "main"
"""The revision of a hub id that names none."""


def revision_of(options: Mapping[str, Any]) -> str:
    """Return the revision of a model's weights that the options of its engine name."""
    return str(options.get("revision") or MAIN)


def folder_with(model: str | Path, name: str, revision: str = MAIN) -> Path:
    """Return a model's folder; of a hub id the one in the hub's cache that has a file of a name in
    a revision, where that was downloaded."""
    folder, hub_id = Path(model), str(model)
    may_be_downloaded = "/" in hub_id and may_be_hub_id(hub_id)  # a bare one may be a server's
    if folder.is_dir() or not may_be_downloaded:
        return folder
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return folder
    found = try_to_load_from_cache(hub_id, name, revision=revision)
    return Path(found).parent if isinstance(found, str) else folder
