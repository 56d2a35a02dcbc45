"""Thinking behind a server: told apart by it, or left in the text with or without its marks."""

import pytest

from ste_plugin.config import ModelConfig, ThinkingConfig
from ste_plugin.engines.base import Place
from ste_plugin.engines.http.completions import ThoughtReader
from ste_plugin.engines.http.engine import create
from ste_plugin.engines.http.response import Said as Reply
from ste_plugin.engines.model_template import find_template
from ste_plugin.errors import EngineError
from tests.helpers.builders import HERE
from tests.helpers.chat_server import Said, chat_server
from tests.helpers.chat_templates import family_tokenizer
from tests.helpers.http_engine import FORCED, answers, engine, prompts, says, wanted
from tests.helpers.tiny_model import tiny_tokenizer

THOUGHT = "<think>\nHm, a fruit.\n</think>\n\n"
OFF = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<assistant><think>\n\n</think>\n\n{% endif %}"
)
"""A template that turns thinking off."""
APART = [
    {"reasoning_content": "Hm, a fruit."},
    {"reasoning": "Hm, a fruit."},
    {"reasoning_content": "Hm, a fruit.", "reasoning": "Hm, a fruit."},
    {"thinking": "Hm, a fruit.\n"},
    {"reasoning_details": [{"type": "reasoning.text", "text": "Hm, a fruit."}]},
    {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm, a fruit."}]},
]
PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm, a fruit."}]},
    {"type": "text", "text": "An "},
    {"type": "text", "text": "apple."},
]


@pytest.mark.parametrize("beside", APART)
def test_a_thought_beside_the_content_is_kept_apart_from_it(beside):
    with chat_server(says(Said("An apple.", beside=beside))) as server:
        got = answers(engine(server.base_url), wanted())
    assert (got[0].text, got[0].thinking) == ("An apple.", THOUGHT)


def test_a_thought_among_the_parts_of_content_is_kept_apart():
    with chat_server(says(Said(PARTS))) as server:
        got = answers(engine(server.base_url), wanted())
    assert (got[0].text, got[0].thinking) == ("An apple.", THOUGHT)


@pytest.mark.parametrize("content", [None, ""])
@pytest.mark.parametrize("reason", ["stop", "length"])
def test_a_reply_that_is_nothing_but_a_thought_has_no_text(content, reason):
    said = Said(content, reason, {"reasoning_content": "Hm, a fruit."})
    with chat_server(says(said)) as server:
        got = answers(engine(server.base_url), wanted())
    assert (got[0].text, got[0].thinking, got[0].finish_reason) == ("", THOUGHT, reason)


def test_a_thought_that_was_told_apart_is_estimated_as_written_where_nothing_is_counted():
    said = Said("", "stop", {"reasoning_content": "x" * 300})
    with chat_server(says(said), usage=False) as server:
        assert answers(engine(server.base_url), wanted())[0].completion_tokens == 100


@pytest.mark.parametrize(
    ("text", "thinking", "said"),
    [
        ("<think>Hm.</think>An apple.", "<think>Hm.</think>", "An apple."),
        ("[THINK]Hm.[/THINK]An apple.", "[THINK]Hm.[/THINK]", "An apple."),
        ("Hm.</think>An apple.", "Hm.</think>", "An apple."),
        ("<think>Hm. It never", "<think>Hm. It never", ""),
        ("An apple.", "", "An apple."),
    ],
)
def test_a_thought_in_the_text_is_taken_out_of_it(text, thinking, said):
    with chat_server(says(text)) as server:
        got = answers(engine(server.base_url), wanted())
    assert (got[0].text, got[0].thinking) == (said, thinking)


def test_a_sentence_about_a_closing_mark_does_not_make_other_replies_thoughts():
    thoughts = ThoughtReader(ModelConfig(model="tiny"))
    thoughts.split(Reply("You forgot the </think> tag.", "stop"))
    assert thoughts.split(Reply("An apple.", "stop")).said == "An apple."
    thoughts.split(Reply("Hm.\n</think>\n\nA pear.", "stop"))
    assert not thoughts.split(Reply("An apple, or", "length")).ended


@pytest.mark.parametrize(
    "said",
    [
        "Everything up to </think>. Then comes the answer.",
        "First **</think>**, then the answer.",
        "The tag (</think>) ends it.",
        "Write </think>, then the answer.",
    ],
)
def test_a_mention_of_a_closing_mark_leaves_later_replies_what_they_are(said):
    thoughts = ThoughtReader(ModelConfig(model="tiny"))
    thoughts.split(Reply(said, "stop"))
    for ending in ("stop", "length"):
        assert thoughts.split(Reply("Paris is the capital.", ending)).said


def test_a_reply_that_ended_by_itself_is_an_answer_where_nothing_but_a_mention_says_otherwise():
    thoughts = ThoughtReader(ModelConfig(model="tiny"))
    thoughts.split(Reply("Hm.</think>An apple.", "stop"))
    assert thoughts.split(Reply("Paris is the capital.", "stop")).said == "Paris is the capital."


