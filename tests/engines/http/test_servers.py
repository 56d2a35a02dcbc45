"""What each known server does, replayed: the rows of the table in the documentation."""

import re

import pytest

from tests.helpers import ROOT
from tests.helpers.chat_server import Body, Refuse, Said, chat_server, says_little
from tests.helpers.http_engine import answers, engine, prompts, says, wanted
from tests.helpers.servers import SERVERS, Server

TABLE = ROOT / "docs" / "reference" / "servers.md"


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    return SERVERS[request.param]


def refusing(server: Server, refusal: Refuse | None = None):
    """Refuse fields as the server does, and prompts about violins."""

    def objects(body: Body) -> Refuse | None:
        about = "violins" in body["messages"][-1]["content"]
        return server.refuses(body) or (refusal if about else None)

    return objects


def asked(server: Server, refusal: Refuse | None):
    with chat_server(says_little, objects=refusing(server, refusal)) as real:
        requests = [*prompts(3), *wanted("Explain violins.")]
        return [c.finish_reason for c in answers(engine(real.base_url), requests)]


def test_every_row_of_the_table_is_replayed():
    rows = re.findall(r"^\| \*\*(.+?)\*\* ", TABLE.read_text(), re.M)
    assert rows == list(SERVERS)


def test_fields_end_up_as_the_server_takes_them(server):
    with chat_server(says_little, objects=refusing(server)) as real:
        model = engine(real.base_url, concurrency=1, max_attempts=1)
        assert len(list(model.complete(wanted(top_p=1.0)))) == 1
        before = len(real.bodies)
        assert len(list(model.complete(wanted("Another.", top_p=1.0)))) == 1
    assert len(real.bodies) == before + 1
    assert not server.without & set(real.bodies[-1])
    assert server.sent.items() <= real.bodies[-1].items()


def test_a_prompt_that_is_too_long_is_dropped_as_that(server):
    assert asked(server, server.too_long) == ["stop"] * 3 + ["too_long"]


def test_a_prompt_that_is_blocked_is_dropped_as_that(server):
    if server.blocked is None:
        pytest.skip("it has no filter of its own")
    assert asked(server, server.blocked) == ["stop"] * 3 + ["blocked"]


def test_a_thought_is_kept_apart_from_the_answer(server):
    with chat_server(says(server.thought), objects=refusing(server)) as real:
        got = answers(engine(real.base_url), wanted())
    assert got[0].text == "An apple."
    assert ("Hm." in got[0].thinking) is (server.thought != Said("An apple."))


def test_a_reply_ends_as_the_server_says(server):
    endings = {"stop": "stop", "length": "length"} | server.endings
    found = {}
    for reason in endings:
        with chat_server(says(Said("x", reason)), objects=refusing(server)) as real:
            found[reason] = answers(engine(real.base_url), wanted())[0].finish_reason
    assert found == endings


def test_as_many_samples_come_as_were_asked_for_and_their_tokens_are_counted(server):
    settings = {"most_choices": server.most_choices, "usage": server.usage}
    with chat_server(says_little, objects=refusing(server), **settings) as real:
        got = answers(engine(real.base_url), wanted(samples=3))
    assert len({c.key for c in got}) == 3
    assert all(c.completion_tokens > 0 for c in got)
