"""Recipes: axolotl configs by name or path."""

from typing import Any

import yaml

from tests.bad_input.catalogue.row import Row, hooks, run_with
from tests.helpers.axolotl_runs import LORA, ON_A_CPU

REWARD = "ste_plugin.axolotl.rewards.judge_reward"
OWN = "{recipe: mine.yaml}"
GENERATE = "ste generate ste.yaml"

ROWS = [
    Row(
        "a recipe that is nearly right",
        run_with(training="{recipe: sft-lora-9b}"),
        GENERATE,
        2,
        "training.recipe: no file and no recipe 'sft-lora-9b'. Did you mean 'sft-lora-8b'? There "
        "are: decision-lora-8b, decision-smollm2-cpu-lora, demo-smollm2-cpu-lora, dpo-full-70b, "
        "dpo-full-8b, dpo-lora-70b, dpo-lora-8b, "
        "dpo-smollm2-cpu-lora, grpo-lora-8b, grpo-smollm2-cpu-lora, kto-lora-8b, sft-full-70b, "
        "sft-full-8b, sft-lora-70b, sft-lora-8b, sft-lora-gpt-oss-20b, sft-qlora-8b (`ste recipes "
        "list`).",
        apart=True,
    ),
    Row(
        "a recipe's file that is not there",
        run_with(training=OWN),
        GENERATE,
        2,
        "training.recipe: no file and no recipe 'mine.yaml'. There are: decision-lora-8b, "
        "decision-smollm2-cpu-lora, demo-smollm2-cpu-lora, "
        "dpo-full-70b, dpo-full-8b, dpo-lora-70b, dpo-lora-8b, dpo-smollm2-cpu-lora, "
        "grpo-lora-8b, grpo-smollm2-cpu-lora, kto-lora-8b, sft-full-70b, sft-full-8b, "
        "sft-lora-70b, sft-lora-8b, sft-lora-gpt-oss-20b, sft-qlora-8b (`ste recipes list`).",
    ),
    Row(
        "a recipe that is no YAML",
        run_with(training=OWN) | {"mine.yaml": "base_model: [\n"},
        GENERATE,
        2,
        "{tmp}/mine.yaml: not YAML that can be used: line 2, column 1: the file ends too soon; a "
        "bracket or quote is open. Fix it there.",
    ),
    Row(
        "a recipe that is a list",
        run_with(training=OWN) | {"mine.yaml": "- base_model\n"},
        GENERATE,
        2,
        "{tmp}/mine.yaml: expected settings (key: value), found a list. Give the path of an "
        "axolotl config, or a name (`ste recipes list`).",
    ),
    Row(
        "a recipe whose block for us has a key that is nearly right",
        run_with(training=OWN) | {"mine.yaml": "ste: {selct_best: judge_acc}\n"},
        "ste run ste.yaml",
        2,
        "{tmp}/mine.yaml: ste: 1 setting(s) to fix:\n  selct_best: unknown key; did you mean "
        "'select_best'?",
    ),
    Row(
        "a recipe that resumes from a checkpoint",
        run_with(training=OWN)
        | {"mine.yaml": "resume_from_checkpoint: out/checkpoint-9\nreward_model: true\n"},
        "ste run ste.yaml",
        2,
        "{tmp}/mine.yaml: axolotl would not train this recipe as written:\n  "
        "resume_from_checkpoint: out/checkpoint-9: the run chooses the model, another one in each "
        "iteration, and this would go into them all. Remove the key; the model to start from is "
        "judge.model in the run's config.\n  reward_model: trains a head that scores answers, not "
        "a judge that writes a verdict. Remove the key, or train without our plugin.",
    ),
    Row(
        "a recipe that gives the chat template something else than the judge is given",
        run_with(training=OWN) | {"mine.yaml": "chat_template_kwargs: {enable_thinking: true}\n"},
        "ste run ste.yaml",
        2,
        "{tmp}/mine.yaml: axolotl would not train this recipe as written:\n  "
        "chat_template_kwargs: found {'enable_thinking': True}, but this data set's judge is "
        "asked with {}. Remove the key here, or generate the data set with "
        "judge.chat_template_kwargs: {'enable_thinking': True}.",
    ),
    Row(
        "a recipe for a training without rows",
        run_with(training=OWN) | {"mine.yaml": "rl: ppo\n"},
        GENERATE,
        2,
        "{tmp}/mine.yaml: rl: ppo needs rows that are not made here. Leave `rl` out to train on "
        "judgments, or use one of dpo, ipo, orpo, simpo, kto, grpo.",
    ),
    Row(
        "a recipe whose rows are not made",
        run_with(training="{recipe: dpo-lora-8b}", dataset="{formats: [sft]}"),
        GENERATE,
        2,
        "dataset.formats: found sft, but the recipe dpo-lora-8b trains on dpo rows. Add dpo, or "
        "choose another training.recipe.",
    ),
    Row(
        "a recipe whose plugins are no list",
        run_with(training=OWN) | {"mine.yaml": "plugins: ste_plugin.axolotl.STEPlugin\n"},
        GENERATE,
        2,
        "{tmp}/mine.yaml: plugins: found 'ste_plugin.axolotl.STEPlugin'; expected a list ([a, "
        "b]). Correct it there.",
    ),
    Row(
        "training before there is anything to train on",
        run_with(),
        "ste train ste.yaml",
        3,
        "{tmp}/run/iter-01/dataset/manifest.json: no data set there. Run `ste generate` first.",
    ),
    Row(
        "a recipe shown that there is not",
        {},
        "ste recipes show dpo-lora-9b",
        2,
        "ste recipes: no file and no recipe 'dpo-lora-9b'. Did you mean 'dpo-lora-8b'? There are:"
        " decision-lora-8b, decision-smollm2-cpu-lora, demo-smollm2-cpu-lora, dpo-full-70b, "
        "dpo-full-8b, dpo-lora-70b, dpo-lora-8b, "
        "dpo-smollm2-cpu-lora, grpo-lora-8b, grpo-smollm2-cpu-lora, kto-lora-8b, sft-full-70b, "
        "sft-full-8b, sft-lora-70b, sft-lora-8b, sft-lora-gpt-oss-20b, sft-qlora-8b (`ste recipes "
        "list`).",
    ),
    Row(
        "a recipe copied over a file",
        {"mine.yaml": "mine: true\n"},
        "ste recipes copy sft-lora-8b mine.yaml",
        2,
        "mine.yaml: exists already; give another name.",
    ),
    Row(
        "two recipes of one name",
        {"a/sft-lora-8b.yaml": ""}
        | hooks("def ste_recipe_dirs(): return __import__('pathlib').Path('a')"),
        "ste recipes list --plugin hooks.py",
        2,
        "Two recipes are called 'sft-lora-8b': {recipes}/sft-lora-8b.yaml and a/sft-lora-8b.yaml."
        " Rename one of them, or give the path of the one you mean.",
    ),
    Row(
        "a recipe with DeepSpeed settings that are gone",
        {"mine.yaml": "deepspeed: zero9.json\n"},
        "ste recipes fit mine.yaml --model 8B --gpus 8x80",
        2,
        "mine.yaml: deepspeed: zero9.json cannot be read (No such file or directory). Start `ste`"
        " where axolotl would be started, or write the settings into the recipe.",
    ),
]


