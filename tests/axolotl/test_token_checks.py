"""What a tokenizer or its chat template would make a training learn wrongly, found before it."""

from copy import deepcopy

import pytest

from ste_plugin.axolotl.token_checks import check_tokens, checked_template
from ste_plugin.errors import DataError
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest
from tests.helpers.chat_templates import FAMILIES, family_tokenizer
from tests.helpers.manifests import written
from tests.helpers.tiny_model import TEMPLATE, tiny_tokenizer

RLS = [None, "dpo", "ipo", "kto", "grpo"]
BOS_IS_NOT_ASKED = {"gpt-oss", "Phi-3.5", "Phi-4", "Granite", "Granite, `thinking: true`"}
"""Templates that do not write the BOS that their tokenizer has."""
TURNS_END_OTHERWISE = {"Gemma 3": "<end_of_turn>", "Phi-3.5": "<|end|>"}
"""Family whose turns do not end by the EOS of their tokenizer → by what they do."""
NOT_ASKED = r"train-\w+.jsonl:1: the prompt that would be trained on is not the one that is asked"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return read_manifest(written(tmp_path_factory.mktemp("rows"), form="brief"))


def of_family(manifest, name: str) -> DatasetManifest:
    """The same rows, of a judge whose template is given what this family's is."""
    given = {"kwargs": dict(FAMILIES[name].kwargs), "thinking": None}
    return DatasetManifest(manifest.path, manifest.content | {"chat_template": given})


def edited(folder, change):
    """A data set whose first judgment is changed."""

    def edit(name, rows):
        if name == "sft-train":
            rows[0]["messages"][-1]["content"] = change(rows[0]["messages"][-1]["content"])
        return rows

    return read_manifest(written(folder, form="brief", edit=edit))


def with_bos_added(tokenizer, bos: str = "<|bos|>"):
    """A tokenizer that puts a BOS before every text, which its template does not write."""
    from tokenizers.processors import TemplateProcessing

    tokenizer.add_special_tokens({"bos_token": bos})
    first = (bos, tokenizer.convert_tokens_to_ids(bos))
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[first]
    )
    return tokenizer


def with_eos(tokenizer, eos: str):
    own = deepcopy(tokenizer)
    own.add_special_tokens({"eos_token": eos})
    return own


def with_template(template: str):
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize("rl", RLS)
@pytest.mark.parametrize("name", FAMILIES)
def test_rows_of_every_family_pass(manifest, name, rl):
    tokenizer = family_tokenizer(name)
    if rl == "grpo" and (end := TURNS_END_OTHERWISE.get(name)):
        tokenizer = with_eos(tokenizer, end)
    check_tokens(of_family(manifest, name), rl, tokenizer, 2048)


@pytest.mark.parametrize(("name", "end"), TURNS_END_OTHERWISE.items())
def test_rewards_are_not_for_judgments_that_would_all_count_as_cut_off(manifest, name, end):
    told = rf"found '{family_tokenizer(name).eos_token}'; .*special_tokens: {{eos_token: '{end}'}}"
    with pytest.raises(DataError, match=told.replace("|", r"\|")):
        check_tokens(of_family(manifest, name), "grpo", family_tokenizer(name), 2048)


@pytest.mark.parametrize("rl", ["orpo", "simpo"])
@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - BOS_IS_NOT_ASKED))
def test_rows_of_families_whose_template_writes_the_bos_pass_where_trl_would_add_it(
    manifest, name, rl
):
    check_tokens(of_family(manifest, name), rl, family_tokenizer(name), 2048)


@pytest.mark.parametrize("rl", ["orpo", "simpo"])
@pytest.mark.parametrize("name", sorted(BOS_IS_NOT_ASKED))
def test_a_bos_that_trl_adds_and_nobody_asks_with_is_refused(manifest, name, rl):
    with pytest.raises(DataError, match=NOT_ASKED):
        check_tokens(of_family(manifest, name), rl, family_tokenizer(name), 2048)


