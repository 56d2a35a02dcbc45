"""The spans of personal data in a text, kind by kind; what only looks like it is left alone.

phonenumbers (Google's libphonenumber) knows the numbers of every country, python-stdnum the check
digits of cards and the IBANs of every country, spaCy names. Larger libraries that do all of this
take hundreds of megabytes, and fetch lists from the network at their first use.
"""

import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from ste_plugin.errors import ConfigError
from ste_plugin.instructions.privacy.keys import find_keys
from ste_plugin.instructions.privacy.phones import phone_finder

if TYPE_CHECKING:
    from ste_plugin.config import PersonalData, PrivacyConfig

Span = tuple[int, int]
Finder = Callable[[str], Iterable[Span]]

_EMAIL = re.compile(
    r"(?P<who>[\w.%+'-]{1,64})@(?:[\w-]{1,63}\.)+(?P<top>[^\W\d_]{2,24}|xn--[\w-]{2,59})(?![\w(-])"
)
_FILE_ENDINGS = {"png", "jpg", "jpeg", "gif", "svg", "webp", "py", "js", "ts", "md", "txt", "json"}
"""`icon@2x.png` is no address."""
_CARD = re.compile(r"(?<![\w.,/-])(?:[0-9]{14,19}|[0-9]{4}(?:[ -][0-9]{3,7}){2,4})(?!\w|[.,][0-9])")
_CARD_NUMBER = re.compile(
    r"4\d{15}(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}"  # Discover
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14,17}|(?:50|5[6-8]|6[37])\d{14,17}"  # UnionPay, Maestro
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_WORD_END = re.compile(r"[A-Za-z0-9](?![A-Za-z0-9])")
_IPV4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\w|\.[0-9])")
_IPV6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{2,35}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})?(?![\w:])"
)
_NOT_AN_ADDRESS = re.compile(
    r"(?:\bv|ver|versions?|release|build|section|chapter|figure|table|oid|identifier)\W{0,2}\Z"
    r"|[0-9]\.[0-9]+\s\Z",  # within decimals
    re.I,
)
_OBJECT_IDS = ("1.2.", "1.3.", "2.5.")
"""Prefixes of the object identifiers of X.500 and of ISO's members, which look the same."""

_NAME_WORD = r"(?:Mc|Mac|[DO]['’])?[^\W\d_a-z][^\W\d_A-Z]*[.'’]?"
_NAME = re.compile(rf"{_NAME_WORD}(?:[ -]{_NAME_WORD})*")
"""Without this check spaCy takes code for names."""


def make_finders(settings: "PrivacyConfig") -> dict["PersonalData", Finder]:
    """Return kind → finder for the kinds in `scrub`; the surest kinds come first.

    Raises: ConfigError where a library or the model of names is not installed.
    """
    makers: dict[PersonalData, Callable[[], Finder]] = {
        "key": lambda: find_keys,
        "email": lambda: _emails,
        "iban": _iban_finder,
        "card": _card_finder,
        "phone": lambda: phone_finder(_library("phonenumbers", "phone"), settings.phone_regions),
        "ip": lambda: _ip_addresses,
        "name": lambda: _name_finder(settings.name_model),
    }
    return {kind: make() for kind, make in makers.items() if kind in settings.scrub}


def _library(name: str, kind: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"privacy.scrub: {kind} needs the library {name.partition('.')[0]}, which is not "
            f"installed. pip install 'ste-plugin[privacy]', or leave {kind} out."
        ) from error


def _emails(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        if match["top"].lower() not in _FILE_ENDINGS and match["who"] != "git":
            yield match.span()


def _card_finder() -> Finder:
    luhn = _library("stdnum.luhn", "card")

    def is_card(written: str) -> bool:
        digits = re.sub("[ -]", "", written)
        return bool(_CARD_NUMBER.fullmatch(digits)) and bool(luhn.is_valid(digits))

    return lambda text: _longest_valid(text, _CARD, is_card)


def _iban_finder() -> Finder:
    iban = _library("stdnum.iban", "iban")

    return lambda text: _longest_valid(text, _IBAN, iban.is_valid)


def _longest_valid(
    text: str, pattern: re.Pattern[str], valid: Callable[[str], bool]
) -> Iterator[Span]:
    """Yield the longest valid prefix of each match: what follows may look like more digits."""
    position = 0
    while match := pattern.search(text, position):
        start = match.start()
        ends = [start + word.end() for word in _WORD_END.finditer(match[0])]
        end = next((e for e in reversed(ends) if valid(text[start:e])), None)
        if end:
            yield start, end
        position = end or start + 1


def _ip_addresses(text: str) -> Iterator[Span]:
    """Yield public IP addresses: not private networks, documentation or version numbers."""
    for match in _IPV4.finditer(text):
        before = text[: match.start()][-16:]
        if _is_public_v4(match[0]) and not _NOT_AN_ADDRESS.search(before):
            yield match.span()
    for match in _IPV6.finditer(text):
        if _is_public_v6(match[0]):
            yield match.span()


def _is_public_v4(text: str) -> bool:
    try:
        address = IPv4Address(text)
    except ValueError:
        return False
    if address.is_multicast or not address.is_global or text.startswith(_OBJECT_IDS):
        return False
    return any(part > 9 for part in address.packed)  # 2.3.1.4 is a section or a version


def _is_public_v6(text: str) -> bool:
    try:
        address = IPv6Address(text)
    except ValueError:
        return False
    return address.is_global and int(address) >> 125 == 1  # 2000::/3, all that is assigned


def _name_finder(model: str) -> Finder:
    try:
        nlp = importlib.import_module("spacy").load(model)
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"privacy.scrub: name needs spaCy and its model {model!r} ({error}). pip install "
            f"spacy, then python -m spacy download {model}; or give a model's folder as "
            "privacy.name_model, or leave name out."
        ) from error

    def names(text: str) -> Iterator[Span]:
        for entity in nlp(text).ents:
            if entity.label_ in ("PERSON", "PER") and _NAME.fullmatch(entity.text):
                yield entity.start_char, entity.end_char

    return names
