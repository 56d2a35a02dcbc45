"""What a published judge's folder says of itself: `ste_judge.json`, read and checked."""

import hashlib
import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from ste_plugin.engines.nested import MAIN
from ste_plugin.errors import ConfigError, DataError, SteError
from ste_plugin.judging.calibration import NAME as CALIBRATION
from ste_plugin.judging.calibration import read_calibration
from ste_plugin.judging.format import JudgeFormat
from ste_plugin.judging.judge_folder import folder_with
from ste_plugin.records import Record, content_key
from ste_plugin.storage.forms import read_form
from ste_plugin.storage.jsonl import replace_bytes

NAME = "ste_judge.json"
VERSION = 1
"""Of this file's form."""
_LARGE = 64 << 20
"""Bytes above which hashing takes long enough to keep what came of it."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ON_PURPOSE = f"If you changed it on purpose, remove {NAME}: nothing is checked or preset then."


class FormatCard(Record, frozen=True):
    """The format that a published judge is asked in."""

    name: str
    version: str
    """Its name and a hash of every word of the prompt."""
    closing: str
    """The last words before the verdict; a forced verdict puts them in the judge's mouth."""
    reasons: bool
    """Whether it writes anything before its verdict."""
    pointwise: bool
    """Whether a prompt shows one answer alone."""
    max_new_tokens: int
    plugin: str = ""
    """The plugin that contributes it; empty for one of the package's own."""
    file: str = ""
    """The file beside this one that holds it; empty for one that goes by its name."""

    def asked_as(self, folder: Path) -> str:
        """Return what it is asked for by: its name, or its file in the judge's folder."""
        return str(folder / Path(self.file).name) if self.file else self.name


class PublishedJudge(Record, frozen=True):
    """The content of `ste_judge.json`."""

    ste_judge: int
    """Form of this file."""
    ste_plugin: str
    """Version of the package that published it."""
    base_model: str
    """What it was trained from, a hub id or a name; empty where that is not known."""
    iteration: int
    """Which one of its run it is."""
    judge_format: FormatCard
    chat_template_kwargs: dict[str, Any]
    thinking: tuple[str, str] | None
    """What it writes around its thoughts, where the run said so."""
    force_verdict: bool
    """Whether a verdict is forced where it states none."""
    max_new_tokens: int | None
    """Longest judgment in tokens when it was measured; None is what the format says."""
    sha256: dict[str, str]
    """File of the model → its hash."""

    def settings(self) -> dict[str, Any]:
        """Return the settings under which it was trained and measured, as `JudgeSettings` names
        them; those at their default are left out."""
        own = self.judge_format
        found: dict[str, Any] = {"format": own.name}
        if self.force_verdict:
            found["force"] = True
        if self.max_new_tokens:
            found["max_new_tokens"] = self.max_new_tokens
        if self.chat_template_kwargs:
            found["chat_template_kwargs"] = self.chat_template_kwargs
        if self.thinking:
            found["thinking"] = dict(zip(("open", "close"), self.thinking, strict=True))
        return found


def read_published(model: str | Path, revision: str = MAIN) -> PublishedJudge | None:
    """Return what a model's folder says of itself; None for any other folder, and for a hub id of
    which this machine has no such file.

    Raises: DataError where the file is damaged; ConfigError where a newer version wrote it.
    """
    path = folder_with(model, NAME, revision) / NAME
    if not path.is_file():
        return None
    content = read_form(path, "ste_judge", VERSION)
    try:
        return PublishedJudge.from_dict(content)
    except (DataError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not what `ste publish` writes ({error}). Get the folder again. {_ON_PURPOSE}"
        ) from error


def check_published(
    model: str | Path, format_name: str, judge_format: JudgeFormat, revision: str = MAIN
) -> None:
    """Return if a model's folder is the judge that its `ste_judge.json` names, or has none.

    Another format than the one named there may be asked for; one of that name must be the same.
    Raises: DataError for a file that is missing or another; ConfigError for other words.
    """
    if (published := read_published(model, revision)) is None:
        return
    folder, own = folder_with(model, NAME, revision), published.judge_format
    _check_files(folder, published)
    if format_name == own.asked_as(folder) and judge_format.version != own.version:
        source = f"the plugin {own.plugin}" if own.plugin else "ste-plugin"
        raise ConfigError(
            f"{folder / NAME}: the judge was trained in the format {own.version}, and the "
            f"{own.name!r} of this installation is {judge_format.version}: it would be asked in "
            f"other words. Expected the format of {source} as it was (ste-plugin "
            f"{published.ste_plugin}): install that. {_ON_PURPOSE}"
        )


def preset_settings(
    model: str | Path, known: Collection[str] | None, revision: str = MAIN
) -> dict[str, Any]:
    """Return the settings that a judge's folder presets, as it was published or else calibrated;
    none for any other model.

    Raises: ConfigError where its format is not among the `known` ones of this installation; None
    is any.
    """
    if (published := read_published(model, revision)) is None:
        return _calibrated_settings(model, known, revision)
    folder, own = folder_with(model, NAME, revision), published.judge_format
    if known is not None and own.name not in known and not own.file:
        source = f"the plugin {own.plugin}" if own.plugin else f"ste-plugin {published.ste_plugin}"
        raise ConfigError(
            f"{folder / NAME}: the judge is asked in the format {own.name!r}, which is "
            f"not installed here; expected {source}, which has it. Install that, or name the "
            "plugin's file by --plugin; --format asks in another one."
        )
    return published.settings() | {"format": own.asked_as(folder)}


def _calibrated_settings(
    model: str | Path, known: Collection[str] | None, revision: str
) -> dict[str, Any]:
    """Return the settings of a judge whose letters were calibrated when its training ended."""
    if (calibrated := read_calibration(model, revision)) is None:
        return {}
    name = calibrated.judge_format.rpartition("-")[0]
    if known is not None and name not in known:
        raise ConfigError(
            f"{Path(model) / CALIBRATION}: the judge was trained in the format {name!r}, which is "
            "not known here; expected its file or plugin: --format FILE.yaml, or --plugin FILE."
        )
    return {"format": name, "force": True}  # a judge of letters need not state one by itself


def _check_files(folder: Path, published: PublishedJudge) -> None:
    for name, expected in published.sha256.items():
        path = folder / Path(name).name  # a stranger's file names nothing elsewhere
        if not path.is_file():
            raise DataError(
                f"{path}: no such file, though {NAME} names it. Get the folder again: was the "
                "download cut off?"
            )
        if (found := known_sha256(path)) != expected:
            raise DataError(
                f"{path}: not the file of the judge that {NAME} names (SHA-256 {found[:12]}, "
                f"expected {expected[:12]}), so that the card's figures are another judge's. Get "
                f"the folder again. {_ON_PURPOSE}"
            )


def known_sha256(path: Path) -> str:
    """Return the hash of a file, read again only where its place, size or time is another.

    Judges are many gigabytes, and are opened by each process of a training.
    """
    state = path.stat()
    if state.st_size < _LARGE:
        return sha256_of(path)
    own = f"{path.resolve()}:{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ste-plugin/sha256"
    kept = cache / content_key("sha256", own)
    if kept.is_file() and _SHA256.fullmatch(known := kept.read_text(errors="replace")):
        return known
    found = sha256_of(path)
    with suppress(OSError, SteError):  # a cache that cannot be written costs time alone
        cache.mkdir(parents=True, exist_ok=True)
        replace_bytes(kept, found.encode())
    return found


def sha256_of(path: Path) -> str:
    """Return the hash of a file's whole content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
