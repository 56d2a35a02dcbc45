"""Where the files are that a judge's folder holds beside its weights."""

from pathlib import Path

from ste_plugin.engines.nested import MAIN
from ste_plugin.text.hub_id import may_be_hub_id


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
