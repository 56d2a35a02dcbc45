"""The settings of `ste_local`, which reach lm-eval as environment variables or as metadata."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.plugins import named, plugin_manager

PREFIX, DEFAULT_FORMAT = "STE_JUDGE_", "criteria"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What is judged, and how."""

    data: Path
    format: str = DEFAULT_FORMAT
    force: bool = False
    """Also measure the likelier letter after the format's closing words."""
    max_new_tokens: int | None = None
    """By default what the format says."""
    limit: int | None = None
    """Pairs to read."""
    plugins: tuple[Path, ...] = ()
    """`hooks.py` files that are not installed."""

    @classmethod
    def read(cls, environ: Mapping[str, str], metadata: Mapping[str, Any]) -> Self:
        """Return the settings; metadata (`judge_data=…`) wins over the environment.

        lm-eval 0.4.11 passes no metadata to tasks that are classes, so there only the environment
        counts. Raises: ConfigError naming the variable.
        """

        def get(name: str) -> str:
            given = metadata.get(f"judge_{name}", environ.get(PREFIX + name.upper(), ""))
            return str(given).strip()

        if not get("data"):
            raise ConfigError(
                f"{PREFIX}DATA is not set: ste_local needs the path of a JSONL of labelled pairs "
                "(id, subset, prompt, chosen, rejected), as in STE_JUDGE_DATA=pairs.jsonl."
            )
        return cls(
            data=Path(get("data")),
            format=get("format") or DEFAULT_FORMAT,
            force=switched("FORCE", get("force")),
            max_new_tokens=counted("MAX_NEW_TOKENS", get("max_new_tokens")),
            limit=counted("LIMIT", get("limit")),
            plugins=tuple(Path(p) for p in get("plugins").split(os.pathsep) if p),
        )

    def environment(self) -> dict[str, str]:
        """Return the variables from which `read` gives these settings again, paths absolute."""
        given = {
            "DATA": str(self.data.absolute()),
            "FORMAT": self.format,
            "FORCE": "1" if self.force else "",
            "MAX_NEW_TOKENS": str(self.max_new_tokens or ""),
            "LIMIT": str(self.limit or ""),
            "PLUGINS": os.pathsep.join(str(p.absolute()) for p in self.plugins),
        }
        return {PREFIX + name: value for name, value in given.items()}

    def judge_format(self) -> JudgeFormat:
        """Return the format of that name, a plugin's included.

        Raises: ConfigError where there is none, PluginError where a plugin does not fit.
        """
        manager = plugin_manager(self.plugins)
        found: JudgeFormat = named(manager, "ste_judge_formats", self.format, PREFIX + "FORMAT")
        return found


def switched(name: str, text: str) -> bool:
    """Return whether a switch is on. Raises: ConfigError where it is neither on nor off."""
    if text.lower() not in ("", "0", "1", "true", "false"):
        raise ConfigError(f"{PREFIX}{name}: found {text!r}; expected 1 or 0.")
    return text.lower() in ("1", "true")


def counted(name: str, text: str) -> int | None:
    """Return a count, or None where unset. Raises: ConfigError where it is no positive number."""
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{PREFIX}{name}: found {text!r}; expected a whole number from 1.")
    return int(text)
