"""Pages from templates that escape everything, and texts of strangers made visible in them."""

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

_OWN_TEMPLATES = Path(__file__).parent / "templates"
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What is no character, and what changes the direction of the text around it."""
_MAX_CHARACTERS = 100_000
_KEPT_OF_END = 10_000


class Pages:
    """The templates of a folder, which extend `base.html`, as answers of the server."""

    def __init__(self, folder: Path) -> None:
        """Templates get the filters `visible`, for texts of strangers, and `count`."""
        self._templates = Environment(
            loader=FileSystemLoader([folder, _OWN_TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"visible": visible, "count": count}

    def show(self, name: str, status: int = 200, **values: Any) -> Response:
        """Return a page; halves of surrogate pairs outside of `visible` become question marks."""
        page = self._templates.get_template(name).render(**values)
        return Response(page.encode(errors="replace"), status, media_type="text/html")


def visible(text: str) -> Markup:
    """Return a text of a stranger as HTML that shows just this text, in the order it is stored.

    Control characters and those that reverse the text around them are shown as their numbers. The
    middle of a text that no person reads to its end is left out, and told.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) <= _MAX_CHARACTERS:
        return _marked(text)
    kept = _MAX_CHARACTERS - _KEPT_OF_END
    left_out = Markup('<span class="mark">… {} characters are not shown …</span>').format(
        count(len(text) - _MAX_CHARACTERS)
    )
    return _marked(text[:kept]) + left_out + _marked(text[-_KEPT_OF_END:])


def _marked(text: str) -> Markup:
    pieces, end = [], 0
    for match in _HIDDEN.finditer(text):
        pieces.append(escape(text[end : match.start()]))
        pieces.append(Markup('<span class="mark">U+{:04X}</span>').format(ord(match[0])))
        end = match.end()
    return Markup("").join([*pieces, escape(text[end:])])


def count(number: int) -> str:
    """Return a number with its thousands apart.

    >>> count(12345)
    '12,345'
    """
    return f"{number:,}"


def json_answer(value: Any, status: int = 200) -> Response:
    """Return an answer for a page's script; any text can be in it."""
    return Response(json.dumps(value), status, media_type="application/json")