@pytest.mark.parametrize("rl", ["dpo", "kto", "grpo", "orpo"])
def test_a_bos_that_the_tokenizer_adds_and_the_template_does_not_write_is_refused(manifest, rl):
    tokenizer = with_bos_added(tiny_tokenizer())
    assert check_tokens(manifest, None, tokenizer, 256) is None  # supervised rows get none
    with pytest.raises(DataError, match=NOT_ASKED):
        check_tokens(manifest, rl, tokenizer, 256)


@pytest.mark.parametrize("rl", [None, "dpo", "kto"])
def test_two_bos_are_refused(manifest, rl):
    twice = deepcopy(family_tokenizer("Llama 3"))
    twice.chat_template = "{{ bos_token }}" + twice.chat_template
    with pytest.raises(DataError, match="starts with two BOS tokens"):
        check_tokens(manifest, rl, twice, 256)


def test_a_row_that_does_not_fit_is_named_with_its_length(manifest):
    with pytest.raises(
        DataError, match=r"sft-train-\w+.jsonl:1: \d+ tokens, more than sequence_len 20"
    ):
        check_tokens(manifest, None, tiny_tokenizer(), 20)


def test_a_template_that_writes_the_prompt_differently_once_a_reply_follows_is_refused(manifest):
    asks = TEMPLATE.replace("assistant\n{% endif", "assistant\n# Reply\n{% endif")
    with pytest.raises(DataError, match="does not put a reply right behind the prompt"):
        check_tokens(manifest, "dpo", with_template(asks), 256)


def test_a_thought_that_never_ends_is_no_judgment(tmp_path):
    rows = edited(tmp_path, lambda judgment: f"<think>Hm. {judgment}")
    with pytest.raises(DataError, match=r"sft-train-\w+.jsonl:1: a judgment whose thought never"):
        check_tokens(rows, None, tiny_tokenizer(), 256)


def test_a_thought_is_learnt_whole_whatever_marks_the_template_has(tmp_path):
    rows = edited(tmp_path, lambda judgment: f"<think>\nA?\n</think><think>B?</think>{judgment}")
    for name in FAMILIES:
        check_tokens(of_family(rows, name), None, family_tokenizer(name), 2048)


def test_a_judgment_may_speak_of_the_marks_of_thoughts(tmp_path):
    rows = edited(tmp_path, lambda judgment: f"B lacks its `</think>`. {judgment}")
    for name in ("R1 distils", "Qwen3", "gpt-oss"):
        check_tokens(of_family(rows, name), None, family_tokenizer(name), 2048)


def test_a_turn_that_ends_by_no_token_is_refused_with_the_cure(manifest):
    tokenizer = with_template(TEMPLATE.replace("<|im_end|>", "<|end_of_turn|>"))
    with pytest.raises(DataError, match=r"no token of its own.*eos_token: '<\|end_of_turn\|>'"):
        check_tokens(manifest, None, tokenizer, 256)
    tokenizer.add_special_tokens({"eos_token": "<|end_of_turn|>"})
    check_tokens(manifest, None, tokenizer, 256)


def test_a_template_that_shows_no_turn_of_users_is_refused_where_the_row_is(manifest):
    tokenizer = with_template(TEMPLATE.replace("message['content']", "message['content'] | upper"))
    with pytest.raises(DataError, match="leaves out or rewrites"):
        check_tokens(manifest, None, tokenizer, 256)


def test_a_tokenizer_without_a_chat_template_is_told_what_to_set(manifest):
    with pytest.raises(DataError, match="no chat template.*Set chat_template: chatml"):
        checked_template(with_template(None), manifest)


def test_a_judge_whose_tokenizer_would_be_saved_with_another_template_is_refused(manifest):
    tokenizer = tiny_tokenizer()
    save = tokenizer.save_pretrained

    def forgetful(folder):
        tokenizer.chat_template = TEMPLATE.replace("<|im_start|>", "<|im_start|> ")
        save(folder)
        tokenizer.chat_template = TEMPLATE

    assert check_tokens(manifest, None, tokenizer, 256) is None
    tokenizer.save_pretrained = forgetful
    with pytest.raises(DataError, match="once saved, asks with"):
        check_tokens(manifest, None, tokenizer, 256)
