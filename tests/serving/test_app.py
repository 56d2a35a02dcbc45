"""One client: what is answered, what is refused and why."""

import json
import re
import socket
from contextlib import suppress

import httpx
import pytest

from ste_plugin.errors import EngineError
from tests.helpers.asked_judges import fake_judge, says
from tests.helpers.served_judges import served

PAIR = {"prompt": "Say 1.", "a": "Reply to <Say 1.>", "b": "no"}
KEY = "key-of-the-test"


@pytest.fixture
def client(monkeypatch):
    judge, _ = fake_judge(monkeypatch, says("well"))
    limits = {"max_chars": 200, "max_pairs": 3, "max_body_bytes": 2000, "body_timeout_s": 0.5}
    with served(judge, KEY, **limits) as (url, _):
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            yield client


def test_a_pair_is_compared(client):
    found = client.post("/v1/compare", json=PAIR).json()
    assert (found["verdict"], found["probability"], found["abstained"]) == ("A", 1.0, "")
    assert [order["first"] for order in found["orders"]] == ["A", "B"]
    assert found["reasoning"] == "It answers what was asked."


def test_a_conversation_is_compared(client):
    turns = [{"role": "user", "content": "Say 1."}]
    found = client.post("/v1/compare", json=PAIR | {"prompt": turns}).json()
    assert found["verdict"] == "A"


def test_of_many_pairs_one_that_cannot_be_compared_says_why(client):
    pairs = [PAIR, PAIR | {"a": ""}, PAIR | {"b": PAIR["a"]}]
    found = client.post("/v1/compare_many", json={"pairs": pairs}).json()["comparisons"]
    assert [each["verdict"] for each in found] == ["A", None, None]
    assert "answer A is empty" in found[1]["problem"]
    assert found[2]["abstained"] == "identical answers"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (PAIR | {"a": " "}, 422, "answer A is empty"),
        ({"prompt": "x", "a": "y"}, 422, "b: Field required"),
        (PAIR | {"c": 1}, 422, "c: Extra inputs are not permitted"),
        (PAIR | {"a": 1}, 422, "a: Input should be a valid string"),
        (PAIR | {"prompt": [{"role": "tool", "content": "x"}]}, 422, "role: Input should be"),
        (PAIR | {"prompt": [{"role": "assistant", "content": "x"}]}, 422, "the assistant's"),
        (PAIR | {"b": "x" * 201}, 413, "b has 201 characters; at most 200 are taken"),
        (PAIR | {"b": "x" * 2001}, 413, "larger than 2000 bytes"),
        ([], 422, "Input should be a valid dictionary"),
    ],
)
def test_what_is_not_expected_is_refused_with_its_place(client, body, status, message):
    refused = client.post("/v1/compare", json=body)
    assert refused.status_code == status
    assert message in refused.json()["error"]["message"]


@pytest.mark.parametrize("sent_as", ["application/x-www-form-urlencoded", "text/plain", None])
def test_a_body_that_is_not_said_to_be_json_is_told_which_header_is_missing(client, sent_as):
    headers = {"content-type": sent_as} if sent_as else {}
    refused = client.post("/v1/compare", content=json.dumps(PAIR), headers=headers)
    assert refused.status_code == 415
    told = refused.json()["error"]["message"]
    assert f"Content-Type {sent_as or 'none'!r}; expected application/json" in told


def test_more_pairs_than_are_taken_are_refused(client):
    small = {"prompt": "x", "a": "y", "b": "z"}
    refused = client.post("/v1/compare_many", json={"pairs": [small] * 4})
    assert refused.status_code == 413
    assert "pairs: found 4; at most 3" in refused.json()["error"]["message"]
    assert client.post("/v1/compare_many", json={"pairs": []}).status_code == 422


def test_a_body_whose_length_is_not_told_is_refused_once_it_is_too_large(client):
    refused = client.post(
        "/v1/compare",
        content=(b"x" * 1000 for _ in range(9)),
        headers={"content-type": "application/json"},
    )
    assert refused.status_code == 413


def test_a_body_that_does_not_arrive_is_given_up(client):
    with socket.create_connection(("127.0.0.1", client.base_url.port)) as slow:
        slow.sendall(
            b"POST /v1/compare HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer " + KEY.encode() + b"\r\ncontent-length: 100\r\n\r\n{"
        )
        slow.settimeout(60)
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("header", "message"), [("", "No key"), ("Bearer other", "Wrong key"), ("Basic x", "No key")]
)
def test_without_the_key_nothing_is_compared(client, header, message):
    for ask in (
        lambda headers: client.post("/v1/compare", json=PAIR, headers=headers),
        lambda headers: client.get("/v1/judge", headers=headers),
        lambda headers: client.get("/metrics", headers=headers),
    ):
        refused = ask({"authorization": header})
        assert refused.status_code == 401
        assert refused.json()["error"]["message"].startswith(message)
        assert KEY not in refused.text


