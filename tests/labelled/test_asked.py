"""What was asked in a row: whole, once, and never another column's question in silence."""

import json
import logging
import math

import pytest

from ste_plugin.errors import DataError
from ste_plugin.labelled import Reading, read_labelled
from tests.helpers.labelled_rows import (
    ASKED,
    BETTER,
    TALK,
    TALK_IN_WORDS,
    WORSE,
    reply,
    spoken,
    user,
)

PAIR = {"chosen": BETTER, "rejected": WORSE}
SYSTEM = {"role": "system", "content": "Talk like a pirate."}
PICTURE = {
    "role": "user",
    "content": [{"type": "text", "text": "Which fruit is this?"}, {"type": "image_url"}],
}
TURNS = {"chosen": [user(ASKED), reply(BETTER)], "rejected": [user(ASKED), reply(WORSE)]}


def read(folder, *rows, **how):
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read_labelled(path, Reading(**how)))


def one(folder, row, **how):
    (pair,) = read(folder, row, **how)
    return pair.prompt, pair.chosen, pair.rejected


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASKED, "context": "The shop is shut.", **PAIR},
        {"prompt": ASKED, "context": TALK, **PAIR},
        {"instruction": ASKED, "context": "The shop is shut.", **PAIR},
        {"prompt": ASKED, "input": "The shop is shut.", **PAIR},
        {"prompt": ASKED, "history": "The shop is shut.", **PAIR},
        {"prompt": ASKED, "history": [["The shop?", "It is shut."]], **PAIR},
        {"prompt": "Name a stone.", **TURNS},
        {"prompt": "请用一句话回答", "question": "法国的首都是哪里？", **PAIR},
        {"context": "小明有三个苹果。他又买了五个。", "question": "小明一共有几个苹果？", **PAIR},
        {"prompt": "Start with a synonym of the word below.", "input": "art", **PAIR},
        {"prompt": "What is this molecule called?", "input": "H2O", **PAIR},
        {"prompt": "Write this number in words.", "input": 42, **PAIR},
        {"prompt": ASKED, "context": ["The shop is shut.", "It is late."], **PAIR},
        {"prompt": ASKED, "messages": [PICTURE], **PAIR},
        {"prompt": ASKED, "messages": json.dumps([PICTURE]), **PAIR},
    ],
)
def test_a_row_that_asks_two_things_is_refused(tmp_path, row):
    with pytest.raises(DataError, match=r"pairs\.jsonl:1: '\w+' asks something that is not in"):
        read(tmp_path, row)


def test_the_error_names_a_cure_that_shows_the_whole_question(tmp_path):
    row = {"instruction": ASKED, "context": "The shop is shut.", **PAIR}
    with pytest.raises(DataError, match=r"\{instruction: instruction, input: context\} for both"):
        read(tmp_path, row)
    columns = {"instruction": "instruction", "input": "context"}
    assert one(tmp_path, row, columns=columns)[0] == f"{ASKED}\n\nThe shop is shut."
    assert one(tmp_path, row, columns={"prompt": "instruction"})[0] == ASKED


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASKED, "context": ["doc a", "doc b"], **PAIR},
        {"prompt": ASKED, "messages": [PICTURE], **PAIR},
        {"prompt": ASKED, "history": [["The shop?", "It is shut."]], **PAIR},
        {"prompt": [user(ASKED)], "context": "The shop is shut.", **PAIR},
    ],
)
def test_both_columns_are_offered_only_where_both_can_be_shown(tmp_path, row):
    with pytest.raises(DataError, match=r"\{prompt: prompt\} for that alone, or write both"):
        read(tmp_path, row)
    assert one(tmp_path, row, columns={"prompt": "prompt"})[0] == ASKED


