"""Measuring the judge while it trains: asked where it was trained, read as it is read elsewhere."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from ste_plugin.axolotl.held_out import (
    Answer,
    HeldOutPrompt,
    figures,
    in_batches,
    judged_pairs,
    likelier_choice,
    read_held_out,
    read_judgment,
    share_of,
    stop_ids,
    written_verdict,
)
from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.verdict import parse_verdict
from ste_plugin.records import ORDERS
from ste_plugin.storage.dataset_manifest import read_manifest
from tests.helpers.chat_templates import FAMILIES, family_tokenizer
from tests.helpers.manifests import written
from tests.helpers.tiny_model import save_tiny_model

PROMPT = HeldOutPrompt(
    "p", "s", "i", "A", (Message("user", "[[A]] or [[B]]?"),), "Final verdict: [["
)


class Scripted(torch.nn.Module):
    """A model that prefers one token everywhere, writes what it is told to, and keeps its input."""

    def __init__(self, vocabulary: int, preferred: int = 0, written: list[int] | None = None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.logits = torch.zeros(vocabulary)
        self.logits[preferred] = 1.0
        self.written = written or []
        self.generation_config = SimpleNamespace(eos_token_id=None)

    def forward(self, input_ids=None, attention_mask=None, use_cache=None):
        self.read = input_ids
        return SimpleNamespace(logits=self.logits.expand(*input_ids.shape, -1))

    def generate(self, input_ids, **options):
        self.read, self.options = input_ids, options
        return torch.cat([input_ids, torch.tensor([self.written] * len(input_ids))], dim=1)


def template_of(name: str) -> ChatTemplate:
    return ChatTemplate(family_tokenizer(name), dict(FAMILIES[name].kwargs))


def said(judge, rows) -> list:
    """What a judge says to prompts, without how sure it is."""
    return [answer.said for answer in judge(rows)]


def judged(name: str, text: str):
    """The verdict of a judgment that was written, special tokens in it being such."""
    template = template_of(name)
    ids = template.encode(text)
    ends = stop_ids(Scripted(1), template)
    return read_judgment(template, ids, ends, parse_verdict)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("letter", ["A", "B"])
def test_the_likelier_letter_is_read_behind_the_words_that_a_trained_judgment_has(name, letter):
    template = template_of(name)
    (token,) = template.encode(letter)
    model = Scripted(len(template.tokenizer), preferred=token)
    assert said(likelier_choice(model, template, FORMATS["brief"]), [PROMPT]) == [letter]
    asked, learnt = template.training_ids(PROMPT.messages, f"{PROMPT.opening}{letter}]]")
    assert model.read[0].tolist() == (asked + learnt)[: model.read.shape[1]]
    assert (asked + learnt)[model.read.shape[1]] == token


RATED = [
    replace(PROMPT, pair=pair, gold=gold, opening="Final rating: [[")
    for pair in ("p", "q")
    for gold in ("A", "B")
]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_expected_score_of_each_answer_is_read_and_the_higher_one_is_better(name):
    template = template_of(name)
    model = Scripted(len(template.tokenizer))
    for score, likelihood in (("9", 8.0), ("3", 7.0)):
        model.logits[template.encode(score)[0]] = likelihood
    (expected,) = said(likelier_choice(model, template, FORMATS["rating"]), RATED[:1])
    assert 6 < expected < 7.5
    rated = [Answer(score) for score in (7.5, 7.25, 2.0, 4.5)]
    found = figures(judged_pairs(RATED, rated, FORMATS["rating"]))
    assert found == {"judge_acc": 0.5, "judge_acc_pc": 0.5, "judge_invalid_rate": 0.0}


def test_letters_that_are_as_likely_are_no_verdict_on_a_held_out_pair():
    template = template_of("ChatML")
    model = Scripted(len(template.tokenizer), preferred=template.encode("C")[0])
    assert likelier_choice(model, template, FORMATS["brief"])([PROMPT]) == [Answer(None, 0.0)]


def test_probabilities_are_scored_and_verdicts_that_turn_with_the_order_are_counted():
    rows = [replace(PROMPT, pair=pair, gold=gold) for pair in "pqr" for gold in "AB"]
    odds = [2.0, -2.0, 1.0, 3.0, -1.0, 1.0]  # p right twice, q says A twice, r wrong twice
    answers = [Answer("A" if each > 0 else "B", each) for each in odds]
    found = figures(judged_pairs(rows, answers, FORMATS["verdict"]))
    right = [1 / (1 + math.exp(-m)) for m in (2, 2, 1, -3, -1, -1)]
    assert found["judge_flip_rate"] == pytest.approx(1 / 3)
    assert found["judge_brier"] == pytest.approx(sum((1 - p) ** 2 for p in right) / 6)
    # bins of width 0.05 in confidence: three at 0.731, of which one is right
    gaps = [2 * (1 - right[0]), abs(3 * right[2] - 1), 1 - right[3]]
    assert found["judge_ece"] == pytest.approx(sum(gaps) / 6)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_judge_writes_behind_the_prompt_that_it_was_trained_on_until_its_turn_ends(name):
    template = template_of(name)
    asked, learnt = template.training_ids(PROMPT.messages, "B is a tool. [[A]]")
    model = Scripted(1, written=learnt)
    assert written_verdict(model, template, parse_verdict, 99)([PROMPT]) == [Answer("A")]
    assert model.read[0].tolist() == asked
    assert set(template.turn_end_ids) <= set(model.options["eos_token_id"])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ChatML", "It is [[A]]"),
        ("Qwen3", "<think>\nIt is [[A]], but"),
        ("Qwen3", "<think>\nIt is [[A]], but<|im_end|>"),
        ("R1 distils", "It is [[A]], but<｜end▁of▁sentence｜>"),
        ("Magistral", "[THINK]It is [[A]]</s>"),
        ("gpt-oss", "<|channel|>analysis<|message|>It is [[A]]<|return|>"),
    ],
)
def test_a_judgment_that_is_cut_off_or_never_ends_its_thought_has_no_verdict(name, written):
    assert judged(name, written) is None


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ChatML", "It is [[B]]<|im_end|><|pad|><|pad|>"),
        ("Qwen3", "<think>\n[[A]]?\n</think>\n\n[[B]]<|im_end|>"),
        ("R1 distils", "[[A]]?\n</think>\n\n[[B]]<｜end▁of▁sentence｜>"),
        ("Magistral", "[THINK][[A]]?[/THINK][[B]]</s>"),
        ("Gemma 3", "It is [[B]]<end_of_turn>\n[[A]]"),
        (
            "gpt-oss",
            "<|channel|>analysis<|message|>[[A]]?<|end|><|start|>assistant"
            "<|channel|>final<|message|>[[B]]<|return|>",
        ),
    ],
)
def test_the_verdict_is_what_is_said_behind_the_thought(name, written):
    assert judged(name, written) == "B"


def test_every_stop_token_of_the_model_ends_a_judgment():
    template = template_of("ChatML")
    model = Scripted(1)
    model.generation_config.eos_token_id = [7, 8]
    assert stop_ids(model, template) == sorted({7, 8, *template.turn_end_ids})


@given(st.lists(st.integers(1, 900), max_size=30), st.integers(1, 8), st.integers(1, 2000))
def test_prompts_that_are_judged_at_once_are_as_few_as_their_tokens_ask_for(lengths, most, room):
    rows = [replace(PROMPT, pair=str(n)) for n in range(len(lengths))]
    batches = list(in_batches(rows, most, room, lambda row: lengths[int(row.pair)]))
    assert sorted(i for batch in batches for i in batch) == list(range(len(rows)))
    for batch in batches:
        padded = len(batch) * max(lengths[i] for i in batch)
        assert len(batch) == 1 or (len(batch) <= most and padded <= room)
        one_more = padded + max(lengths[i] for i in batch)
        assert len(batch) == most or one_more > room or batch is batches[-1]


@given(st.integers(1, 40), st.integers(1, 9))
def test_all_processes_do_as_many_of_the_batches_and_each_is_done(batches, world):
    shares = [share_of(batches, rank, world) for rank in range(world)]
    assert {len(share) for share in shares} == {-(-batches // world)}
    assert {i for share in shares for i in share} == set(range(batches))


# --- trained ---


def prompts(letters: str) -> list[HeldOutPrompt]:
    """Prompts that name both letters, the right one last."""
    other = {"A": "B", "B": "A"}
    return [
        HeldOutPrompt(str(n), "s", "i", gold, (Message("user", f"{other[gold]} {gold}"),), "[[")
        for n, gold in enumerate(letters)
    ]


def trained_on(template: ChatTemplate, rows: list[HeldOutPrompt], folder, steps: int = 150):
    """A tiny model after some steps on the tokens that axolotl trains on."""
    model = AutoModelForCausalLM.from_pretrained(save_tiny_model(folder))
    model.resize_token_embeddings(len(template.tokenizer), mean_resizing=False)
    ids = [template.training_ids(row.messages, f"[[{row.gold}]]") for row in rows]
    batch = [torch.tensor(prompt + learnt) for prompt, learnt in ids]
    labels = [torch.tensor([-100] * len(prompt) + learnt) for prompt, learnt in ids]
    (inputs, targets) = (torch.stack(batch), torch.stack(labels))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    for _ in range(steps):
        model(input_ids=inputs, labels=targets).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ChatML", "Qwen3", "R1 distils"])
def test_a_judge_that_learnt_its_rows_is_right_in_both_orders_under_every_template(tmp_path, name):
    template = template_of(name)
    model = trained_on(template, prompts("AB"), tmp_path)
    with torch.no_grad():
        judge = likelier_choice(model, template, FORMATS["brief"])
        assert said(judge, prompts("AB")) == ["A", "B"]


def two_by_two_backwards(name: str, rows: list) -> list:
    """The same pairs in the other order, as other sources would give them."""
    pairs = [rows[at : at + len(ORDERS)] for at in range(0, len(rows), len(ORDERS))]
    return [row for pair in reversed(pairs) for row in pair] if name == "judge-dev" else rows


def test_the_pairs_that_decide_are_drawn_from_all_sources_and_stay_the_same(tmp_path):
    forth = read_manifest(written(tmp_path / "forth", train=1, dev=40))
    back = read_manifest(written(tmp_path / "back", train=1, dev=40, edit=two_by_two_backwards))
    drawn = read_held_out(forth, 10)
    assert [p.gold for p in drawn] == [*ORDERS] * 10
    assert all(one.pair == other.pair for one, other in zip(drawn[::2], drawn[1::2], strict=True))
    assert {p.pair for p in drawn} == {p.pair for p in read_held_out(back, 10)}
    everyone = [p.pair for p in read_held_out(forth, 40)[::2]]
    assert everyone == [f"dev-p{n}" for n in range(40)]
    assert {p.pair for p in drawn} & {*everyone[20:]}  # those of later sources, too
