"""The secrets of the environment, kept out of everything that is written and printed."""

import json
import os
import re
from collections.abc import Mapping
from typing import BinaryIO
from urllib.parse import quote

_SECRET = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|PAT)$", re.IGNORECASE
)
"""How variables that hold secrets are named: HF_TOKEN, WANDB_API_KEY, AWS_SECRET_ACCESS_KEY."""
_SHORTEST = 8
"""Letters from which a value is a secret: `EMPTY`, as local servers are told, is none."""
_READ = 1 << 16
_also: set[str] = set()


def register_secret(variable: str) -> None:
    """Treat this environment variable as a secret, whatever its name."""
    _also.add(variable)


def secret_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Return value → name of the variable that holds it, also as JSON and addresses write it."""
    found: dict[str, str] = {}
    for name, value in environ.items():
        value = value.strip()
        if len(value) >= _SHORTEST and (name in _also or _SECRET.search(name)):
            for form in (value, json.dumps(value)[1:-1], quote(value, safe="")):
                found.setdefault(form, name)
    return found


def redact(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a text with `[NAME]` in place of every secret's value.

    >>> hidden("Bearer hf_0123456789", {"HF_TOKEN": "hf_0123456789"})
    'Bearer [HF_TOKEN]'
    """
    for value, name in _longest_first(secret_values(environ)):
        text = text.replace(value, f"[{name}]")
    return text


def copy_redacted(source: BinaryIO, target: BinaryIO, environ: Mapping[str, str]) -> None:
    """Copy a stream to its end as it comes, `[NAME]` in place of every secret's value."""
    known = [(v.encode(), f"[{n}]".encode()) for v, n in _longest_first(secret_values(environ))]
    held = b""
    while chunk := os.read(source.fileno(), _READ):
        held += chunk
        for value, name in known:
            held = held.replace(value, name)
        kept = _begun(held, [value for value, _ in known])
        target.write(held[: len(held) - kept])
        target.flush()
        held = held[len(held) - kept :]
    target.write(held)
    target.flush()


def _begun(text: bytes, values: list[bytes]) -> int:
    """Return how many bytes at the end may be the beginning of a value."""
    sizes = range(max(map(len, values), default=1) - 1, 0, -1)
    return next(
        (n for n in sizes if any(v.startswith(text[-n:]) for v in values if n <= len(text))), 0
    )


def _longest_first(found: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(found.items(), key=lambda item: -len(item[0]))
