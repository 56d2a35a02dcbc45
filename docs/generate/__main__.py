"""`python -m docs.generate`: write what the code knows into the pages of `docs/reference`.

A page is prose by hand, with blocks between `<!-- generated: NAME -->` and `<!-- end -->` that are
written here. `--check` writes nothing, and fails where a page is not up to date.
"""

import re
import sys
from pathlib import Path

from docs.generate import catalogue, hooks, program, settings

PAGES = Path(__file__).parents[1] / "reference"
BLOCK = re.compile(r"<!-- generated: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
BLOCKS = catalogue.BLOCKS | hooks.BLOCKS | program.BLOCKS | settings.BLOCKS
"""Name of a block → what writes it."""


def refreshed(page: str) -> str:
    """Return a page with its blocks as the code says now. Raises: KeyError for an unknown name."""
    return BLOCK.sub(lambda found: block(found[1]), page)


def block(name: str) -> str:
    """Return a block with its marks."""
    return f"<!-- generated: {name} -->\n\n{BLOCKS[name]().strip()}\n\n<!-- end -->"


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` name those that would change; return the exit status."""
    stale = []
    for path in sorted(PAGES.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        if (fresh := refreshed(page)) != page:
            stale.append(path.name)
            if "--check" not in arguments:
                path.write_text(fresh, encoding="utf-8")
    if stale and "--check" in arguments:
        sys.stderr.write(f"Not up to date: {', '.join(stale)}. Run `make docs-reference`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
