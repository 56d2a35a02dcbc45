"""What a judge is trained on, by the code of axolotl and TRL, in the templates of real models."""

from collections import defaultdict
from functools import cache
from types import SimpleNamespace

import axolotl.utils.data  # noqa: F401  before axolotl.datasets, which 0.21 cannot import first
import pytest
from axolotl.datasets import TokenizedPromptDataset
from axolotl.loaders import load_tokenizer
from axolotl.prompt_strategies import load as load_supervised
from axolotl.prompt_strategies.dpo import load as load_preferences
from axolotl.utils.data.rl import _map_dataset
from axolotl.utils.data.shared import generate_dataset_hash_from_config, merge_datasets
from axolotl.utils.dict import DictDefault
from axolotl.utils.schemas.datasets import DPODataset, KTODataset, SFTDataset
from datasets import Dataset, load_dataset
from trl.experimental.orpo import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.kto_trainer import KTOTrainer

from ste_plugin.axolotl import plugin  # noqa: F401  registers our strategies
from ste_plugin.axolotl.changes import changes
from ste_plugin.axolotl.settings import STESettings
from ste_plugin.axolotl.strategies import TRANSFORMS, TYPES, rendering, template_of
from ste_plugin.axolotl.token_checks import check_saved, trained_tokens
from ste_plugin.engines.base import ChatRequest, Message, Sampling
from ste_plugin.storage.dataset_manifest import (
    DatasetManifest,
    read_manifest,
    row_format_of_rl,
)
from ste_plugin.storage.jsonl import replace_json
from tests.helpers import ROOT
from tests.helpers.chat_templates import (
    FAMILIES,
    dated_tokenizer,
    family_tokenizer,
    on_day,
    template_text,
)
from tests.helpers.manifests import written

QUESTION = "Which answer fits?\n\n[A] An apple.\n[B] A spade. [[A]] or [[B]]?"
ASKED = [{"role": "user", "content": QUESTION}]
JUDGMENT = "A names a fruit, B a tool.\n\nFinal verdict: [[A]]"
THOUGHT = "A spade is no fruit."
THINKING = f"<think>\n{THOUGHT}\n</think>\n\n{JUDGMENT}"


def manifest_with(folder, name: str) -> DatasetManifest:
    """The manifest of a data set whose judge has this template."""
    kwargs = dict(FAMILIES[name].kwargs)
    content = {
        "files": {},
        "judge_format": {"name": "brief", "version": "1"},
        "chat_template": {"kwargs": kwargs, "thinking": None},
    }
    replace_json(folder / "manifest.json", content)
    return DatasetManifest(folder / "manifest.json", content)


def row(judgment: str) -> dict:
    """A row of every kind at once."""
    reply = {"role": "assistant", "content": judgment}
    return {"messages": ASKED, "chosen": reply, "rejected": reply, "reply": reply, "label": True}


def supervised(name: str, manifest: DatasetManifest, judgment: str) -> tuple[list, list]:
    """The tokens of a prompt and of what is learnt, as axolotl trains on them."""
    tokenizer = family_tokenizer(name)
    cfg = DictDefault({"ste": {"manifest": str(manifest.path)}, "sequence_len": 2048})
    strategy = load_supervised(TYPES["sft"], tokenizer, cfg, DictDefault({}))
    messages = [*ASKED, {"role": "assistant", "content": judgment}]
    found = strategy.tokenize_prompt({"messages": messages})
    learnt = [i for i, label in zip(found["input_ids"], found["labels"], strict=True) if label >= 0]
    prompt = found["input_ids"][: -len(learnt)]
    assert found["labels"] == [-100] * len(prompt) + learnt
    assert set(found["attention_mask"]) == {1}
    return prompt, learnt


def preferred(name: str, manifest: DatasetManifest, judgment: str, rl: str) -> tuple[list, list]:
    """The tokens of a prompt and of what is learnt, as TRL trains on them."""
    tokenizer = family_tokenizer(name)
    cfg = DictDefault({"ste": {"manifest": str(manifest.path)}})
    transform, _ = load_preferences(TYPES[row_format_of_rl(rl)], cfg, dataset_idx=0)
    texts = transform(row(judgment), tokenizer=tokenizer)
    if rl == "orpo":
        trainer = SimpleNamespace(
            processing_class=tokenizer, is_encoder_decoder=False, max_length=4096
        )
        trainer.build_tokenized_answer = ORPOTrainer.build_tokenized_answer.__get__(trainer)
        found = ORPOTrainer.tokenize_row(trainer, texts)
        learnt = [i for i in found["chosen_labels"] if i >= 0]
        return found["chosen_input_ids"][: -len(learnt)], learnt
    trl, learnt = {"dpo": (DPOTrainer, "chosen_ids"), "kto": (KTOTrainer, "completion_ids")}[rl]
    args = SimpleNamespace(
        dataset_num_proc=None, max_length=None, per_device_train_batch_size=1, truncation_mode=None
    )
    trainer = SimpleNamespace(_tokenizer=tokenizer, calculate_KL=False)
    (found,) = trl._prepare_dataset(trainer, Dataset.from_list([texts]), tokenizer, args, "train")
    return found["prompt_ids"], found[learnt]