def refused(name: str, file: str, message: str, **settings: Any) -> Row:
    """A recipe that axolotl, or our plugin in it, refuses; all of these share one start of
    axolotl."""
    recipe = ON_A_CPU | LORA | {"base_model": "some/model"} | settings
    command = f"ste recipes validate {file}"
    said = f"{file}: axolotl would not train this recipe as written:\n  {message}"
    return Row(name, {file: yaml.safe_dump(recipe)}, command, 5, said)


REFUSED = [
    refused(
        "a key that axolotl would ignore",
        "typo.yaml",
        "ste refuses: learning_rte: axolotl has no such key and would ignore it; did you mean "
        "'learning_rate'?",
        learning_rte=0.1,
    ),
    refused(
        "a number of axolotl's in words",
        "words.yaml",
        "axolotl refuses: learning_rate: {host}",
        learning_rate="fast",
    ),
    refused(
        "a key of ours that is nearly right",
        "ours.yaml",
        "ste refuses: ste: 1 setting(s) to fix:\n  select_bets: unknown key; did you mean "
        "'select_best'?",
        ste={"select_bets": "judge_acc"},
    ),
    refused(
        "a setting of ours out of range",
        "range.yaml",
        "ste refuses: ste: 1 setting(s) to fix:\n  judge_pairs: found 0; expected 1 or more",
        ste={"judge_pairs": 0},
    ),
    refused(
        "a way to mix data that there is not",
        "mix.yaml",
        "ste refuses: ste: 1 setting(s) to fix:\n  datasets: found 'add'; expected 'replace', "
        "'append' or 'off'",
        ste={"datasets": "add"},
    ),
    refused(
        "packing beside preferences",
        "packed.yaml",
        "ste refuses: sample_packing: not with rl: dpo. Set it to false.\n  axolotl refuses: "
        "{host}",
        rl="dpo",
        sample_packing=True,
    ),
    refused(
        "a batch that holds one order of a pair",
        "orders.yaml",
        "ste refuses: gradient_accumulation_steps: a batch of 12 judgments holds 3 prompts of 4 "
        "judgments (trl.num_generations); expected a multiple of 2 x 4, or the two orders of a "
        "pair come apart, and the reward for both is never given. Write "
        "gradient_accumulation_steps: 2 (with micro_batch_size: 4).",
        rl="grpo",
        trl={"num_generations": 4, "reward_funcs": [REWARD]},
        gradient_accumulation_steps=3,
    ),
    refused(
        "weights for other losses",
        "losses.yaml",
        "ste refuses: dpo_loss_weights: 1 weights for 2 loss type(s). Give one each.",
        rl="dpo",
        dpo_loss_type=["sigmoid", "sft"],
        dpo_loss_weights=[1.0],
    ),
    refused(
        "a key that TRL has no more",
        "gone.yaml",
        "ste refuses: rpo_alpha: gone from TRL. Write dpo_loss_type: [sigmoid, sft] and "
        "dpo_loss_weights: [1.0, 1.0].\n  axolotl refuses: {host}",
        rl="dpo",
        rpo_alpha=1.0,
    ),
    refused(
        "SimPO without its margin",
        "simpo.yaml",
        "ste refuses: simpo_gamma: missing, and TRL has no default for "
        "it. Write simpo_gamma: 0.5 or what you want.",
        rl="simpo",
    ),
    refused(
        "KTO whose label would be removed",
        "kto.yaml",
        "ste refuses: remove_unused_columns: found True, but KTO reads the column `label`, which "
        "would be "
        "removed. Remove the key, or set remove_unused_columns: false.",
        rl="kto",
        remove_unused_columns=True,
    ),
    refused(
        "a plugin that cannot be imported",
        "plugin.yaml",
        "ste refuses: plugins: nowhere.Plugin cannot be imported{host}",
        plugins=["nowhere.Plugin"],
    ),
    refused(
        "a training without rows",
        "ppo.yaml",
        "ste refuses: rl: gdpo needs rows that are not made here. Leave `rl` out to train on "
        "judgments, or use "
        "one of dpo, ipo, orpo, simpo, kto, grpo.",
        rl="gdpo",
    ),
]
