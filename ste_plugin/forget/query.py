"""What a user asks to have forgotten: texts that match a pattern, or one instruction by its key."""

import re
from dataclasses import dataclass

from ste_plugin.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ForgetQuery:
    """A pattern that texts match, or the key of one instruction."""

    pattern: re.Pattern[str] | None = None
    key: str = ""

    @classmethod
    def read(cls, match: str = "", regex: str = "", key: str = "") -> "ForgetQuery":
        """Return what the command's options ask for; `match` is plain text in any letter case.

        Raises: ConfigError unless exactly one of them is given and can be used.
        """
        if sum(map(bool, (match.strip(), regex, key))) != 1:
            found = [n for n, v in (("--match", match), ("--regex", regex), ("--key", key)) if v]
            raise ConfigError(
                f"ste forget: found {' and '.join(found) or 'nothing'} to forget by; expected one "
                f"of --match TEXT, "
                "--regex R or --key K."
            )
        if key:
            return cls(key=key)
        try:
            pattern = re.compile(regex or re.escape(match), re.I if match else 0)
        except re.error as error:
            raise ConfigError(
                f"--regex {regex!r}: not a regular expression ({error}). Fix it, or give plain "
                f"text: --match."
            ) from error
        if pattern.search(""):
            raise ConfigError(
                f"--regex: found {regex!r}, which matches every text; expected one that tells, as "
                f"'Jane D.*'."
            )
        return cls(pattern)

    def matches(self, *texts: str) -> bool:
        """Return whether the pattern is in one of these texts."""
        return self.pattern is not None and any(self.pattern.search(text) for text in texts)