def trained(folder, name: str, rl: str | None, judgment: str) -> tuple[list, list]:
    manifest = manifest_with(folder, name)
    if rl is None:
        return supervised(name, manifest, judgment)
    return preferred(name, manifest, judgment, rl)


@cache
def asked(name: str) -> tuple[int, ...]:
    """The tokens of the prompt, as transformers makes them of the template."""
    prompt = family_tokenizer(name).apply_chat_template(
        ASKED, add_generation_prompt=True, **dict(FAMILIES[name].kwargs)
    )
    return tuple(prompt["input_ids"])


@pytest.mark.parametrize("judgment", [JUDGMENT, THINKING], ids=["plain", "thinking"])
@pytest.mark.parametrize("rl", [None, "dpo", "kto"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_judge_is_trained_on_the_prompt_that_it_is_asked(tmp_path, name, rl, judgment):
    prompt, _ = trained(tmp_path, name, rl, judgment)
    assert prompt == list(asked(name))
    template = template_of(family_tokenizer(name), manifest_with(tmp_path, name))
    request = ChatRequest("m", (Message("user", QUESTION),), Sampling())
    assert prompt == template.encode(template.text_of(request))


@pytest.mark.parametrize("judgment", [JUDGMENT, THINKING], ids=["plain", "thinking"])
@pytest.mark.parametrize("rl", [None, "dpo", "kto"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_whole_judgment_and_the_end_of_the_turn_are_learnt(tmp_path, name, rl, judgment):
    tokenizer = family_tokenizer(name)
    _, learnt = trained(tmp_path, name, rl, judgment)
    text, eos = tokenizer.decode(learnt), tokenizer.eos_token
    turn_end = {"Gemma 3": "<end_of_turn>", "Phi-3.5": "<|end|>\n<|endoftext|>"}.get(name, eos)
    assert text.removesuffix(eos).endswith(JUDGMENT + turn_end.removesuffix(eos))
    assert text.endswith((turn_end, turn_end + eos))
    template = template_of(tokenizer, manifest_with(tmp_path, name))
    assert (THOUGHT in text) == (judgment == THINKING and not template.ends_thinking)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_letter_is_asked_for_behind_the_tokens_that_it_is_learnt_behind(tmp_path, name):
    template = template_of(family_tokenizer(name), manifest_with(tmp_path, name))
    prompt, learnt = trained(tmp_path, name, None, "[[A]]")
    opening = template.encode(template.answer_prompt((Message("user", QUESTION),), "[["))
    assert (prompt + learnt)[: len(opening)] == opening


@pytest.mark.parametrize("rl", ["dpo", "kto", "orpo"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_check_of_preference_rows_sees_the_very_tokens_that_trl_makes(tmp_path, name, rl):
    manifest = manifest_with(tmp_path, name)
    template = template_of(family_tokenizer(name), manifest)
    found = {
        (tuple(t.prompt), tuple(t.learnt)) for t in trained_tokens(template, row(THINKING), rl)
    }
    prompt, learnt = preferred(name, manifest, THINKING, rl)
    assert found == {(tuple(prompt), tuple(learnt))}


def cell(text: str) -> str:
    """A text as a cell of a table in Markdown shows it."""
    shown = text.replace("\n", "\\n").replace("|", "\\|")
    return f"`{shown}`"


def ending(name: str) -> str:
    """What a template writes behind the last turn of a prompt."""
    return family_tokenizer(name).decode(asked(name)).rpartition("[[B]]?")[2]


def table_line(folder, name: str) -> str:
    """What the page of templates says of one: decoded from what axolotl trains on."""
    tokenizer, manifest = family_tokenizer(name), manifest_with(folder, name)
    said = "It is [[A]]"
    learnt = [
        tokenizer.decode(supervised(name, manifest, judgment)[1])
        for judgment in (said, f"<think>\nHm.\n</think>\n\n{said}")
    ]
    return f"| {' | '.join([name, *map(cell, [ending(name), *learnt])])} |"


def test_the_page_of_templates_shows_what_every_familys_rows_become(tmp_path):
    page = (ROOT / "docs/reference/chat-templates.md").read_text()
    head = "| Template | The prompt ends with | `drop`, or no thought: learnt | `keep`: learnt |"
    lines = [head, "| --- | --- | --- | --- |", *(table_line(tmp_path, n) for n in FAMILIES)]
    assert "\n".join(lines) in page


@pytest.mark.parametrize(("name", "masked"), [("Gemma 3", "<end_of_turn>"), ("Phi-3.5", "<|end|>")])
def test_axolotls_own_type_masks_a_turns_end_that_is_not_the_eos_and_ours_does_not(
    tmp_path, name, masked
):
    tokenizer = family_tokenizer(name)
    theirs = load_supervised(
        "chat_template",
        tokenizer,
        DictDefault({"sequence_len": 2048, "chat_template": "tokenizer_default"}),
        DictDefault({"type": "chat_template", "roles_to_train": ["assistant"]}),
    )
    messages = [*ASKED, {"role": "assistant", "content": JUDGMENT}]
    labels = theirs.tokenize_prompt({"messages": messages})["labels"]
    token = tokenizer.convert_tokens_to_ids(masked)
    assert token not in labels
    assert token in supervised(name, manifest_with(tmp_path, name), JUDGMENT)[1]


# --- what axolotl and TRL do around our rows ---


@pytest.mark.parametrize("name", FAMILIES)
def test_grpo_asks_with_the_prompt_that_every_engine_asks_with(tmp_path, name):
    manifest, tokenizer = manifest_with(tmp_path, name), family_tokenizer(name)
    cfg = DictDefault({"ste": {"manifest": str(manifest.path)}})
    transform, options = load_preferences(TYPES["grpo"], cfg, dataset_idx=0)
    rows = Dataset.from_list([{"prompt": ASKED, "pair": "p", "better_is": "A"}])
    assert options["remove_columns"] == "__all__"
    (found,) = _map_dataset(cfg, rows, transform, tokenizer, remove_columns=rows.column_names)
    assert {"pair": "p", "better_is": "A"}.items() < found.items()
    trainer = SimpleNamespace(processing_class=tokenizer, tools=None, _is_vlm=False)
    (ids,), _, _ = GRPOTrainer._tokenize_prompts(trainer, [found["prompt"]])
    assert ids == list(asked(name))


@pytest.mark.parametrize("rl", ["dpo", "kto", "grpo"])
def test_what_axolotl_writes_into_the_options_of_one_data_set_does_not_reach_the_next(tmp_path, rl):
    manifest = manifest_with(tmp_path, "ChatML")
    cfg = DictDefault({"ste": {"manifest": str(manifest.path)}})
    _, options = load_preferences(TYPES[rl], cfg, dataset_idx=0)
    options["remove_columns"] = ["pair"]
    assert load_preferences(TYPES[rl], cfg, dataset_idx=1)[1]["remove_columns"] == "__all__"


@pytest.mark.parametrize("schema", [SFTDataset, DPODataset, KTODataset])
def test_rows_prepared_under_other_arguments_of_the_template_are_prepared_again(schema):
    def prepared(kwargs: dict) -> str:
        given = {"chat_template": {"kwargs": kwargs}}
        manifest = DatasetManifest(None, given)
        data = {"path": "rows.jsonl", "type": "t", "revision": rendering(manifest)}
        kept = DictDefault(schema(**data).model_dump(exclude_none=True))
        return generate_dataset_hash_from_config(DictDefault({}), [kept], "tokenizer")

    assert len({prepared(k) for k in ({}, {"thinking": False}, {"thinking": True})}) == 3
    assert prepared({}) == prepared({})


@pytest.mark.parametrize("rows", ["sft", "dpo"])
def test_rows_are_made_anew_on_another_day_as_a_template_may_put_in_its_date(
    tmp_path, monkeypatch, rows
):
    """`datasets` keeps what it has mapped, and finds it by the attributes of what maps."""
    manifest, tokenizer = read_manifest(written(tmp_path)), dated_tokenizer()
    file = str(manifest.file(f"{rows}-train"))

    def made() -> list:
        cfg = DictDefault({"ste": {"manifest": str(manifest.path)}, "sequence_len": 2048})
        data = load_dataset("json", data_files=file, split="train", cache_dir=str(tmp_path / "c"))
        if rows == "sft":
            strategy = load_supervised(TYPES["sft"], tokenizer, cfg, DictDefault({}))
            found = TokenizedPromptDataset(strategy, data)["input_ids"][:]
            return [tokenizer.decode(ids) for ids in found]
        transform, _ = load_preferences(TYPES["dpo"], cfg)
        return _map_dataset(cfg, data, transform, tokenizer)["prompt"][:]

    for day in (1, 2):
        on_day(monkeypatch, day)
        assert all(f"2031-05-0{day}" in text for text in made())


@pytest.mark.parametrize("processes", [None, 2])
def test_rows_are_tokenized_alike_in_one_process_and_in_several(tmp_path, processes):
    name = "Qwen3"
    manifest = manifest_with(tmp_path, name)
    cfg = DictDefault({"ste": {"manifest": str(manifest.path)}, "sequence_len": 2048})
    strategy = load_supervised(TYPES["sft"], family_tokenizer(name), cfg, DictDefault({}))
    messages = [*ASKED, {"role": "assistant", "content": JUDGMENT}]
    rows = Dataset.from_list([{"messages": messages, "pair": "p"}] * 4)
    found = TokenizedPromptDataset(strategy, rows, process_count=processes)
    prompt, learnt = supervised(name, manifest, JUDGMENT)
    assert found.column_names == ["input_ids", "attention_mask", "labels"]
    assert found["input_ids"][:] == [prompt + learnt] * 4


def test_the_template_that_a_config_sets_is_trained_on_and_saved(tmp_path, tiny_model):
    cfg = DictDefault(
        {"base_model": str(tiny_model), "tokenizer_config": str(tiny_model)}
        | {"chat_template": "jinja", "chat_template_jinja": template_text(FAMILIES["Qwen3"])}
    )
    tokenizer, manifest = load_tokenizer(cfg), manifest_with(tmp_path, "Qwen3")
    template = template_of(tokenizer, manifest)
    assert template.target(JUDGMENT) == f"<think>\n\n</think>\n\n{JUDGMENT}<|im_end|>"
    assert check_saved(template, manifest) is None


def test_prompts_are_learnt_too_where_the_config_says_so(tmp_path):
    manifest = manifest_with(tmp_path, "ChatML")
    cfg = {"ste": {"manifest": str(manifest.path)}, "train_on_inputs": True}
    strategy = load_supervised(
        TYPES["sft"], family_tokenizer("ChatML"), DictDefault(cfg), DictDefault({})
    )
    messages = [*ASKED, {"role": "assistant", "content": JUDGMENT}]
    found = strategy.tokenize_prompt({"messages": messages})
    assert found["labels"] == found["input_ids"]


def test_kto_holds_judgments_of_other_prompts_against_the_seed(tmp_path):
    """The mean of these rows is its KL term; of the same prompt they are what is learnt itself."""
    manifest, tokenizer = read_manifest(written(tmp_path)), family_tokenizer("Llama 3.1")
    cfg = DictDefault({"rl": "kto", "seed": 0, "micro_batch_size": 2})
    cfg |= changes(cfg, STESettings(manifest=manifest.path), manifest)
    prompts = [[{"role": "user", "content": f"{QUESTION} ({n})"}] for n in range(40)]
    texts = [
        TRANSFORMS["kto"].texts(
            row(f"{JUDGMENT} {n}, {label}") | {"messages": turns, "label": label},
            template_of(tokenizer, manifest),
        )
        for n, turns in enumerate(prompts)
        for label in (True, False)
    ]
    args = SimpleNamespace(
        dataset_num_proc=None, max_length=None, per_device_train_batch_size=2, truncation_mode=None
    )
    trainer = SimpleNamespace(
        _tokenizer=tokenizer, calculate_KL=True, desirable_weight=1.0, undesirable_weight=1.0
    )
    rows = merge_datasets([Dataset.from_list(texts)], cfg)
    found = KTOTrainer._prepare_dataset(trainer, rows, tokenizer, args, "train")
    own = defaultdict(list)
    for each in found:
        own[tuple(each["prompt_ids"])].append(each["completion_ids"])
    matched = sum(each["KL_completion_ids"] in own[tuple(each["prompt_ids"])] for each in found)
    assert len(own) == 40
    assert matched < len(found) / 10
