"""What is taken out of every text that is published: secrets, paths of this machine, names."""

import getpass
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ste_plugin.instructions.privacy.keys import find_keys
from ste_plugin.instructions.privacy.scrubbing import find_matches, replace_matches
from ste_plugin.text.redaction import secret_values

if TYPE_CHECKING:
    from ste_plugin.config import PersonalData
    from ste_plugin.instructions.privacy.finders import Finder

HOME_PATH = re.compile(
    r"(?<![\w.~])(?P<start>/(?:home|Users)/|[A-Za-z]:\\{1,2}Users\\{1,2})"
    r"(?P<user>[A-Za-z0-9][\w.-]*)(?=[/\\])"
)
"""A home of somebody, with something in it."""
_NOBODY = {"user", "username", "your_username", "yourname", "you", "me", "name", "ubuntu", "runner"}
"""What examples call their users."""
_SHARED_DEPTH = 2
"""Parts of a path that many machines share, as `/tmp`: it tells nothing, and is in many texts."""


class Redactor:
    """Takes out of texts what is nobody else's business, and counts it by kind."""

    def __init__(
        self,
        places: Mapping[Path, str],
        finders: "Mapping[PersonalData, Finder] | None" = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Take out these folders of this machine, each for what stands in its place.

        `finders` find the kinds of personal data that the run scrubs from instructions.
        """
        known = {**places, Path.home(): "~", Path.cwd(): "."}
        told = [(str(path), word) for path, word in known.items() if _tells(path)]
        self._places = sorted(told, key=lambda place: -len(place[0]))
        self._finders = finders or {}
        self._secrets = sorted(
            secret_values(os.environ if environ is None else environ).items(),
            key=lambda item: -len(item[0]),
        )
        self.counts: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """Return a text without secrets, keys, and paths of homes and of this run."""
        for value, name in self._secrets:
            text = self._put(f"[{name}]", text, value, "secret")
        while (redacted := self._once(text)) != text:  # a placeholder may lay bare what follows
            text = redacted
        return text

    def _once(self, text: str) -> str:
        if spans := _apart(find_keys(text)):
            self.counts["key"] += len(spans)
            text = _without(text, spans)
        for path, word in self._places:
            text, n = _place(path).subn(word.replace("\\", r"\\"), text)
            self.counts["path"] += n
        return HOME_PATH.sub(self._nameless, text)

    def written(self, text: str) -> str:
        """Return a text of the data: as `text`, and without what the run scrubs."""
        found = find_matches(text, self._finders) if self._finders else []
        self.counts.update(match.kind for match in found)
        return self.text(replace_matches(text, found) if found else text)

    def value(self, value: Any, *, of_data: bool = False) -> Any:
        """Return a JSON value with every text in it redacted."""
        if isinstance(value, str):
            return self.written(value) if of_data else self.text(value)
        if isinstance(value, Mapping):
            return {self.text(k): self.value(v, of_data=of_data) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(v, of_data=of_data) for v in value]
        return value

    def _put(self, word: str, text: str, value: str, kind: str) -> str:
        self.counts[kind] += text.count(value)
        return text.replace(value, word)

    def _nameless(self, match: re.Match[str]) -> str:
        if is_nobody(match["user"]):
            return match[0]
        self.counts["path"] += 1
        return f"{match['start']}<USER>"

    @property
    def found(self) -> dict[str, int]:
        """Kind → how many were taken out."""
        return {kind: n for kind, n in sorted(self.counts.items()) if n}


def _tells(path: Path) -> bool:
    """Return whether a folder's path tells something of this machine."""
    return path.is_absolute() and (
        len(path.parts) > _SHARED_DEPTH or path == Path.home() != Path("/")
    )


def _place(path: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w/.~-]){re.escape(path)}(?![\w-])")


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans in order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in reversed(spans):
        text = f"{text[:start]}<KEY>{text[end:]}"
    return text


def is_nobody(user: str) -> bool:
    """Return whether a user's name is one that examples use, and not this machine's user."""
    return user.lower() in _NOBODY and user != _user()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        return ""


def find_private(
    text: str, places: Iterable[Path] = (), *, of_vocabulary: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield (line from 1, what it is) for what must not be published; values are not told.

    `places`: folders of this machine, beside its user's home. A tokenizer's vocabulary holds pieces
    of all texts: there only secrets of the environment count.
    """
    for position, what in _private_spans(text, places, of_vocabulary):
        yield text.count("\n", 0, position) + 1, what


def _private_spans(
    text: str, places: Iterable[Path], of_vocabulary: bool
) -> Iterator[tuple[int, str]]:
    for value, name in secret_values(os.environ).items():
        if (position := text.find(value)) >= 0:
            yield position, f"the value of {name}"
    if of_vocabulary:
        return
    for folder in {Path.home(), Path.cwd(), *places}:
        if _tells(folder) and (found := _place(str(folder)).search(text)):
            yield found.start(), "a path of this machine"
    for start, _ in find_keys(text):
        yield start, "a key, token or password"
    for match in HOME_PATH.finditer(text):
        if not is_nobody(match["user"]):
            yield match.start(), "a path in somebody's home"
