"""What must be the same on every machine that answers: ste-plugin's code and the model's folder."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import ste_plugin
from ste_plugin.engines.identity import fingerprint
from ste_plugin.engines.model_folder import explain_unloadable
from ste_plugin.errors import SteError

_PACKAGE = Path(ste_plugin.__file__).parent


@cache
def code_digest() -> str:
    """Return 8 hex digits of the package's own code."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def expectations(folder: Path) -> dict[str, str]:
    """Return what a machine must have to stand in for this one; `folder` may hold the model."""
    is_there = folder.is_dir()
    return {
        "version": ste_plugin.__version__,
        "code": code_digest(),
        "folder": str(folder) if is_there else "",
        "weights": fingerprint(folder) if is_there else "",
    }


def find_problem(spec: dict[str, Any]) -> str:
    """Return what is wrong on this machine, as a sentence of its own; else ''."""
    return _code_problem(spec["expected"]) or _folder_problem(spec["expected"])


def _code_problem(expected: dict[str, str]) -> str:
    if ste_plugin.__version__ != expected["version"]:
        found, wanted = ste_plugin.__version__, expected["version"]
    elif code_digest() != expected["code"]:
        found = f"{expected['version']} with other code ({code_digest()})"
        wanted = f"{expected['version']} ({expected['code']})"
    else:
        return ""
    return (
        f"found ste-plugin {found} in {_PACKAGE}; expected {wanted}, as here. Install the same one "
        "on all machines of the cluster."
    )


def _folder_problem(expected: dict[str, str]) -> str:
    if not (folder := expected["folder"]):
        return ""
    cure = "Put the model's folder on a disk that all machines share, or copy it there."
    if not Path(folder).is_dir():
        return f"{folder}: no such folder. {cure}"
    try:
        found = fingerprint(Path(folder))
        missing = explain_unloadable(folder)
    except (OSError, ValueError, SteError) as error:
        return f"{folder}: {error} {cure}"
    if found != expected["weights"]:
        reason = missing or f"fingerprint {found}"
        return (
            f"{folder}: found another model ({reason}); expected that of here (fingerprint "
            f"{expected['weights']}). {cure}"
        )
    return ""
