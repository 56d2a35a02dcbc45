"""The settings of the HTTP engine, and where its key goes."""

import os
import traceback

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines.http.engine import create
from ste_plugin.errors import ConfigError, SteError
from tests.helpers.builders import HERE
from tests.helpers.chat_server import Refuse, babble, chat_server
from tests.helpers.http_engine import always, answers, engine, refused, wanted

KEY = "sk-Very5ecret-0123456789"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("JUDGE_API_KEY", KEY)
    return "JUDGE_API_KEY"


def test_the_key_goes_into_the_header_and_nowhere_else(key):
    with chat_server(babble) as server:
        model = engine(server.base_url, api_key_env=key)
        answers(model, wanted())
    assert server.authorizations == [f"Bearer {KEY}"]
    assert KEY not in str(server.bodies)
    assert KEY not in f"{model!r} {model._options!r}"


@pytest.mark.parametrize("placeholder", ["EMPTY", "x", "e", "none"])
def test_a_placeholder_for_a_key_changes_no_reply_in_which_its_letters_stand(
    monkeypatch, placeholder
):
    monkeypatch.setenv("LOCAL_KEY", placeholder)
    said = "The set is EMPTY: none of the next six is exact."
    with chat_server(lambda *_: said) as server:
        (found,) = answers(engine(server.base_url, api_key_env="LOCAL_KEY"), wanted())
    assert (found.text, found.completion_tokens > 0) == (said, True)
    assert server.authorizations == [f"Bearer {placeholder}"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_the_key_is_in_no_message_even_if_the_server_repeats_it(key, status, caplog):
    caplog.set_level("DEBUG")
    said = "x" * 280 + f" wrong key {KEY}" if status == 400 else f"wrong key {KEY}"
    with (
        chat_server(babble, fault=always(Refuse(status, said))) as server,
        pytest.raises(SteError) as caught,
    ):
        list(engine(server.base_url, api_key_env=key).complete(wanted()))
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert KEY[:6] not in told
    assert f"HTTP {status}" in told


@pytest.mark.parametrize(
    ("named", "cure"), [(True, "variable JUDGE_API_KEY"), (False, "options.api_key_env")]
)
def test_a_refused_key_is_told_with_where_it_belongs(key, named, cure):
    with chat_server(babble, fault=always(Refuse(401))) as server:
        assert cure in refused(server, **({"api_key_env": key} if named else {}))


def test_a_missing_environment_variable_is_named():
    assert "NO_SUCH_KEY" not in os.environ
    with pytest.raises(ConfigError, match="NO_SUCH_KEY is not set"):
        engine("http://localhost:1/v1", api_key_env="NO_SUCH_KEY")


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch, value):
    monkeypatch.setenv("JUDGE_API_KEY", value)
    with pytest.raises(ConfigError, match="JUDGE_API_KEY") as caught:
        engine("http://localhost:1/v1", api_key_env="JUDGE_API_KEY")
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"base_ulr": "http://h/v1"}, "base_ulr: unknown key; did you mean 'base_url'?"),
        ({"api_key": KEY}, "api_key: unknown key; did you mean 'api_key_env'?"),
        ({"api_key_env": KEY}, "api_key_env: expected the name of an environment variable"),
        ({"base_url": "localhost:8000/v1"}, "base_url: expected an address with http"),
        ({"base_url": f"http://me:{KEY}@h/v1"}, "base_url: expected scheme, host"),
        ({"base_url": f"http://h/v1?key={KEY}"}, "base_url: expected scheme, host"),
        ({"concurrency": 0}, "concurrency: expected 1 or more"),
        ({"prefill": "maybe"}, "prefill: expected 'ask', 'vllm'"),
        ({}, "base_url: missing"),
    ],
)
def test_a_wrong_option_is_named_with_the_right_one_and_without_its_value(options, told):
    with pytest.raises(ConfigError) as caught:
        create(ModelConfig(model="tiny", engine="http", options=options), HERE)
    assert told in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))
