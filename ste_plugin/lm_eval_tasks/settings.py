"""The settings of the judge tasks, which reach lm-eval as environment variables or as metadata."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.plugins.manager import find_contribution, plugin_manager

Mode = Literal["verdict", "official", "likelier"]
TooLong = Literal["refuse", "drop"]
MODES: tuple[Mode, ...] = get_args(Mode)
TOO_LONG: tuple[TooLong, ...] = get_args(TooLong)
Word = TypeVar("Word", bound=str)
PREFIX, DEFAULT_FORMAT, LOCAL = "STE_JUDGE_", "criteria", "local"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What is judged, and how."""

    data: Path | None = None
    """A file, or a folder with one named after the benchmark; None: the hub."""
    format: str = DEFAULT_FORMAT
    force: bool = False
    """Also measure the likelier letter after the format's closing words."""
    max_new_tokens: int | None = None
    """By default what the format says."""
    limit: int | None = None
    """Pairs to read."""
    plugins: tuple[Path, ...] = ()
    """`hooks.py` files that are not installed."""
    benchmark: str = LOCAL
    """Which of `benchmarks.BENCHMARKS` the data is."""
    section: str = ""
    """Judge only this section of the benchmark."""
    mode: Mode = "verdict"
    """`verdict`: what the judge says in both orders. `official`: one order a pair, RewardBench's parser.
    `likelier`: no reply, the likelier letter after the closing words, in both orders. A verdict is
    forced in mode `verdict` only."""
    votes: int = 1
    """Samples an order, of which the majority counts; more than one are sampled."""
    temperature: float | None = None
    """By default 0 for one vote, else 0.7."""
    top_p: float = 0.9
    """Of sampling; a greedy reply has none."""
    early_stop: bool = True
    """Draw no vote that could not change the majority."""
    too_long: TooLong = "refuse"
    """What to do about pairs whose prompt does not fit the context; `drop` reports their rate."""
    seed: int = 0
    """Of the order that `official` shows."""

    @classmethod
    def read(cls, environ: Mapping[str, str], metadata: Mapping[str, Any]) -> Self:
        """Return the settings; metadata (`judge_data=…`) wins over the environment.

        lm-eval 0.4.11 passes no metadata to tasks that are classes, so there only the environment
        counts. Raises: ConfigError naming the variable.
        """

        def get(name: str) -> str:
            given = metadata.get(f"judge_{name}", environ.get(PREFIX + name.upper(), ""))
            return str(given).strip()

        benchmark = get("benchmark") or LOCAL
        if benchmark == LOCAL and not get("data"):
            raise ConfigError(
                f"{PREFIX}DATA is not set: ste_local needs the path of a file of pairs (id, "
                "subset, prompt, chosen, rejected), as in STE_JUDGE_DATA=pairs.jsonl (ste eval: --data)."
            )
        return cls(
            data=Path(get("data")) if get("data") else None,
            format=get("format") or DEFAULT_FORMAT,
            force=switched("FORCE", get("force")),
            max_new_tokens=counted("MAX_NEW_TOKENS", get("max_new_tokens")),
            limit=counted("LIMIT", get("limit")),
            plugins=tuple(Path(p) for p in get("plugins").split(os.pathsep) if p),
            benchmark=benchmark,
            section=get("section"),
            mode=one_of("MODE", get("mode"), MODES),
            votes=counted("VOTES", get("votes")) or 1,
            temperature=upto("TEMPERATURE", t, 2.0) if (t := get("temperature")) else None,
            top_p=upto("TOP_P", get("top_p") or "0.9", 1.0),
            early_stop=switched("EARLY_STOP", get("early_stop") or "1"),
            too_long=one_of("TOO_LONG", get("too_long"), TOO_LONG),
            seed=counted("SEED", get("seed"), least=0) or 0,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables from which `read` gives these settings again, paths absolute."""
        given = {
            "DATA": str(self.data.absolute()) if self.data else "",
            "FORMAT": self.format,
            "FORCE": "1" if self.force else "",
            "MAX_NEW_TOKENS": str(self.max_new_tokens or ""),
            "LIMIT": str(self.limit or ""),
            "PLUGINS": os.pathsep.join(str(p.absolute()) for p in self.plugins),
            "BENCHMARK": self.benchmark,
            "SECTION": self.section,
            "MODE": self.mode,
            "VOTES": str(self.votes),
            "TEMPERATURE": "" if self.temperature is None else str(self.temperature),
            "TOP_P": str(self.top_p),
            "EARLY_STOP": "1" if self.early_stop else "0",
            "TOO_LONG": self.too_long,
            "SEED": str(self.seed),
        }
        return {PREFIX + name: value for name, value in given.items()}

    def judge_format(self) -> JudgeFormat:
        """Return the format of that name, a plugin's included.

        Raises: ConfigError where there is none, PluginError where a plugin does not fit.
        """
        manager = plugin_manager(self.plugins)
        found: JudgeFormat = find_contribution(
            manager, "ste_judge_formats", self.format, f"{PREFIX}FORMAT (--format)"
        )
        return found


def place(name: str) -> str:
    """Return where a setting is made."""
    return f"{PREFIX}{name} ({name.lower()} in --judge-args)"


def switched(name: str, text: str) -> bool:
    """Return whether a switch is on. Raises: ConfigError where it is neither on nor off."""
    if text.lower() not in ("", "0", "1", "true", "false"):
        raise ConfigError(f"{place(name)}: found {text!r}; expected 1 or 0.")
    return text.lower() in ("1", "true")


def counted(name: str, text: str, least: int = 1) -> int | None:
    """Return a count, or None where unset. Raises: ConfigError where it is none."""
    if not text:
        return None
    if not text.isdecimal() or int(text) < least:
        raise ConfigError(f"{place(name)}: found {text!r}; expected a whole number from {least}.")
    return int(text)


def upto(name: str, text: str, most: float) -> float:
    """Return a number from 0. Raises: ConfigError where it is none."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= most:
        raise ConfigError(f"{place(name)}: found {text!r}; expected a number from 0 to {most:g}.")
    return found


def one_of(name: str, text: str, words: tuple[Word, ...]) -> Word:
    """Return the word chosen, the first where unset. Raises: ConfigError where it is none of them."""
    chosen = text or words[0]
    for word in words:
        if word == chosen:
            return word
    raise ConfigError(f"{place(name)}: found {text!r}; expected {' or '.join(words)}.")