def test_an_input_may_be_a_number(tmp_path):
    row = {"prompt": ASKED, "input": 42, **PAIR}
    with pytest.raises(DataError, match=r"\{instruction: prompt, input: input\} for both"):
        read(tmp_path, row)
    columns = {"instruction": "prompt", "input": "input"}
    assert one(tmp_path, row, columns=columns)[0] == f"{ASKED}\n\n42"


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASKED, "messages": TURNS["chosen"], **TURNS},
        {"prompt": ASKED, "input": math.nan, "context": " [ ]", "history": "[]", **PAIR},
        {"instruction": ASKED, "input": math.nan, "system": math.nan, **PAIR},
        {"instruction": ASKED, "input": "<noinput>", **PAIR},
        {"prompt": ASKED, "input": "nan", **PAIR},
        {"instruction": f" {ASKED}\n", "prompt": spoken(ASKED, ""), **PAIR},
        {"prompt": ASKED, "context": "", "input": None, "history": [], **PAIR},
        {"prompt": ASKED, "conversation": "c-17", "context": "shop_talk", **PAIR},
        {"prompt": ASKED, "conversation": "0b8e1f5c-9a77-4d0e-8b7e-3f1f2c9d4a55", **PAIR},
        {"prompt": ASKED, "messages": 2, "context": ["Name a fruit."], "input": "fruit", **PAIR},
        {"prompt": ASKED, "conversation": [{"input": "Hello there", "output": "Hm."}], **PAIR},
        {"question": ASKED, **PAIR},
        {"input": ASKED, **PAIR},
    ],
)
def test_columns_that_ask_the_same_are_no_contradiction(tmp_path, row):
    assert one(tmp_path, row) == (ASKED, BETTER, WORSE)


def test_a_column_that_the_format_shows_is_no_second_question(tmp_path):
    from ste_plugin.lm_eval_tasks.settings import JudgeSettings
    from ste_plugin.lm_eval_tasks.shown_columns import columns_kept

    written = {
        "name": "shows",
        "turns": [{"template": "{{ context }} {{ instruction }} {{ answer_a }} {{ answer_b }}"}],
        "columns": ["context"],
        "verdict": {"marks": "[[{letter}]]"},
    }
    keep = columns_kept(JudgeSettings(format=json.dumps(written)))
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"prompt": ASKED, "context": "The shop is shut.", **PAIR}))
    (pair,) = read_labelled(path, keep=keep)
    assert (pair.prompt, json.loads(pair.shown)) == (ASKED, {"context": "The shop is shut."})


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        (
            {"prompt": [SYSTEM, user(ASKED)], **TURNS},
            f"System: {SYSTEM['content']}\n\nUser: {ASKED}",
        ),
        ({"prompt": TALK, **TURNS}, TALK_IN_WORDS),
        (
            {"instruction": ASKED, "history": [["I am hungry.", "What do you like?"]], **PAIR},
            TALK_IN_WORDS,
        ),
        (
            {
                "system": SYSTEM["content"],
                "chosen": [SYSTEM, *TURNS["chosen"]],
                "rejected": [SYSTEM, *TURNS["rejected"]],
            },
            f"System: {SYSTEM['content']}\n\nUser: {ASKED}",
        ),
    ],
)
def test_a_prompt_is_whole_and_says_nothing_twice(tmp_path, row, prompt):
    assert one(tmp_path, row) == (prompt, BETTER, WORSE)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASKED, "chosen": spoken(ASKED, BETTER), "rejected": spoken(ASKED, WORSE)},
        {
            "prompt": spoken(ASKED, ""),
            "chosen": spoken(ASKED, BETTER),
            "rejected": spoken(ASKED, WORSE),
        },
        {
            "prompt": spoken(ASKED, ""),
            "chosen": f" Assistant: {BETTER}",
            "rejected": f"Assistant: {WORSE}",
        },
    ],
)
def test_an_answer_does_not_repeat_the_dialogue_that_its_prompt_is(tmp_path, row):
    assert one(tmp_path, row) == (ASKED, BETTER, WORSE)


def test_a_dialogue_that_was_asked_for_is_an_answer(tmp_path):
    texts = spoken("Hi.", "Good day."), spoken("Hi.", "What?")
    row = {"prompt": "Write a dialogue.", "chosen": texts[0], "rejected": texts[1]}
    assert one(tmp_path, row) == ("Write a dialogue.", *texts)


def test_odd_pairs_are_told(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    rows = [
        {"prompt": ASKED, **PAIR},
        {"prompt": ASKED, "chosen": WORSE, "rejected": BETTER},
        {"prompt": "Why?", "chosen": "Why? So.", "rejected": "Why? No."},
    ]
    assert len(read(tmp_path, *rows)) == 3
    assert "pairs.jsonl: 1 pairs are labelled both ways" in caplog.text
    assert "both answers of 1 pairs begin with their prompt" in caplog.text
