"""Every shape in which preferences are published becomes the pairs that it says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.labelled import LabelledPair, Reading, read_labelled
from ste_plugin.labelled.pair import ONE_TIE, ONE_VOTE
from tests.helpers.labelled_rows import (
    ASKED,
    BETTER,
    ONE_TURN,
    SEVERAL_TURNS,
    TALK_IN_WORDS,
    WORSE,
    Rows,
    reply,
    spoken,
    user,
)
from tests.helpers.source_files import write_csv, write_jsonl, write_parquet_by_datasets

DROP = Reading(bad_rows="drop")


def read(folder: Path, rows: Sequence[dict[str, Any]], **how: Any) -> list[LabelledPair]:
    write_jsonl(folder / "pairs.jsonl", list(rows))
    return list(read_labelled(folder / "pairs.jsonl", Reading(**how)))


def refusal(folder: Path, *rows: dict[str, Any], **how: Any) -> str:
    with pytest.raises(DataError) as found:
        read(folder, rows, **how)
    return str(found.value).replace(f"{folder}/", "")


def texts(pair: LabelledPair) -> tuple[str, str, str]:
    return pair.prompt, pair.chosen, pair.rejected


@pytest.mark.parametrize("shape", ONE_TURN)
def test_a_published_shape_is_told_by_its_columns(tmp_path, shape):
    (pair,) = read(tmp_path, ONE_TURN[shape])
    assert texts(pair) == (ASKED, BETTER, WORSE)
    assert pair.votes == ONE_VOTE and pair.preferred
    assert pair.id and pair.subset


@pytest.mark.parametrize("shape", SEVERAL_TURNS)
def test_several_turns_are_shown_as_turns_alike_in_every_shape(tmp_path, shape):
    (pair,) = read(tmp_path, SEVERAL_TURNS[shape])
    assert texts(pair) == (TALK_IN_WORDS, BETTER, WORSE)


@pytest.mark.parametrize("shape", ONE_TURN)
def test_parquet_and_csv_hold_the_same_pairs(tmp_path, shape):
    rows = ONE_TURN[shape]
    expected = read(tmp_path, rows)
    write_parquet_by_datasets(tmp_path / "a.parquet", rows)
    assert list(read_labelled(tmp_path / "a.parquet")) == expected
    flat = [{k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()} for row in rows]
    write_csv(tmp_path / "a.csv", flat)
    assert list(read_labelled(tmp_path / "a.csv")) == expected


def test_ids_are_of_the_texts_alone_so_that_neither_name_nor_place_changes_them(tmp_path):
    rows = [{"prompt": f"{n}?", "chosen": BETTER, "rejected": WORSE} for n in range(3)]
    before = {pair.prompt: pair.id for pair in read(tmp_path, rows)}
    (tmp_path / "pairs.jsonl").rename(tmp_path / "b.jsonl")
    after = {pair.prompt: pair.id for pair in read(tmp_path, [*reversed(rows)])}
    assert before == after and len(set(before.values())) == 3
    assert {pair.subset for pair in read(tmp_path, rows)} == {"all"}


def test_the_subset_is_the_files_own_or_helpsteers_domain(tmp_path):
    (pair,) = read(tmp_path, ONE_TURN["helpsteer3"])
    assert pair.subset == "general"
    (pair,) = read(tmp_path, ONE_TURN["tulu-3"], columns={"subset": "source"})
    assert (pair.id, pair.subset) == ("p", "made")


def test_who_wrote_each_answer_is_kept_with_it_and_not_judged(tmp_path):
    whose = {
        shape: pair.models
        for shape, rows in ONE_TURN.items()
        for pair in read(tmp_path, rows)
        if any(pair.models)
    }
    assert whose == {
        "tulu-3": ("x", "y"),
        "chatbot-arena": ("y", "x"),
        "arena-human-preference-55k": ("y", "x"),
        "nectar": ("x", "y"),
        "ultrafeedback": ("m", "m"),
        "ppe-human-preference": ("x", "y"),
    }
    (pair,) = read(tmp_path, ONE_TURN["tulu-3"])
    assert "models" not in pair.to_doc()


def test_conversations_that_part_early_are_judged_from_there_on(tmp_path):
    row = {
        "winner": "model_b",
        "conversation_a": [user(ASKED), reply(WORSE), user("Sure?"), reply("Yes.")],
        "conversation_b": [user(ASKED), reply(BETTER), user("Sure?"), reply("Yes.")],
    }
    (pair,) = read(tmp_path, [row])
    assert texts(pair) == (
        ASKED,
        f"Assistant: {BETTER}\n\nUser: Sure?\n\nAssistant: Yes.",
        f"Assistant: {WORSE}\n\nUser: Sure?\n\nAssistant: Yes.",
    )


def test_a_system_turn_is_shown_unless_it_asks_for_nothing(tmp_path):
    for said, prompt in (
        ("You are a helpful assistant.", ASKED),
        ("Answer in French.", f"System: Answer in French.\n\nUser: {ASKED}"),
    ):
        turns = [{"role": "system", "content": said}, user(ASKED)]
        (pair,) = read(
            tmp_path, [{"chosen": [*turns, reply(BETTER)], "rejected": [*turns, reply(WORSE)]}]
        )
        assert texts(pair) == (prompt, BETTER, WORSE)


def test_a_column_of_the_system_counts_where_it_is_named(tmp_path):
    row = {"system": "Be brief.", "question": ASKED, "chosen": BETTER, "rejected": WORSE}
    (pair,) = read(tmp_path, [row], columns={"prompt": "question", "system": "system"})
    assert pair.prompt == f"System: Be brief.\n\nUser: {ASKED}"


def test_an_answer_in_words_that_look_like_a_dialogue_is_left_as_it_is(tmp_path):
    play = spoken("To be?", "Or not.").strip()
    (pair,) = read(tmp_path, [{"prompt": ASKED, "chosen": play, "rejected": WORSE}])
    assert pair.chosen == play


def test_a_prompt_that_only_quotes_a_dialogue_is_left_as_it_is(tmp_path):
    prompt = f"{spoken('To be?', 'Or not.').strip()}\n\nWho wrote this?"
    (pair,) = read(tmp_path, [{"prompt": prompt, "chosen": BETTER, "rejected": WORSE}])
    assert pair.prompt == prompt


def test_an_object_that_was_asked_for_is_no_turn(tmp_path):
    said = '{"role": "admin", "content": "all"}'
    (pair,) = read(tmp_path, [{"prompt": ASKED, "chosen": said, "rejected": WORSE}])
    assert pair.chosen == said


def test_an_answer_given_twice_in_a_list_makes_no_pair_with_itself(tmp_path, caplog):
    answers = [{"answer": a, "rank": n} for n, a in enumerate(("a", "a", "b"))]
    pairs = read(tmp_path, [{"prompt": ASKED, "answers": answers}], lists="all")
    assert {p.chosen + p.rejected for p in pairs} == {"ab"}
    assert "1 answers of the same text, 1 the same pair as a row before" in caplog.text


ARENA = {
    "conversation_a": [user(ASKED), reply(BETTER)],
    "conversation_b": [user(ASKED), reply("A fig.")],
}


@pytest.mark.parametrize("winner", ["tie", "tie (bothbad)", "both_bad"])
def test_a_tie_of_an_arena_is_a_vote_for_neither_and_told(tmp_path, caplog, winner):
    pairs = read(tmp_path, [ARENA | {"winner": winner}, *ONE_TURN["chatbot-arena"]])
    assert [pair.votes for pair in pairs] == [ONE_TIE, ONE_VOTE]
    assert [pair.preferred for pair in pairs] == [False, True]
    assert "1 of 2 pairs are ties" in caplog.text


def test_a_preference_of_zero_is_a_tie(tmp_path):
    (row,) = ONE_TURN["helpsteer3"]
    (pair,) = read(tmp_path, [row | {"overall_preference": 0}])
    assert pair.votes == ONE_TIE


RANKED = {
    "prompt": ASKED,
    "answers": [
        {"answer": text, "rank": rank} for text, rank in (("a", 1), ("b", 2), ("c", 2), ("d", 3))
    ],
}


def test_of_a_list_the_best_is_paired_with_the_worst_or_all_with_all(tmp_path, caplog):
    best = read(tmp_path, [RANKED])
    assert [(p.chosen, p.rejected) for p in best] == [("a", "d")]
    every = read(tmp_path, [RANKED], lists="all")
    assert [p.chosen + p.rejected for p in every] == ["ab", "ac", "ad", "bd", "cd"]
    assert "5 pairs read (left out: 1 equal ranks or scores)" in caplog.text
    named = read(tmp_path, [RANKED | {"id": "q"}], lists="all")
    assert [p.id for p in named] == ["q/0-1", "q/0-2", "q/0-3", "q/1-3", "q/2-3"]


@given(ranks=st.lists(st.integers(1, 4), min_size=2, max_size=6))
def test_no_pair_of_a_list_contradicts_its_ranks(tmp_path_factory, ranks):
    folder = tmp_path_factory.mktemp("lists")
    answers = [{"answer": f"{n}", "rank": rank} for n, rank in enumerate(ranks)]
    tail = {"prompt": "?", "answers": [{"answer": "x", "rank": 1}, {"answer": "y", "rank": 2}]}
    row = {"prompt": ASKED, "answers": answers}
    found = [p for p in read(folder, [row, tail], lists="all") if p.prompt == ASKED]
    assert all(ranks[int(p.chosen)] < ranks[int(p.rejected)] for p in found)
    equal = sum(ranks[i] == ranks[j] for i in range(len(ranks)) for j in range(i))
    assert len(found) + equal == len(ranks) * (len(ranks) - 1) / 2
    best = [p for p in read(folder, [row, tail]) if p.prompt == ASKED]
    assert len(best) == (len(set(ranks)) > 1)
    assert all(ranks[int(p.chosen)] == min(ranks) for p in best)


def test_what_says_nothing_is_left_out_and_counted_once(tmp_path, caplog):
    equal = ONE_TURN["ultrafeedback-binarized"][0] | {"score_rejected": 8.0}
    again = ONE_TURN["skywork"][0]
    assert len(read(tmp_path, [equal, again, again, equal])) == 1
    assert caplog.text.count("left out") == 1
    assert "1 pairs read (left out: 2 equal scores, 1 the same pair as a row before)" in caplog.text


def test_of_equally_helpful_rows_nothing_is_made(tmp_path, caplog):
    first, second = ONE_TURN["helpsteer2"]
    rows = [first, second | {"helpfulness": 1}, *({**r, "prompt": "Why?"} for r in (first, second))]
    assert [pair.prompt for pair in read(tmp_path, rows)] == ["Why?"]
    assert "1 equal ranks or scores" in caplog.text


GOOD = {"question": ASKED, "good": BETTER, "bad": WORSE}
MAPPED = {"prompt": "question", "chosen": "good", "rejected": "bad"}


def test_columns_of_any_name_are_mapped(tmp_path):
    (pair,) = read(tmp_path, [GOOD], columns=MAPPED)
    assert texts(pair) == (ASKED, BETTER, WORSE)


def test_what_a_list_calls_its_answers_and_ranks_is_mapped_as_well(tmp_path):
    row = {"q": ASKED, "outs": [{"said": WORSE, "place": 2}, {"said": BETTER, "place": 1}]}
    columns = {"prompt": "q", "answers": "outs", "answer": "said", "rank": "place"}
    (pair,) = read(tmp_path, [row], columns=columns)
    assert texts(pair) == (ASKED, BETTER, WORSE)


@pytest.mark.parametrize("mapped_first", [True, False])
def test_a_mapped_key_of_an_answer_goes_before_the_key_whose_name_it_takes(tmp_path, mapped_first):
    items = [
        {"said": WORSE, "answer": "raw", "place": 2, "rank": 1},
        {"said": BETTER, "answer": "raw 2", "place": 1, "rank": 2},
    ]
    if not mapped_first:
        items = [dict(reversed(item.items())) for item in items]
    columns = {"prompt": "q", "answer": "said", "rank": "place"}
    (pair,) = read(tmp_path, [{"q": ASKED, "answers": items}], columns=columns)
    assert texts(pair) == (ASKED, BETTER, WORSE)


def test_of_a_row_that_fits_two_shapes_the_one_that_is_named_counts(tmp_path):
    row = ONE_TURN["skywork"][0] | ONE_TURN["helpsteer3"][0]
    told = refusal(tmp_path, row)
    assert "pairs.jsonl:1: found the columns of 2 shapes: 'chosen', 'rejected' (chosen and" in told
    (pair,) = read(tmp_path, [row], columns={"chosen": "chosen", "rejected": "rejected"})
    assert texts(pair) == (ASKED, BETTER, WORSE)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"prompt": "queston"}, "no column 'queston', which columns says is its 'prompt'; found"),
        ({"prompt": "queston"}, "Did you mean 'question'? Correct columns"),
    ],
)
def test_a_column_that_the_file_lacks_is_named_with_the_nearest(tmp_path, columns, told):
    assert told in refusal(tmp_path, GOOD, columns=MAPPED | columns)


def test_a_column_that_no_shape_has_is_a_mistake_in_the_config(tmp_path):
    with pytest.raises(ConfigError, match="no shape has a column 'choosen'. Did you mean 'chosen'"):
        read(tmp_path, [GOOD], columns={"choosen": "good"})
    with pytest.raises(ConfigError, match="'chosen' and 'rejected' are both said to be 'good'"):
        read(tmp_path, [GOOD], columns={"chosen": "good", "rejected": "good"})


def changed(shape: str, **columns: Any) -> Rows:
    first, *others = ONE_TURN[shape]
    return [{k: v for k, v in (first | columns).items() if v is not ...}, *others]


TWO_SCORES = [{"answer": "a", "rank": 1, "score": 2}, {"answer": "b", "rank": 2, "score": 5}]
BAD: list[tuple[str, Rows, str]] = [
    (
        "a score against chosen and rejected",
        changed("ultrafeedback-binarized", score_rejected=9),
        "1: 'score_chosen' is 8 and 'score_rejected' is 9, but 'chosen' is said to be better.",
    ),
    (
        "a score against a label",
        [
            {"prompt": ASKED, "response_a": BETTER, "response_b": WORSE, "label": "B"}
            | {"score_a": 4, "score_b": 1}
        ],
        "1: 'score_a' is 4 and 'score_b' is 1, but 'response_b' is said to be better.",
    ),
    (
        "a score against a rank",
        [{"prompt": ASKED, "answers": TWO_SCORES}],
        "1: 'answers[0]' has the better rank (1 against 2) and the lower score (2 against 5) than",
    ),
    (
        "a prompt that ends with the assistant",
        changed("helpsteer3", context=[user(ASKED), reply("Which?")]),
        "1: 'context' ends with the assistant's turn, where a reply is to follow; expected the",
    ),
    (
        "a conversation that ends with the user",
        changed("skywork", chosen=[user(ASKED), reply(BETTER), user("Thanks")]),
        "1: 'chosen' ends with a turn of the user, where the assistant's reply is judged;",
    ),
    (
        "the same answer twice",
        changed("skywork", chosen=[user(ASKED), reply(WORSE)]),
        "1: 'chosen' and 'rejected' are the same text, so no verdict on the pair can be right.",
    ),
    (
        "no answer at all",
        changed("own", chosen=None, rejected=None),
        "1: 'chosen' and 'rejected' are both empty. Fill in what is missing or remove the row.",
    ),
    (
        "no winner",
        changed("chatbot-arena", winner=None),
        "1: nobody said which response is better: 'winner' is missing or empty. Fill it in (a tie",
    ),
    (
        "no winner's column",
        changed("ppe-human-preference", winner=...),
        "1: nobody said which response is better: 'winner' is missing or empty.",
    ),
    (
        "a winner that is none",
        changed("chatbot-arena", winner="model_c"),
        "1: 'winner' is str 'model_c'; expected 'A' or 'B' or 'tie' or",
    ),
    (
        "a preference out of range",
        changed("helpsteer3", overall_preference=5),
        "1: 'overall_preference' is float '5.0'; expected a preference from -3 to 3.",
    ),
    (
        "two winners",
        changed("arena-human-preference-55k", winner_model_a=1),
        "1: found winner_model_a 1, winner_model_b 1, winner_tie 0; expected 1 for one of them",
    ),
    (
        "a turn that is null",
        changed("arena-human-preference-55k", response_a="[null]"),
        "1: 'response_a' is list '[None]'; expected a list of texts, none of them null or empty.",
    ),
    (
        "fewer replies than prompts",
        changed("arena-human-preference-55k", prompt='["a", "b"]'),
        "1: 2 prompts and 1 and 1 responses; expected as many of each",
    ),
    (
        "an image",
        changed("chatbot-arena", conversation_a=[user(ASKED), reply([{"type": "image"}])]),  # type: ignore[arg-type]
        "1: 'conversation_a' is no conversation: found a turn of 'assistant' with list",
    ),
    (
        "a speaker that is none",
        changed("skywork", chosen=[user(ASKED), {"role": "robot", "content": "Hi"}]),
        "1: 'chosen' is no conversation: found a turn of 'robot'; expected user, assistant,",
    ),
    (
        "answers to different prompts",
        changed("skywork", chosen=[user("Why?"), reply(BETTER)]),
        "1: 'chosen' and 'rejected' do not begin with the same turn of the user",
    ),
    (
        "a text beside a conversation",
        changed("skywork", chosen=BETTER),
        "1: one of 'chosen' and 'rejected' is a conversation and the other is not;",
    ),
    (
        "a prompt in one answer alone",
        changed("skywork", rejected=[reply(WORSE)]),
        "1: one of 'chosen' and 'rejected' begins with the prompt and the other with a reply;",
    ),
    (
        "a list of one",
        changed("nectar", answers=[{"answer": "a", "rank": 1}]),
        "1: 'answers' has 1 responses; expected two at least. Remove it.",
    ),
    (
        "a list without ranks",
        changed("nectar", answers=[{"answer": "a"}, {"answer": "b"}]),
        "1: 'answers[0]' has no rank and no score; found 'answer'. Say which it is by columns:",
    ),
    (
        "a list of objects without texts",
        changed("nectar", answers=[{"said": "a", "rank": 1}, {"said": "b", "rank": 2}]),
        "1: 'answers[0]' has no text; found 'said', 'rank', expected one of answer, response,",
    ),
    (
        "texts without ratings",
        changed("texts with ratings", ratings=None),
        "1: found nothing that says how good each of 'generations' is; expected one of ranks,",
    ),
    (
        "fewer ratings than texts",
        changed("texts with ratings", ratings=[1]),
        "1: 'generations' has 2 responses and 'ratings' 1 numbers; expected as many.",
    ),
    (
        "a rank that is no number",
        changed("nectar", answers=[{"answer": "a", "rank": "first"}, {"answer": "b", "rank": 2}]),
        "1: 'answers[0].rank' is str 'first'; expected a number.",
    ),
    (
        "columns of another name",
        [GOOD],
        "1: no column 'chosen', 'rejected'; found 'question', 'good', 'bad'. Say what they are "
        "called (ste eval --columns chosen=…,rejected=…; STE_JUDGE_COLUMNS the same; in a config "
        "chosen: … under columns), or add them.",
    ),
    (
        "another prompt in the row after",
        [*ONE_TURN["helpsteer2"][:1], ONE_TURN["helpsteer2"][1] | {"prompt": "Why?"}],
        "1: the row after it is not of the same prompt; expected rows two by two,",
    ),
    (
        "mixed shapes",
        [*ONE_TURN["skywork"], *ONE_TURN["helpsteer3"]],
        "2: found 'response1', 'response2' (HelpSteer3), where the rows before it have 'chosen', "
        "'rejected' (chosen and rejected). Put the rows of one shape into a file of their own.",
    ),
]


@pytest.mark.parametrize(("rows", "told"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_rows_are_refused_with_place_and_cure_or_dropped_and_counted(
    tmp_path, caplog, rows, told
):
    assert f"pairs.jsonl:{told}" in refusal(tmp_path, *rows)
    if len(rows) == 1:
        pairs = read(tmp_path, [*rows, *ONE_TURN["own"]], bad_rows="drop")
        assert [texts(pair) for pair in pairs] == [(ASKED, BETTER, WORSE)]
        assert (
            f"(left out: 1 bad rows, the first since {tmp_path}/pairs.jsonl:{told}" in caplog.text
        )


def test_of_rows_two_by_two_one_without_its_pair_is_dropped_alone(tmp_path):
    first, second = ONE_TURN["helpsteer2"]
    rows = [first | {"prompt": "Why?"}, first, second]
    assert [pair.prompt for pair in read(tmp_path, rows, bad_rows="drop")] == [ASKED]


def test_a_file_of_bad_rows_alone_says_why_there_is_nothing(tmp_path):
    told = refusal(tmp_path, *changed("chatbot-arena", winner="x"), bad_rows="drop")
    assert "pairs.jsonl: nothing to judge in it (left out: 1 bad rows, the first since" in told
