"""Where in a text personal data stands, kind by kind; what only looks like it is left alone.

phonenumbers (Google's libphonenumber) knows the numbers of every country, python-stdnum the check
digits of cards and the IBANs of every country, spaCy names. Larger libraries for all of it bring
hundreds of megabytes, and fetch lists from the network when they are first used.
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
_NO_DOMAINS = {"png", "jpg", "jpeg", "gif", "svg", "webp", "py", "js", "ts", "md", "txt", "json"}
"""Ends of file names: `icon@2x.png` is no address."""
_CARD = re.compile(r"(?<![\w.,/-])(?:[0-9]{14,19}|[0-9]{4}(?:[ -][0-9]{3,7}){2,4})(?!\w|[.,][0-9])")
_ISSUED = re.compile(
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
_NO_ADDRESS = re.compile(
    r"(?:\bv|ver|versions?|release|build|section|chapter|figure|table|oid|identifier)\W{0,2}\Z"
    r"|[0-9]\.[0-9]+\s\Z",  # amid decimals
    re.I,
)
_OBJECT_IDS = ("1.2.", "1.3.", "2.5.")
"""How the object identifiers of X.500 and of ISO's members begin, which look the same."""

_NAME_WORD = r"(?:Mc|Mac|[DO]['’])?[^\W\d_a-z][^\W\d_A-Z]*[.'’]?"
_NAME = re.compile(rf"{_NAME_WORD}(?:[ -]{_NAME_WORD})*")
"""Without it spaCy takes code for names."""


def make_finders(settings: "PrivacyConfig") -> dict["PersonalData", Finder]:
    """Return kind → what finds it, of the kinds asked for; the surest kinds come first.

    Raises: ConfigError where a library or the model of names is not installed.
    """
    makers: dict[PersonalData, Callable[[], Finder]] = {
        "key": lambda: find_keys,
        "email": lambda: _emails,
        "iban": _iban_finder,
        "card": _card_finder,
        "phone": lambda: phone_finder(_library("phonenumbers", "phone"), settings.phone_regions),
        "ip": lambda: _addresses,
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
    for found in _EMAIL.finditer(text):
        if found["top"].lower() not in _NO_DOMAINS and found["who"] != "git":
            yield found.span()


def _card_finder() -> Finder:
    luhn = _library("stdnum.luhn", "card")

    def is_card(written: str) -> bool:
        digits = re.sub("[ -]", "", written)
        return bool(_ISSUED.fullmatch(digits)) and bool(luhn.is_valid(digits))

    return lambda text: _longest_parts(text, _CARD, is_card)


def _iban_finder() -> Finder:
    iban = _library("stdnum.iban", "iban")

    return lambda text: _longest_parts(text, _IBAN, iban.is_valid)


def _longest_parts(
    text: str, pattern: re.Pattern[str], valid: Callable[[str], bool]
) -> Iterator[Span]:
    """Yield the longest valid part of each match: what follows a number may look like more of it."""
    place = 0
    while found := pattern.search(text, place):
        ends = [found.start() + word.end() for word in _WORD_END.finditer(found[0])]
        end = next((e for e in reversed(ends) if valid(text[found.start() : e])), None)
        if end:
            yield found.start(), end
        place = end or found.start() + 1


def _addresses(text: str) -> Iterator[Span]:
    """Yield IP addresses of somebody: not those of private networks, documentation or versions."""
    for found in _IPV4.finditer(text):
        if _is_public_v4(found[0]) and not _NO_ADDRESS.search(text[: found.start()][-16:]):
            yield found.span()
    for found in _IPV6.finditer(text):
        if _is_public_v6(found[0]):
            yield found.span()


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
    return address.is_global and int(address) >> 125 == 1  # 2000::/3, all that is given out


def _name_finder(model: str) -> Finder:
    try:
        nlp = importlib.import_module("spacy").load(model)
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"privacy.scrub: name needs spaCy and its model {model!r} ({error}). pip install spacy, "
            f"then python -m spacy download {model}; or give a model's folder as privacy.name_model, "
            "or leave name out."
        ) from error

    def names(text: str) -> Iterator[Span]:
        for entity in nlp(text).ents:
            if entity.label_ in ("PERSON", "PER") and _NAME.fullmatch(entity.text):
                yield entity.start_char, entity.end_char

    return names
