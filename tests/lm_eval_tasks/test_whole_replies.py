"""Replies made whole: what was thought and what is the answer can be told from the text alone."""

import pickle

import pytest

from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.lm_eval_tasks.replies import CUT_OFF, NOT_ASKED, NOT_DRAWN, parser
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.lm_eval_tasks.whole_replies import ApiReply, ReplyReader
from ste_plugin.text.thinking import split_thinking
from tests.helpers.tiny_model import tiny_tokenizer

OPENS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
parse = parser(VERDICT, JudgeSettings())


def opening(**settings):
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = OPENS
    return ReplyReader(ChatTemplate(tokenizer), **settings)


@pytest.mark.parametrize(
    "text", ["[[A]]", "<think>B?</think>[[A]]", "B?</think>[[A]]", "", NOT_ASKED]
)
def test_a_reply_that_speaks_for_itself_is_kept_as_it_is(text):
    assert ReplyReader().whole(text, "Which?") == text


def test_behind_a_prompt_that_opens_a_thought_a_reply_without_a_mark_is_one_that_never_ends():
    torn, ended = (opening().whole(r, "?") for r in ("It is [[A]], as", "B?\n</think>\n\n[[A]]"))
    assert (split_thinking(torn).ended, parse(torn)) == (False, None)
    assert parse(ended) == "A"
    assert opening().whole(NOT_DRAWN, "?") == NOT_DRAWN


def test_a_prompt_that_ends_with_a_mark_shows_it_where_there_is_no_tokenizer():
    assert parse(ReplyReader().whole("It is [[A]]", "<user>Which?<assistant><think>\n")) is None
    assert parse(ReplyReader().whole("It is [[A]]", "<user>Which?<assistant>")) == "A"


def test_marks_of_ones_own_become_marks_that_every_reader_knows():
    reader = ReplyReader(marks=("<scratch>", "</scratch>"))
    whole = reader.whole("<scratch>Is it [[B]]?</scratch> It is [[A]]", "?")
    assert split_thinking(whole).thinking == "<think>\nIs it [[B]]?\n</think>\n\n"
    assert parse(whole) == "A"
    assert parse(reader.whole("<scratch>Is it [[B]]? Or", "?")) is None


def test_a_thought_that_a_server_told_apart_stands_before_the_answer():
    told, nothing = ApiReply("[[A]]", "B? [[B]]"), ApiReply("", "Is it [[B]]?")
    reader = ReplyReader(by_server=True)
    assert reader.whole(told, "?") == "<think>\nB? [[B]]\n</think>\n\n[[A]]"
    assert parse(reader.whole(nothing, "?")) is None
    assert (nothing.only_thought, told.only_thought) == (True, False)


def test_a_reply_that_was_cut_off_has_no_verdict_unless_the_verdict_is_all_it_says():
    cut = ApiReply("It is [[A]], but", cut=True)
    assert ReplyReader().whole(cut, "?") == f"It is [[A]], but{CUT_OFF}"
    assert parse(ReplyReader().whole(cut, "?")) is None
    assert (
        parse(ReplyReader().whole(ApiReply("<think>a</think>It is [[A]]", cut=True), "?")) is None
    )
    assert parse(ReplyReader(answers_are_long=False).whole(cut, "?")) == "A"


def test_a_servers_template_shows_by_a_closing_mark_that_it_opens_thoughts():
    replies = ["It is [[A]], as", "B?\n</think>\n\n[[A]]"]
    reader = ReplyReader(by_server=True)
    assert parse(reader.whole(replies[0], "?")) == "A"
    reader.learn(replies)
    assert [parse(reader.whole(r, "?")) for r in replies] == [None, "A"]


@pytest.mark.parametrize(
    "shows",
    [
        "<think>B?</think>[[A]]",
        "<|channel|>final<|message|>[[A]]",
        "It forgot the </think> tag, so [[A]]",
        "It forgot `</think>`, so [[A]]",
    ],
)
def test_a_thought_that_the_model_opened_itself_says_nothing_of_the_template(shows):
    reader = ReplyReader(by_server=True)
    reader.learn([shows])
    assert parse(reader.whole("It is [[A]]", "?")) == "A"


def test_where_a_server_tells_thoughts_apart_a_reply_without_a_mark_is_an_answer():
    reader = opening(by_server=True)
    assert parse(reader.whole("It is [[A]]", "?")) is None
    reader.learn([ApiReply("[[A]]", "B?")])
    assert parse(reader.whole("It is [[A]]", "?")) == "A"


def test_what_was_told_beside_a_reply_outlives_lm_evals_cache():
    reply = pickle.loads(pickle.dumps(ApiReply("[[A]]", "B?", cut=True)))
    assert (reply, reply.thought, reply.cut) == ("[[A]]", "B?", True)