def test_health_and_the_page_of_the_api_need_no_key_and_nothing_from_elsewhere(client):
    del client.headers["authorization"]
    assert client.get("/health").json() == {"status": "ok", "waiting": 0}
    page = client.get("/docs").text
    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert links
    assert all(client.get(link).status_code == 200 for link in links if link.startswith("/"))
    assert [link for link in links if not link.startswith("/")] == []
    paths = client.get("/openapi.json").json()["paths"]
    assert {"429", "401", "504"} <= paths["/v1/compare"]["post"]["responses"].keys()


def test_it_tells_which_judge_it_is(client):
    told = client.get("/v1/judge").json()
    assert (told["name"], told["format"], told["limits"]["max_pairs"]) == ("m", "brief", 3)


def test_what_is_no_path_or_method_of_it_is_told_in_the_same_shape(client):
    for response, status in ((client.get("/x"), 404), (client.get("/v1/compare"), 405)):
        assert response.status_code == status
        assert set(response.json()["error"]) == {"code", "message"}


def test_a_judge_that_fails_is_told_and_the_next_is_answered(monkeypatch):
    def reply(request):
        prompt = request.messages[-1].content
        if "server" in prompt:
            raise EngineError("http://gpu:8000: no answer. Is the server up?")
        if "bug" in prompt:
            raise KeyError("a bug")
        return "[[A]]"

    judge, _ = fake_judge(monkeypatch, reply)
    said = []
    with served(judge, said=said) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        failed = client.post("/v1/compare", json=PAIR | {"prompt": "server"})
        bug = client.post("/v1/compare", json=PAIR | {"prompt": "bug"})
        answered = client.post("/v1/compare", json=PAIR)
    assert (failed.status_code, failed.json()["error"]["code"]) == (502, "judge_failed")
    assert "Is the server up?" in failed.json()["error"]["message"]
    assert (bug.status_code, bug.json()["error"]["code"]) == (500, "bug")
    assert "KeyError" in said[-1]
    assert answered.status_code == 200


def test_halves_of_surrogate_pairs_break_nothing(monkeypatch):
    judge, _ = fake_judge(monkeypatch, lambda _: "so \ud800 it is [[A]]")
    with served(judge) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        text = json.dumps(PAIR | {"a": "x\ud800"})
        found = client.post(
            "/v1/compare", content=text, headers={"content-type": "application/json"}
        )
    assert found.status_code == 200
    assert found.json()["reasoning"] == "so ? it is"


def test_a_server_without_a_key_answers_under_its_own_names_alone(monkeypatch):
    judge, _ = fake_judge(monkeypatch, says("well"))
    with served(judge) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        assert client.post("/v1/compare", json=PAIR).status_code == 200
        rebound = client.post("/v1/compare", json=PAIR, headers={"host": "evil.example"})
    assert rebound.status_code == 400


def test_a_body_that_is_no_json_is_told_so(client):
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    refused = client.post("/v1/compare", content='{"prompt": ', headers=headers)
    assert refused.status_code == 422
    assert "the body is no JSON (Expecting value" in refused.json()["error"]["message"]


def test_a_body_that_arrives_byte_by_byte_has_no_more_time_than_another(client):
    with socket.create_connection((client.base_url.host, client.base_url.port)) as slow:
        head = f"POST /v1/compare HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        slow.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode())
        slow.settimeout(0.1)
        answer = b""
        for _ in range(600):
            with suppress(TimeoutError):
                answer = slow.recv(1000)
                break
            slow.sendall(b" ")
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_nothing_of_a_body_is_read_without_the_key(client):
    wrong = {"Authorization": "Bearer other", "Content-Type": "application/json"}
    for path in ("/v1/compare", "/v1/compare_many"):
        assert client.post(path, content="{", headers=wrong).status_code == 401
    with socket.create_connection((client.base_url.host, client.base_url.port)) as begun:
        begun.sendall(b"POST /v1/compare HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        begun.settimeout(60)
        assert begun.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_columns_go_to_the_judge_and_one_that_its_format_does_not_show_is_refused(client):
    refused = client.post("/v1/compare", json=PAIR | {"columns": {"rubric": "short"}})
    assert refused.status_code == 422
    assert "shows no 'rubric'" in refused.json()["error"]["message"]
