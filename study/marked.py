"""Tables of results within a page that is otherwise written by hand."""

import re
from pathlib import Path


def write_between_marks(page: Path, name: str, text: str) -> None:
    """Write a text between a page's `<!-- study: NAME -->` and the next `<!-- end -->`.

    Raises: ValueError where the page has no such marks.
    """
    mark = f"<!-- study: {name} -->"
    block = re.compile(rf"{re.escape(mark)}\n.*?<!-- end -->", re.DOTALL)
    written = f"{mark}\n\n{text}\n\n<!-- end -->"
    found, count = block.subn(lambda _: written, page.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{page}: found {count} blocks that begin with {mark}; expected one.")
    page.write_text(found, encoding="utf-8")
