"""A real browser, and servers of ours for it: tests that use them skip where there is none.

The fixture `browser` is known to all tests:

    with serving(routes) as url, open_page(browser, url) as page:
        assert page.title() == "ste"
        assert axe_problems(page) == []
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; where there is none, the test is skipped.

    One a module: while it runs, nothing else in this thread can use asyncio.
    """
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs a chromium in PATH")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@contextmanager
def serving(routes: Sequence[Any], static: Sequence[Path] = ()) -> Iterator[str]:
    """Serve routes as the commands do; yields the link with its token.

    What the server would print of errors is raised at the end.
    """
    from ste_plugin.web.serve import bind, make_server

    told: list[str] = []
    with bind(0) as listener:
        server, url = make_server(listener, routes, told.append, static)
        thread = Thread(target=server.run, args=[[listener]])
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()
    assert told == []


@contextmanager
def open_page(
    browser: Any,
    url: str,
    size: dict[str, int] = DESKTOP,
    *,
    dark: bool = False,
    quiet: bool = True,
) -> Iterator[Any]:
    """Open a link in a browser of its own; a quiet page must say nothing on its console."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport=size, color_scheme=scheme)
    context.set_default_timeout(20_000)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        page.goto(url)
        yield page
    finally:
        context.close()
    assert not quiet or said == []


def axe_problems(page: Any) -> list[str]:
    """Return what axe-core finds wrong with the page, in words."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found]
