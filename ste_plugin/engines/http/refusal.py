"""What a server says in place of an answer, and what kind of refusal that is."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_CODES = {
    "code",
    "type",
    "status",
    "reason",
    "reasons",
    "error_type",
    "error_code",
    "errorcode",
    "provider_code",
    "blockreason",
    "block_reason",
    "category",
}
"""Keys of an error that hold a word for its kind, in small letters."""
_TEXTS = {"message", "msg", "detail", "error", "errors", "raw", "title", "error_msg", "description"}
"""Keys that hold what it says to a person."""
_PARAMETERS = {"param", "parameter", "field"}
"""Keys that name a field of the request."""
_ECHOES = {"input", "flagged_input", "body", "ctx", "url"}
"""Keys that repeat the request: what a prompt says must not be taken for the server's words."""
_TRANSIENT = {408, 409, 429}
_MAX_READ = 4000
"""Characters of a message that are looked at: an error page may be a book."""
_NO_ONES_PROMPT = {401, 402, 404, 405, *_TRANSIENT}
"""Statuses that are never about what a prompt holds."""

_LONG_CODE = re.compile(
    r"context_?(length|window|size|limit|overflow)|exceed_context|string_(above_max_length|too_long)"
    r"|(prompt|input|request)_?too_?(long|large)|too_?many_?tokens|token_?limit_?exceeded"
    r"|max_tokens_exceeded"
)
_LONG = re.compile(
    r"context[ _-]?(length|window|size|limit)"
    r"|(exceed|longer than|larger than|greater than|beyond|outside|fit)\w*\b[^.]{0,60}"
    r"\bcontext\b(?! (deadline|cancel))"
    r"|too many (input |prompt |total )?tokens"
    r"|\b(prompt|inputs?|messages?|query|conversation|text|content|string|sequence|request( body)?"
    r"|payload|entity)`? ?(is|are|was)?( far| much)? too (long|large|big)"
    r"|\binputs?`? (tokens )?(\+ `?max_new_tokens`? )?must (be|have) (<|less|at most|fewer)"
    r"|\b(input|prompt|requested|total|sequence)[ _]?(token( count)?|length|tokens|size)\b"
    r"[^.]{0,60}(exceed|longer|greater|more than|above|maximum|limit|range)"
    r"|exceed\w*[^.]{0,40}(token (limit|count)|(maximum|max)( allowed)?( number of)?( input| prompt"
    r"| total)?[ _-]?(tokens|length|size)|limit of \d+ tokens)"
    r"|token limit (exceeded|reached)"
    r"|(?<!output )(?<!completion )(?<!new )\btokens?\b[^.]{0,30}\b(exceed|more than (the )?max)"
    r"|(maximum|max)[ _](input|prompt|sequence|model)[ _]len(gth)?"
    r"|reduce the (length|size|number)|shorter (prompt|input|message|text)"
    r"|range of input length|\bn_ctx\b|\bnum_ctx\b",
    re.IGNORECASE,
)
_RATE = re.compile(r"per[ -](min|hour|day|second)|\b[TR]PM\b|rate[ _-]?limit|quota", re.IGNORECASE)
_BLOCKED_CODE = re.compile(
    r"content_?(filter|polic|moderat|management|block|violat)|responsibleai|policy_?violation"
    r"|data_?inspection|moderation|safety|prohibited_?content|blocklist|guardrail|flagged"
    r"|sensitive|jailbreak|prompt_?injection"
)
_FILTER = r"(filter|polic|moderat|safety|guardrail|guideline|violat|terms of (use|service))"
_BLOCKED = re.compile(
    r"content[ _-]?(filter|polic|moderat|management|exists risk|safety|guideline|violat|risk)"
    r"|\b(usage|safety|acceptable.use|content.use) polic|\b(input|prompt|content|text|messages?)\b"
    r"[^.]{0,60}\b(flagged|blocked|censored|prohibited|inappropriate|harmful|unsafe|sensitive)"
    rf"|(flagged|blocked|refused|rejected|filtered|stopped)\b[^.]{{0,60}}\b{_FILTER}"
    rf"|\b{_FILTER}\w*\b[^.]{{0,40}}\b(flagged|blocked|refused|rejected|filtered|triggered"
    r"|intervened)"
    r"|violat\w*\b[^.]{0,60}\b(polic|terms|guideline|guardrail)|guardrail\w*\b[^.]{0,60}\bfailed"
    r"|jailbreak|prompt[ _-]injection"
    r"|(inappropriate|prohibited|disallowed|sensitive|harmful|unsafe) (content|information"
    r"|material)"
    r"|requires moderation|responsible ?ai|considered high risk|敏感",
    re.IGNORECASE,
)
_TROUBLE = re.compile(r"unavailable|time(d)?[ -]?out|overload|try again|temporar", re.IGNORECASE)
_ABOUT_THE_USER = re.compile(
    r"\b(accounts?|organi[sz]ations?|api[ _-]?keys?|ip|region|country|billing|credits?)\b",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"unknown|unrecogni[sz]ed|\bextra\b|extra_|unexpected|additional propert|not permitted"
    r"|forbidden|no such|not allowed",
    re.IGNORECASE,
)
_UNSUPPORTED = re.compile(
    r"unsupported|not support|(does|is|are|do|can) ?n[o']t (\w+ )?(take|accept|support|allow|recogn"
    r"|available|compatible|permit|valid|known|implemented|exist)"
    r"|only (the default|[\d.]+ is)|(may|can|must) only be|deprecated|incompatible"
    r"|not (yet )?implemented|should not exist"
    r"|cannot (both )?(be (used|set|specified|combined|passed)|use|specify|set)"
    r"|invalid[ _](parameter|argument|field|key|option)|no longer|removed",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"too (large|small|high|low|big)|at (most|least)|must be|should be|out of range|between"
    r"|less than|greater than|exceed|invalid_value|maximum|minimum",
    re.IGNORECASE,
)
_ALTERNATIVES = re.compile(
    r"did you mean|\bexpected\b|\buse\b|instead|\b(supported|allowed|valid|accepted|permitted"
    r"|available|known|possible|must be one of)\b[^.:]{0,30}(:|are\b)",
    re.IGNORECASE,
)
"""What begins a list of names that a server does take."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that a server has sent, in whatever JSON it wraps it."""

    status: int
    """The response's own, or that of an error inside a successful one."""
    message: str
    """What it says to a person."""
    codes: tuple[str, ...] = ()
    """Its words for the kind of error, in small letters."""
    fields: frozenset[str] = frozenset()
    """Fields of the request that it names outside the message."""

    @property
    def is_too_long(self) -> bool:
        """Whether the prompt, or prompt and answer together, do not fit the context."""
        if self.status in _NO_ONES_PROMPT | {403} or self._matches(_RATE, _RATE):
            return False
        return self.status == 413 or self._has_code(_LONG_CODE) or self._says(_LONG)

    @property
    def is_blocked(self) -> bool:
        """Whether a filter or a policy objects to what the prompt holds."""
        if self.status in _NO_ONES_PROMPT:
            return False
        is_users = bool(_ABOUT_THE_USER.search(self.message))
        return self._has_code(_BLOCKED_CODE) or (not is_users and self._says(_BLOCKED))

    @property
    def is_transient(self) -> bool:
        """Whether it may pass by itself."""
        return self.status in _TRANSIENT or self.status >= 500

    @property
    def is_about_a_field(self) -> bool:
        """Whether it may be about a field of the request; 500 is what a program's own error is."""
        return self.status in (400, 422, 500, 501)

    @property
    def is_unknown_field(self) -> bool:
        """Whether the server does not know a field at all."""
        return self._matches(_UNKNOWN, _UNKNOWN)

    @property
    def is_unsupported(self) -> bool:
        """Whether the server does not take a field, whatever its value."""
        if self.is_unknown_field or self._matches(_UNSUPPORTED, _UNSUPPORTED):
            return True
        return bool(self.fields) and not self._matches(_VALUE, _VALUE)

    def named(self, fields: set[str]) -> set[str]:
        """Return those fields that it is about: named as such, else by a word of the message."""
        if found := fields & self.fields:
            return found
        if self.fields & {"messages", "n", "model"}:
            return set()
        complaint = _ALTERNATIVES.split(self.message, maxsplit=1)[0]
        return {field for field in fields if _word(field).search(complaint)}

    def _matches(self, code: re.Pattern[str], words: re.Pattern[str]) -> bool:
        return self._has_code(code) or bool(words.search(self.message))

    def _has_code(self, code: re.Pattern[str]) -> bool:
        return any(map(code.search, self.codes))

    def _says(self, words: re.Pattern[str]) -> bool:
        """Return whether it says so, and not that the server itself is in trouble."""
        in_trouble = self.status >= 500 and _TROUBLE.search(self.message)
        return not in_trouble and bool(words.search(self.message))


