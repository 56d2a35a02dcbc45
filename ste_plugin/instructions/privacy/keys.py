"""Keys, tokens and passwords: recognized by their issuers' prefixes, and by being random."""

import math
import re
from collections import Counter
from collections.abc import Iterator

_PRIVATE = re.compile(
    r"-----BEGIN (?P<what>(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?)-----"
    r"(?:[^-]|-(?!----))*-----END (?P=what)-----"
    r"|-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s*[A-Za-z0-9+/=]{16,})+"
)
_ISSUED = re.compile(
    r"(?<![A-Za-z0-9_-])(?P<key>"
    r"sk-[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic and those with the same prefix
    r"|[rsp]k_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}"  # Google
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,}"  # Slack
    r"|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # SendGrid
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # JSON web tokens
    r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"  # Telegram
    r")(?![A-Za-z0-9_])"
)
_ASSIGNED = re.compile(
    r"(?:api[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?|(?:access|auth|bearer)[_-]?token"
    r"|password|passwd|pwd)[\"']?\s*(?::|=>?|:=)\s*[\"']?(?P<key>[A-Za-z0-9+/=_.~!@#$%^*-]{12,})",
    re.I,
)
_IN_URL = re.compile(r"(?<=://)[^\s/:@]{1,64}:(?P<key>[^\s/:@]{4,64})(?=@[\w.-]+)")
_IN_CODE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\.?|(?=.{,30}$).*/.*")
"""`os.environ`, `resource/v2.1/`: code that reads a key, not a key."""
_PLACEHOLDER = re.compile(r"[<{$%\[*]|(?:my|your)?_?-?(?:pass|pw|secret|token|x+$)", re.I)
"""What examples write instead of a password."""
_MIN_BITS = 3.0
"""Shannon entropy per character of a random string: words and `xxxx-xxxx` have less."""


def find_keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of keys, tokens and passwords."""
    for match in _PRIVATE.finditer(text):
        yield match.span()
    for pattern in (_ISSUED, _ASSIGNED):
        for match in pattern.finditer(text):
            if is_random(match["key"]) and not _IN_CODE.fullmatch(match["key"]):
                yield match.span("key")
    for match in _IN_URL.finditer(text):
        if not _PLACEHOLDER.match(match["key"]):
            yield match.span("key")


def is_random(key: str) -> bool:
    """Return whether a key has letters, digits and no pattern, as a real one does.

    >>> is_random("sk-0f9Bq7Zp2mT4xYc8LwR1"), is_random("sk-learn-a-new-language-now")
    (True, False)
    """
    counts = Counter(key)
    bits = -sum(n / len(key) * math.log2(n / len(key)) for n in counts.values())
    return bits >= _MIN_BITS and any(map(str.isdigit, key)) and any(map(str.isalpha, key))
