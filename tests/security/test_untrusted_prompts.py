"""Nothing that strangers write gets out of its place in a prompt: not as text, and not as
tokens."""

import os
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AddedToken, AutoTokenizer

from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.instructions.selection.labels import label_prompt, retry_prompt
from ste_plugin.judging import neutralise
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.choosing import render_choice, render_rating
from ste_plugin.judging.rating import plain_text
from ste_plugin.lm_eval_tasks.backend_checks import render
from ste_plugin.pairs.strategies import STRATEGIES
from ste_plugin.records import ORDERS, Instruction
from ste_plugin.text.sanitize import has_control_tokens, sanitize_for_model, special_token_pattern
from tests.helpers.special_tokens import FAMILIES, NOT_MARKS, TOKENS, disguised
from tests.helpers.untrusted_texts import texts

COUNT = int(os.environ.get("STE_FUZZ", "500"))
"""Hostile answers a format."""
ALL_TOKENS = "".join(TOKENS)
LLAMA_3 = (
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = "<s>{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"
GEMMA = (
    "<bos>{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TEMPLATES = {"Llama 3 and 4": LLAMA_3, "Llama 2, Mistral": MISTRAL, "Gemma": GEMMA}

OURS = (
    "[Instruction]\n",
    "[Answer A]\n",
    "[Answer B]\n",
    "[Answer C]\n",
    "[Answer D]\n",
    "[Answer]\n",
)
KNOWN = [t for t in TOKENS if t not in NOT_MARKS]


def folded(text: str) -> str:
    """How the text looks to a hasty reader: full width made narrow, the unseen left out."""
    narrow = (chr(ord(c) - 0xFEE0) if 0xFF01 <= ord(c) <= 0xFF5E else c for c in text)
    return "".join(c for c in narrow if c not in "\u200b\u2060\u00ad\ufeff\ufe0f\x00")


def marks_in(text: str) -> dict[str, int]:
    """How often everything stands in a prompt that could speak for us, the judge or the
    template."""
    seen = folded(text)
    wanted = [*OURS, *(f"[[{c}]]" for c in "ABCD"), *KNOWN]
    return {mark: n for mark in wanted if (n := seen.count(mark))}


@pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
def test_a_prompt_has_our_marks_where_we_put_them_and_nowhere_else(form):
    plain = marks_in(form.render("Name a fruit.", "An apple.", "A pear.")[0].content)
    drawn = texts(11, 3 * COUNT)
    for question, one, other in zip(drawn, drawn, drawn, strict=True):
        shown = [form.render_pair(question, one, other, order)[0].content for order in ORDERS]
        assert [marks_in(s) for s in shown] == [plain, plain], (question, one, other)
        if form.pointwise:
            rated = [s.split("\n\n[Answer]\n")[1] for s in shown]
            assert rated == [plain_text(one), plain_text(other)]
            continue
        if form.only_choices:  # what is asked follows the answers
            shown = [s.rpartition("\n\nQuestion: ")[0] for s in shown]
        first, second = (s.split("\n\n[Answer A]\n")[1].split("\n\n[Answer B]\n") for s in shown)
        assert first == second[::-1] == [neutralise(one.strip()), neutralise(other.strip())]


def test_four_answers_and_one_answer_are_shown_as_safely():
    choice = marks_in(render_choice("Q?", ["a", "b", "c", "d"])[0].content)
    rating = marks_in(render_rating("Q?", "a")[0].content)
    for text in texts(12, COUNT):
        (chosen,), (rated,) = render_choice(text, [text] * 4), render_rating(text, text)
        assert marks_in(chosen.content) == choice, text
        assert marks_in(rated.content) == rating, text
        assert folded(rated.content).count("[[10]]") == 0


def test_an_instruction_cannot_leave_the_question_about_its_labels():
    plain = marks_in(label_prompt("Name a fruit.")[0].content)
    for text in texts(13, COUNT):
        assert marks_in(label_prompt(text)[0].content) == plain, text
        again = retry_prompt(text, text)
        assert [m.role for m in again] == ["user", "assistant", "user"]
        assert not any(sanitize_for_model(m.content) != m.content for m in again), text


@pytest.mark.parametrize("token", TOKENS)
def test_a_special_token_of_a_known_family_is_made_plain_however_it_is_disguised(token):
    ways = disguised(token)
    if token in NOT_MARKS:
        pytest.skip("a plain word in brackets: only its own tokenizer knows it")
    for way in ways:
        assert sanitize_for_model(f"so {way}.") != f"so {way}.", way
        assert token not in sanitize_for_model(f"so {way}.")


@pytest.mark.parametrize(
    "text",
    [
        "if a < b and c > d or x << 2 >> 1: y[0] = m[i][j]",
        "m = [[1, 2], [3, 4]]; n = [[]]; t[[0, 1]]",
        "<b>bold</b> <a href='x'>link</a> <ul><li>one</li></ul> <div id=a>",
        "vector<int> v; map<string, vector<T>> m; std::cout << x << y;",
        "a || b | c |> d <| e; |x| < |y|",
        "[link](http://example.org) [1] [x] [TODO] [ ] - [x] done",
        "List<String> <T extends Comparable<T>> Option<&str> <stdio.h>",
        "Grüße, «guillemets», 日本語【注】は〈山〉、これは[1]です。 العربية",
        "zero\u200bwidth, soft\u00adhyphen, e\u0301, 👩\u200d👩\u200d👧 stay",
        "if arr[middle] == target: return registry[tool_name](**call)",
        "df[mask] += x[pad] + x[prefix] + f[inst](sys.argv[args]); std::cin >>value<< 1;",
        "out[[i]] <- x[[i]]; m[[a]]",  # R
        "impl<S> Layer<S> for Logger<S> where S: Service<Mask>",
        "scores[answer] += len(steps[instruction]); return [answer]",
        "curl -H 'Authorization: <YOUR_TOKEN>'; <Tools>, <Filename>",
    ],
)
def test_ordinary_text_code_and_markup_are_shown_as_they_are(text):
    assert neutralise(text) == text


NAMES = st.from_regex("[a-z]+(_[a-z]+)?", fullmatch=True) | st.sampled_from(
    [name for token in TOKENS if (name := token.strip("[]").lower()).isalpha()]
)
"""What code calls its variables; names of upper-case tokens among them."""
TYPES = st.from_regex("[A-Z][a-z]*", fullmatch=True)


@given(NAMES, NAMES, TYPES)
def test_code_that_indexes_by_a_name_or_has_types_for_parameters_is_shown_as_it_is(
    one, other, kind
):
    code = f"{one} = {other}[{one}]; x[[{one}]] <- [{other}]; Option<{kind}> f<{kind}>({one})"
    assert neutralise(code) == code
    assert not has_control_tokens(code)


@pytest.mark.parametrize(
    "label",
    [
        *("[answer]", "[instruction]", "x\n [/answer]\ny", "is [answer b] so"),
        *("[answer]\r\n", "x\r\n[answer]\r\ny", "x\r[answer] \ry", "x\u2028[answer]\u2028y"),
    ],
)
def test_a_label_in_lower_case_counts_where_no_code_has_one(label):
    assert neutralise(label) == label.translate(str.maketrans("[]", "()"))


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from([*TOKENS, "[[", "]]", "A", "<", ">", "|", "[", "]", "\u200b"]), max_size=8
    )
)
def test_neutralising_is_done_once_and_only_rounds_brackets(parts):
    text = "".join(parts)
    plain = neutralise(text)
    assert neutralise(plain) == plain
    assert len(plain) == len(text)
    assert all(
        a == b or (a, b) in {("<", "("), (">", ")"), ("[", "("), ("]", ")")} or ord(a) > 127
        for a, b in zip(text, plain, strict=True)
    )


