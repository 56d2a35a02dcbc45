"""Secrets: how they are named, and their values kept out of all that is written and printed."""

import json
import os
import re
from collections.abc import Mapping
from typing import BinaryIO
from urllib.parse import quote

_SECRET_WORDS = "api_?key|password|secret"
_SECRET_VARIABLE = re.compile(
    rf"(?:^|_)(?:{_SECRET_WORDS}|key|token|passwd|credentials?|pat)$", re.IGNORECASE
)
"""How variables that hold secrets are named: HF_TOKEN, WANDB_API_KEY, AWS_SECRET_ACCESS_KEY."""
_SECRET_SETTING = re.compile(
    rf"token|(?:.*_)?(?:{_SECRET_WORDS}|authorization|(?:access|auth|hf|hub|secret|api)_token)"
)
"""How settings that hold secrets are named; narrower, as `pad_token` and `key` are none."""
_MIN_LENGTH = 8
"""Letters from which a value is a secret: `EMPTY`, as local servers are given, is none."""
_BLOCK_BYTES = 1 << 16
_registered: set[str] = set()


def register_secret(variable: str) -> None:
    """Treat this environment variable as a secret, whatever its name."""
    _registered.add(variable)


def is_secret_setting(name: str) -> bool:
    """Return whether a setting of this name holds a secret."""
    return _SECRET_SETTING.fullmatch(name) is not None


def _is_secret_variable(name: str) -> bool:
    return name in _registered or _SECRET_VARIABLE.search(name) is not None


def is_secret_value(value: str) -> bool:
    """Return whether a value is long enough to be a secret rather than a word of any text."""
    return len(value) >= _MIN_LENGTH


def secret_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Return value → name of the variable that holds it, also as JSON and addresses write it."""
    names: dict[str, str] = {}
    for name, value in environ.items():
        value = value.strip()
        if is_secret_value(value) and _is_secret_variable(name):
            for written in (value, json.dumps(value)[1:-1], quote(value, safe="")):
                names.setdefault(written, name)
    return names


def redact(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Return a text with `[NAME]` in place of every secret's value.

    >>> redact("Bearer hf_0123456789", {"HF_TOKEN": "hf_0123456789"})
    'Bearer [HF_TOKEN]'
    """
    known = secret_values(os.environ if environ is None else environ)
    for value, name in _longest_first(known):
        text = text.replace(value, f"[{name}]")
    return text


def copy_redacted(source: BinaryIO, target: BinaryIO, environ: Mapping[str, str]) -> None:
    """Copy a stream to its end as it arrives, `[NAME]` in place of every secret's value."""
    secrets = [(v.encode(), f"[{n}]".encode()) for v, n in _longest_first(secret_values(environ))]
    pending = b""
    while block := os.read(source.fileno(), _BLOCK_BYTES):
        pending += block
        for value, name in secrets:
            pending = pending.replace(value, name)
        kept = _partial_bytes(pending, [value for value, _ in secrets])
        target.write(pending[: len(pending) - kept])
        target.flush()
        pending = pending[len(pending) - kept :]
    target.write(pending)
    target.flush()


def _partial_bytes(text: bytes, values: list[bytes]) -> int:
    """Return how many bytes at the end may be the beginning of a value."""
    for size in range(max(map(len, values), default=1) - 1, 0, -1):
        if size <= len(text) and any(value.startswith(text[-size:]) for value in values):
            return size
    return 0


def _longest_first(names: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(names.items(), key=lambda item: -len(item[0]))