def _word(field: str) -> re.Pattern[str]:
    """Return what finds a field's name, also as gateways in other languages write it."""
    first, *rest = field.split("_")
    camel = first + "".join(map(str.capitalize, rest))
    return re.compile(rf"(?<![\w-])({re.escape(field)}|{re.escape(camel)})(?![\w-])")


def read_refusal(status: int, content: Any) -> Refusal:
    """Return what an error says; `content` is its JSON, or its text where it is none."""
    texts: dict[str, None] = {}
    codes: list[str] = []
    fields: set[str] = set()
    for key, value in _walk(content, "message"):
        if key in _CODES:
            codes.append(value.casefold())
        elif key in _PARAMETERS or key == "loc":
            fields.add(value.removeprefix("body."))
        elif value.strip():
            texts[value] = None
    message = "; ".join(texts) or str(content)
    return Refusal(status, message[:_MAX_READ], tuple(codes), frozenset(fields))


def _walk(content: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield every key of an error with the text under it that matters, however deep it lies."""
    if isinstance(content, dict):
        yield from _walk_object(content)
    elif isinstance(content, list):
        for item in content:
            yield from _walk(item, key)
    elif isinstance(content, str) and content.strip()[:1] in ("{", "[") and key in _TEXTS:
        try:  # an error that a gateway quotes
            inner = json.loads(content)
        except ValueError:
            inner = None
        yield from _walk(inner, key) if isinstance(inner, (dict, list)) else [(key, content)]
    elif isinstance(content, str):
        yield key, content
    elif isinstance(content, int) and key in _CODES:
        yield key, str(content)


def _walk_object(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    location = content.get("loc")
    if isinstance(location, list):  # pydantic, as FastAPI shows it
        field = next((str(part) for part in location if part not in ("body", "query")), "")
        yield "loc", field
        yield "msg", f"{field}: {content.get('msg')}"
    for name, value in content.items():
        key = name.casefold()
        if key in _ECHOES or key == "loc" or (key == "msg" and isinstance(location, list)):
            continue
        if key in _CODES | _TEXTS | _PARAMETERS or isinstance(value, (dict, list)):
            yield from _walk(value, key)


def status_of(error: Any, otherwise: int) -> int:
    """Return the HTTP status that an error object tells, as `code` or `status`."""
    if isinstance(error, dict):
        for key in ("code", "status", "status_code"):
            if re.fullmatch(r"[45]\d\d", str(error.get(key))):
                return int(error[key])
    return otherwise
