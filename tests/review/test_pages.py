"""The pages of a review in a real browser, by keyboard, on a phone, with hostile texts."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from ste_plugin.review.labels import labels_path, read_labels
from ste_plugin.review.pages import STATIC, review_routes
from ste_plugin.review.population import chosen_splits, find_run
from ste_plugin.review.sample import draw_sample
from ste_plugin.review.session import ReviewSession
from tests.helpers.browser import PHONE, axe_problems, open_page, serving
from tests.helpers.review_runs import labels_in, plain_texts, run_with_pairs

HOSTILE = (
    '</div></main><script>fetch("/undo", {method: "POST"})</script>'
    '<img src=x onerror="document.title=1"><a href="//evil.example">',
    "<style>body{display:none}</style><base href=//evil.example>\u202egnol yrev\u202c \x1b[2J \x00",
    "a" * 300_000 + "\n" + "Z" + "\u0335" * 3000,
)


@contextmanager
def reviewing(run, kind="pair"):
    folder, config = find_run(run.root)
    sample = draw_sample(folder, config, kind, chosen_splits(folder, "all"))
    session = ReviewSession(labels_path(run), "ann", kind, sample.items)
    with serving(review_routes(session, sample), [STATIC]) as url:
        yield url, session


def press(page, *keys):
    for key in keys:
        with page.expect_navigation():
            page.keyboard.press(key)


def press_better(page):
    first = page.locator(".answers .text").first.inner_text()
    press(page, "1" if first.startswith("Good") else "2")


def test_ten_pairs_by_keyboard_alone_with_undo_skip_and_reload(browser, tmp_path):
    run = run_with_pairs(tmp_path / "run", plain_texts(10))
    with reviewing(run) as (url, _), open_page(browser, url) as page:
        assert page.title() == "Review: 0 of 10 done"
        press(page, "Enter")
        for _ in range(4):
            press_better(page)
        question = page.locator(".question .text").inner_text()
        press(page, "0", "u")
        assert page.locator(".question .text").inner_text() == question
        page.reload()
        assert page.title() == "5 of 10"
        press(page, "s")
        assert page.locator(".question .text").inner_text() != question
        for _ in range(5):
            press_better(page)
        assert page.locator(".question .text").inner_text() == question
        press_better(page)
        assert page.locator("h1").inner_text() == "All done. Thank you, ann."
    assert [x["choice"] for x in labels_in(run)] == 4 * ["better"] + ["tie", None] + 6 * ["better"]
    with reviewing(run) as (url, session), open_page(browser, url) as page:
        assert session.current is None
        press(page, "Enter", "u")
        assert page.title() == "10 of 10"


def test_keys_that_are_held_or_belong_to_the_browser_label_nothing(browser, tmp_path):
    run = run_with_pairs(tmp_path / "run", plain_texts(4))
    with reviewing(run) as (url, session), open_page(browser, f"{url}&a=b") as page:
        press(page, "Enter")
        page.keyboard.press("Control+1")
        page.keyboard.press("Alt+2")
        page.evaluate(
            "document.dispatchEvent(new KeyboardEvent('keydown', {key: '1', repeat: true}))"
        )
        page.keyboard.press("7")
        press(page, "1")
        assert session.done == 1


def test_a_label_that_is_not_kept_is_told(browser, tmp_path):
    run = run_with_pairs(tmp_path / "run", plain_texts(4))
    with reviewing(run) as (url, session), open_page(browser, url, quiet=False) as page:
        press(page, "Enter")
        labels_path(run).mkdir()
        page.keyboard.press("1")
        page.get_by_role("alert").filter(has_text="labels.jsonl: cannot be").wait_for()
        labels_path(run).rmdir()
        press(page, "1")
        assert session.done == len(labels_in(run)) == 1


@pytest.mark.parametrize("kind", ["pair", "judgment"])
def test_hostile_texts_stay_in_their_boxes(browser, tmp_path, kind):
    run = run_with_pairs(tmp_path / "run", [HOSTILE, *plain_texts(1)], dataset="{test_fraction: 0}")
    with reviewing(run, kind) as (url, session):
        while session.current.pair.instruction != HOSTILE[0]:
            session.skip(session.current.key)
        with open_page(browser, url, PHONE) as page:
            press(page, "Enter")
            assert page.locator(".question .text").inner_text() == HOSTILE[0]
            assert page.locator("main :is(script, style, img, a, base)").count() == 0
            marks = page.locator(".answers .mark").all_inner_texts()
            assert {"U+202E", "U+202C", "U+001B", "U+0000"} < set(marks)
            assert "… 203,002 characters are not shown …" in marks
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
            assert page.locator("footer").is_visible()
            press(page, "2")
            assert session.done == 1


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", ["pair", "judgment"])
def test_every_page_is_accessible_on_a_phone(browser, tmp_path, kind, dark):
    run = run_with_pairs(tmp_path / "run", plain_texts(2), dataset="{test_fraction: 0}")
    with reviewing(run, kind) as (url, session), open_page(browser, url, PHONE, dark=dark) as page:
        problems = axe_problems(page)
        press(page, "Enter")
        problems += axe_problems(page)
        with page.expect_navigation():
            page.get_by_role("button", name="1").click()
        press(page, "0")
        assert session.current is None
        assert problems + axe_problems(page) == []


ATTACK = """async ([url, key]) => {
    const body = JSON.stringify({key, choice: 1});
    const tried = ["no-cors", "cors"].flatMap((mode) => [
        fetch(url + "next", {mode, credentials: "include"}),
        fetch(url + "label", {mode, credentials: "include", method: "POST", body}),
    ]);
    const frame = document.createElement("iframe");
    const framed = new Promise((done) => { frame.onload = () => done("framed"); });
    frame.src = url + "next";
    document.body.append(frame);
    const told = tried.map((one) => one.then((answer) => answer.type, () => "refused"));
    return [await framed, ...await Promise.all(told)];
}"""


@contextmanager
def another_site():
    """A page on another port of this machine: the same site, to which browsers send our cookie."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title><body>")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_other_sites_can_neither_read_nor_frame_nor_label(browser, tmp_path):
    run = run_with_pairs(tmp_path / "run", plain_texts(2))
    with reviewing(run) as (url, session), another_site() as evil:
        base, key = url.partition("?")[0], session.current.key
        with open_page(browser, url, quiet=False) as page:
            statuses = []
            page.on("response", lambda answer: statuses.append((answer.status, answer.url)))
            page.goto(evil)
            told = page.evaluate(ATTACK, [base, key])
            assert "basic" not in told and "cors" not in told  # nothing that could be read
            ours = {(where.rpartition("/")[2], status) for status, where in statuses}
            assert ours & {("next", 200), ("label", 200)} == set()
            assert ("next", 403) in ours  # the frame; of the others the page is told nothing
            assert session.done == 0
        # a foreign name that was made to point to this machine
        rebound = httpx.get(f"{base}next", headers={"Host": "evil.example"})
        assert rebound.status_code == 403
    assert read_labels(labels_path(run)) == []


def test_a_body_that_is_no_label_is_refused_and_not_our_bug(tmp_path):
    run = run_with_pairs(tmp_path / "run", plain_texts(2))
    with reviewing(run) as (url, session):
        base = url.partition("?")[0]
        with httpx.Client(headers={"Origin": base.rstrip("/")}, follow_redirects=True) as client:
            client.get(url)
            for body in (b"", b"[]", b"\xff", b"[" * 100_000):
                assert client.post(f"{base}label", content=body).status_code == 400
        assert session.done == 0
