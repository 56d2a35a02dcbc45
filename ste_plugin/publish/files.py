"""What is about to be published: names and contents of files, checked before anything goes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ste_plugin.errors import DataError
from ste_plugin.publish.redact import find_private

CARD = "README.md"
Kind = Literal["model", "dataset"]
Content = Path | bytes
"""A file that is copied as it is, or what is written."""
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json")
_MOST_TOLD = 5
_ESCAPED = re.compile(r"\\(.)", re.S)
_PLAIN = {"n": "  ", "r": "  ", "t": "  ", '"': ' "', "/": " /"}
"""What JSON escapes → what it means, as long. Behind the `n` of a line's end a path looks like a
word, and a key like the rest of one."""


@dataclass(frozen=True, slots=True)
class Repository:
    """What goes into one repository of a hub, or into one folder."""

    kind: Kind
    files: Mapping[str, Content]
    """Path in it → content."""
    left_out: tuple[str, ...] = ()
    """What lay beside these files, and stays where it is."""
    beside: tuple[str, ...] = ()
    """What may lie beside them on a hub: the part of a judge that is not published now."""

    @property
    def card(self) -> str:
        """Its README.md."""
        return bytes(self.files[CARD]).decode()


def sizes_of(repository: Repository) -> dict[str, int]:
    """Return path in it → bytes."""
    return {name: size_of(content) for name, content in repository.files.items()}


def size_of(content: Content) -> int:
    """Return the bytes of a file."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def refuse_private(repositories: Iterable[Repository], places: Iterable[Path]) -> None:
    """Read all texts that are about to be published; `places` are folders of this machine.

    Raises: DataError naming file and line of what must not be.
    """
    found = [place for repository in repositories for place in _private_places(repository, places)]
    if not found:
        return
    more = f"\n  and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    raise DataError(
        "not published, as there is what should stay here:\n  "
        + "\n  ".join(found[:_MOST_TOLD])
        + more
        + "\nTake it out of the file that it comes from (`ste forget` for what came with an "
        "instruction), then publish again. Nothing was written."
    )


def _private_places(repository: Repository, places: Iterable[Path]) -> Iterator[str]:
    for name, content in repository.files.items():
        if (text := _text_of(name, content)) is None:
            continue
        source = f" ({content})" if isinstance(content, Path) else ""
        for line, what in find_private(text, places, of_vocabulary=name in _VOCABULARIES):
            yield f"{name}:{line}: {what}{source}"


def _text_of(name: str, content: Content) -> str | None:
    """Return a file's text, or None where it is none."""
    if name.endswith(".safetensors"):
        return None
    raw = content if isinstance(content, bytes) else content.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if name.endswith((".json", ".jsonl")):
        text = _ESCAPED.sub(lambda match: _PLAIN.get(match[1], match[0]), text)
    return text
