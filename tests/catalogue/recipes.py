"""Recipes: axolotl configs by name or path."""

from catalogue.row import Row, hooks, run_with

OWN = "{recipe: mine.yaml}"
GENERATE = "ste generate ste.yaml"

ROWS = [
    Row(
        "a recipe that is nearly right",
        run_with(training="{recipe: sft-lora-9b}"),
        GENERATE,
        2,
        "training.recipe: no file and no recipe 'sft-lora-9b'. Did you mean 'sft-lora-8b'? There "
        "are: demo-smollm2-cpu-lora, dpo-full-70b, dpo-full-8b, dpo-lora-70b, dpo-lora-8b, "
        "grpo-lora-8b, kto-lora-8b, sft-full-70b, sft-full-8b, sft-lora-70b, sft-lora-8b, "
        "sft-qlora-8b (`ste recipes list`).",
        apart=True,
    ),
    Row(
        "a recipe's file that is not there",
        run_with(training=OWN),
        GENERATE,
        2,
        "training.recipe: no file and no recipe 'mine.yaml'. There are: demo-smollm2-cpu-lora, "
        "dpo-full-70b, dpo-full-8b, dpo-lora-70b, dpo-lora-8b, grpo-lora-8b, kto-lora-8b, "
        "sft-full-70b, sft-full-8b, sft-lora-70b, sft-lora-8b, sft-qlora-8b (`ste recipes list`).",
    ),
    Row(
        "a recipe that is no YAML",
        run_with(training=OWN) | {"mine.yaml": "base_model: [\n"},
        GENERATE,
        2,
        "{tmp}/mine.yaml: not YAML that can be used: line 2, column 1: the file ends too soon; a "
        "bracket or quote is open. Mend it there.",
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
        " demo-smollm2-cpu-lora, dpo-full-70b, dpo-full-8b, dpo-lora-70b, dpo-lora-8b, "
        "grpo-lora-8b, kto-lora-8b, sft-full-70b, sft-full-8b, sft-lora-70b, sft-lora-8b, "
        "sft-qlora-8b (`ste recipes list`).",
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
