"""The local server answers its own pages in the browser that has its link, and nobody else."""

import socket

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ste_plugin.errors import DataError
from ste_plugin.web.app import HEADERS
from tests.helpers.browser import serving


async def greet(request):
    body = (await request.body()).decode()
    return PlainTextResponse(f"Hello {request.query_params.get('who', '')}{body}")


async def refuse(_request):
    raise DataError("pairs.jsonl: no such file.")


ROUTES = [
    Route("/", greet),
    Route("/write", greet, methods=["POST"]),
    Route("/error", refuse),
]
NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def link():
    with serving(ROUTES) as url:
        yield url


@pytest.fixture
def base(link):
    return link.partition("/?")[0]


@pytest.fixture
def client(link, base):
    """A browser that has opened the link."""
    with httpx.Client(base_url=base, follow_redirects=True) as client:
        client.get(link)
        yield client


def test_the_link_opens_the_server_and_leaves_no_token_in_the_address(link, base):
    with httpx.Client(base_url=base) as client:
        answer = client.get(link + "&who=you")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?who=you")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
        assert client.get("/?who=you").text == "Hello you"


def test_a_link_that_another_site_shows_opens_by_a_page_of_ours(link):
    answer = httpx.get(link, headers={"Sec-Fetch-Site": "cross-site", **NAVIGATES})
    assert answer.status_code == 200
    assert 'content="0;url=/"' in answer.text
    assert "set-cookie" in answer.headers


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "/%5Cevil.example/x"])
def test_the_way_in_never_leads_to_another_host(link, base, path):
    with httpx.Client(base_url=base) as client:
        address = httpx.URL(f"{base}{path}?{link.partition('?')[2]}")
        location = client.get(address).headers["location"]
    assert httpx.URL(f"{base}/x").join(location).host == "127.0.0.1"


@pytest.mark.parametrize("token", ["", "wrong", "é", "\ud800"])
def test_no_other_token_opens_it(base, token):
    query = token.encode(errors="surrogatepass")
    answer = httpx.get(base, params={"token": query})
    assert answer.status_code == 403
    assert "the link that the command printed" in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "[::1]:80", ""])
def test_another_name_of_this_machine_is_refused(client, host):
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "This server answers at http://127.0.0.1:" in answer.text


def test_the_name_localhost_is_ours(client, link, base):
    port = base.rpartition(":")[2]
    assert client.get(link, headers={"Host": f"localhost:{port}"}).text == "Hello "


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "https://{}"},
        {"Origin": "http://{}", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://{}", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_change_that_another_site_asks_for_is_refused(client, headers):
    host = client.base_url.netloc.decode()
    sent = {name: value.format(host) for name, value in headers.items()}
    assert client.post("/write", content="x", headers=sent).status_code == 403


def test_a_change_that_our_page_asks_for_is_made(client):
    origin = f"http://{client.base_url.netloc.decode()}"
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/write", content="x", headers=headers).text == "Hello x"
    huge = client.post("/write", content=b"x" * (1 << 20) + b"x", headers=headers)
    assert huge.status_code == 413


def test_another_sites_page_cannot_load_ours_into_itself(client):
    embedded = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/", headers=embedded).status_code == 403
    assert client.get("/", headers={"Sec-Fetch-Site": "same-site", **NAVIGATES}).text == "Hello "


def test_every_answer_has_the_strict_headers(client, link, base):
    foreign = client.get("/", headers={"Host": "evil.example"})
    answers = [client.get("/"), client.get("/nothing"), client.get("/error"), foreign]
    answers += [httpx.get(link), httpx.get(base), client.get("/static/ste.css")]
    assert [a.status_code for a in answers] == [200, 404, 409, 403, 303, 403, 200]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_static_files_are_those_of_the_package(client):
    assert client.get("/static/ste.css").headers["content-type"].startswith("text/css")
    for name in ("app.py", "../app.py", "%2e%2e%2fapp.py", "..%2Ftemplates%2Fbase.html", "/etc"):
        assert client.get(f"/static/{name}").status_code == 404


def test_an_error_of_a_route_is_answered_with_its_message(client):
    assert client.get("/error").text == "pairs.jsonl: no such file."


def test_requests_without_or_with_two_hosts_are_refused(base):
    address = ("127.0.0.1", int(base.rpartition(":")[2]))
    for head in ("GET / HTTP/1.0\r\n", f"GET / HTTP/1.1\r\nHost: x\r\nHost: {address[0]}\r\n"):
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
            assert connection.recv(100).split()[1] in (b"400", b"403")