@pytest.mark.parametrize(
    "text", ["<|im_end|>", "x</s>", "[INST]", "＜｜User｜＞", "\u200b<bo\u200bs>"]
)
def test_a_judgment_with_a_control_token_is_no_training_example(text):
    assert has_control_tokens(text)
    assert not has_control_tokens(f"<think>{sanitize_for_model(text)}</think> [[A]]")


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from([*TOKENS, "<think>", "</think>", "so ", "[[", "A", "]]", "<", ">", "\0"])
    )
)
def test_a_control_token_is_found_in_plain_letters_as_among_others(parts):
    text = "".join(parts)
    assert has_control_tokens(text) == has_control_tokens(f"{text} \u00e9")


@cache
def family_tokenizer(model: str, family: str):
    """The tiny model's tokenizer with the special tokens of a family, and its template where we
    have it."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    if family in TEMPLATES:
        tokenizer.chat_template = TEMPLATES[family]
    tokens = [AddedToken(t, special=True, normalized=False) for t in FAMILIES[family]]
    tokenizer.add_special_tokens({"additional_special_tokens": tokens})
    return tokenizer


def control_ids(tokenizer, text: str) -> list[int]:
    """Every special token that a text becomes, in order."""
    special = {i for i, t in tokenizer.added_tokens_decoder.items() if t.special}
    return [i for i in tokenizer(text, add_special_tokens=False)["input_ids"] if i in special]


@pytest.mark.parametrize("family", FAMILIES)
def test_user_text_becomes_no_special_token_of_the_tokenizer_that_reads_it(tiny_model, family):
    tokenizer = family_tokenizer(str(tiny_model), family)
    plain = control_ids(
        tokenizer, ChatTemplate(tokenizer).prompt((Message("user", "Name a fruit."),))
    )
    assert plain
    for text in [ALL_TOKENS, *FAMILIES[family], *texts(14, 40)]:
        shown = ChatTemplate(tokenizer).prompt((Message("user", text),))
        assert control_ids(tokenizer, shown) == plain, text
        turns = [{"role": "user", "content": text}]
        assert control_ids(tokenizer, render(turns, Backend(tokenizer).template)) == plain, text


class Backend:
    """What lm-eval's backends show a task of themselves."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer

    def template(self, chat, add_generation_prompt: bool = True) -> str:
        return self.tokenizer.apply_chat_template(
            list(chat), tokenize=False, add_generation_prompt=add_generation_prompt
        )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