def opening(tmp_path):
    """The template of a model whose prompt opens the thought."""
    family_tokenizer("R1 distils").save_pretrained(tmp_path / "judge")
    return find_template(ModelConfig(model="judge"), tmp_path)


def test_an_answer_behind_an_empty_thought_that_the_server_took_away_is_an_answer(tmp_path):
    thoughts = ThoughtReader(ModelConfig(model="judge"), opening(tmp_path))
    assert thoughts.split(Reply("It is [[A]]", "stop")).said == "It is [[A]]"
    assert not thoughts.split(Reply("Is it [[A]]? It", "length")).ended


def test_a_server_that_tells_thoughts_apart_leaves_none_in_an_answer_that_is_cut_off(tmp_path):
    thoughts = ThoughtReader(ModelConfig(model="judge"), opening(tmp_path))
    thoughts.split(Reply("An apple.", "stop", "Hm, a fruit."))
    assert thoughts.split(Reply("An apple, or", "length")).said == "An apple, or"


def test_marks_that_a_model_has_of_its_own_are_known_by_its_settings():
    with chat_server(says("{{Hm.}}An apple.")) as server:
        config = ModelConfig(
            model="tiny",
            engine="http",
            options={"base_url": server.base_url},
            thinking=ThinkingConfig(open="{{", close="}}"),
        )
        got = answers(create(config, HERE), wanted())
    assert (got[0].text, got[0].thinking) == ("An apple.", "{{Hm.}}")


def closes(body, _index):
    """Think as a template has it that opens the thought: the reply holds the closing mark alone."""
    cut = "cut" in body["messages"][0]["content"]
    return Said("Hm, [[A]], as", "length") if cut else "Hm.</think>An apple."


def test_once_a_prompt_is_known_to_open_the_thought_a_reply_without_its_end_says_nothing():
    with chat_server(closes) as server:
        model = engine(server.base_url)
        assert answers(model, wanted("cut off"))[0].text == "Hm, [[A]], as"
        answers(model, wanted())
        got = answers(model, wanted("cut off, too"))
    assert (got[0].text, got[0].thinking) == ("", "Hm, [[A]], as")


def test_a_reply_that_goes_on_from_given_words_is_within_no_thought():
    def script(body, _index):
        return "Hm.</think>x" if len(body["messages"]) < 2 else " an apple"

    with chat_server(script) as server:
        model = engine(server.base_url, prefill="vllm")
        answers(model, wanted())
        assert answers(model, wanted(prefix="It is"))[0].text == " an apple"


def test_an_answer_in_channels_opens_no_thought_of_others():
    replies = iter(["<|channel|>final<|message|>An apple."])
    with chat_server(lambda _body, _index: next(replies, "A pear.")) as server:
        got = list(engine(server.base_url, concurrency=1).complete(prompts(2)))
    assert [c.text for c in got] == ["An apple.", "A pear."]


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        (Said("<think>A? B?</think> B"), "B"),
        (Said("A? B?</think>\n\nVerdict: B."), "B"),
        (Said("B", beside={"reasoning_content": "A? [[A]]"}), "B"),
    ],
)
def test_a_choice_is_read_behind_the_thought(said, letter):
    with chat_server(says(said)) as server:
        got = answers(engine(server.base_url), wanted(prefix=FORCED, choices=("A", "B")))
    assert got[0].text == letter


def test_a_server_that_thinks_though_it_was_told_not_to_is_named_once(tmp_path, caplog):
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = OFF
    tokenizer.save_pretrained(tmp_path / "judge")
    options = {"endpoints": [{"base_url": "", "model": "tiny"}]}
    with chat_server(says(f"{THOUGHT}An apple.")) as server:
        options["endpoints"][0]["base_url"] = server.base_url
        model = ModelConfig(model="judge", engine="http", options=options)
        got = list(create(model, Place(tmp_path, tmp_path)).complete(prompts(3)))
    assert {c.text for c in got} == {"An apple."}
    assert caplog.text.count("thinking is off") == 1


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_a_drawn_letter_that_the_server_takes_for_a_thought_is_the_letter(field):
    said = Said(None, "stop", {field: "B"})
    with chat_server(says(said)) as server:
        model = engine(server.base_url, prefill="vllm")
        got = answers(model, wanted(prefix=FORCED, choices=("A", "B")))
    assert (got[0].text, got[0].thinking, got[0].finish_reason) == ("B", "", "stop")


def test_a_thought_in_place_of_a_drawn_letter_is_none():
    said = Said(None, "stop", {"reasoning": "Is it A?"})
    with chat_server(says(said)) as server:
        model = engine(server.base_url, prefill="vllm")
        with pytest.raises(EngineError, match="does not restrict its reply"):
            answers(model, wanted(prefix=FORCED, choices=("A", "B")))
