"""All pages of `ste view`, as routes of the local server."""

from collections.abc import Sequence
from pathlib import Path

from starlette.routing import BaseRoute

from ste_plugin.view.browse import show_list, show_pair
from ste_plugin.view.compare_pages import show_compare, show_compared_pair
from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.prompts import FindFormat
from ste_plugin.view.viewer import Viewer, route

STATIC = Path(__file__).parent / "static"
"""The style and the script of these pages."""


def view_routes(folders: Sequence[IndexedFolder], find_format: FindFormat) -> list[BaseRoute]:
    """Return the routes that show these folders, the first of them by default."""
    viewer = Viewer(folders, find_format)
    return [
        route("/", viewer, show_list),
        route("/pair", viewer, show_pair),
        route("/compare", viewer, show_compare),
        route("/compare/pair", viewer, show_compared_pair),
    ]