def test_a_judges_prompt_is_safe_before_any_tokenizer_is_known(tiny_model, family, form):
    """As axolotl and servers get it: they make tokens of the rows' words themselves."""
    tokenizer = family_tokenizer(str(tiny_model), family)
    known = [t for t in FAMILIES[family] if t not in NOT_MARKS]

    def ids(answer: str) -> list[int]:
        (turn,) = form.render(answer, answer, "A pear.")
        turns = [{"role": "user", "content": turn.content}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return control_ids(tokenizer, text)

    plain = ids("An apple.")
    for answer in ["".join(known), *known, *texts(15, 20)]:
        assert ids(answer.replace("[multimodal]", "")) == plain, answer


def test_the_smallest_real_judge_reads_only_its_templates_own_control_tokens():
    model = os.environ.get("STE_REAL_MODEL")
    if not model:
        pytest.skip("STE_REAL_MODEL names no folder of a chat model")
    tokenizer = AutoTokenizer.from_pretrained(model)
    (turn,) = FORMATS["criteria"].render("Q?", "a", "b")
    plain = control_ids(tokenizer, ChatTemplate(tokenizer).prompt((turn,)))
    for text in [ALL_TOKENS, *tokenizer.all_special_tokens, *texts(16, COUNT)]:
        (turn,) = FORMATS["criteria"].render(text, text, text)
        chat = [{"role": "user", "content": turn.content}]
        shown = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        assert control_ids(tokenizer, shown) == plain, text
        generator = ChatTemplate(tokenizer).prompt((Message("user", text),))
        assert len(control_ids(tokenizer, generator)) == len(plain), text


def test_a_pad_token_that_is_a_plain_mark_does_not_eat_exclamations(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.pad_token = "!"
    assert special_token_pattern(tokenizer).search("Hello! <|im_end|>")[0] == "<|im_end|>"


@pytest.mark.parametrize(
    "text",
    [
        "Modified instruction:" + "\n" * 20_000,
        "modified instruction: x\n" * 2_000,
        "modified instruction:" + " \n" * 10_000 + "answer",
    ],
)
def test_a_generator_that_repeats_itself_for_ever_is_read_at_once(text):
    strategy = STRATEGIES["modified-instruction"]
    found = strategy.worse(Instruction("i0", "Q?", "tests"), [text], {}, [])
    assert found.reason == "modified instruction not in the asked form"
