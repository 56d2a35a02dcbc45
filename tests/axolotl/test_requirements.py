"""What a config names and is not there is found before anything is paid for."""

import json
from pathlib import Path

import pytest

from ste_plugin.axolotl.config_checks import problems_ahead
from ste_plugin.axolotl.requirements import INSTALLED_BY, has_module, requirement_problems


def problems(_installed: tuple[str, ...] = (), **cfg) -> str:
    return "\n".join(requirement_problems(cfg, has=lambda name: name in _installed))


@pytest.mark.parametrize(
    ("cfg", "package"),
    [
        ({"deepspeed": {"zero_optimization": {"stage": 3}}}, "deepspeed"),
        ({"load_in_4bit": True}, "bitsandbytes"),
        ({"optimizer": "adamw_bnb_8bit"}, "bitsandbytes"),
        ({"optimizer": "paged_adamw_32bit"}, "bitsandbytes"),
        ({"optimizer": "OptimizerNames.adamw_torch_8bit"}, "torchao"),
        ({"optimizer": "galore_adamw_8bit_layerwise"}, "galore_torch"),
        ({"optimizer": "apollo_adamw"}, "apollo_torch"),
        ({"optimizer": "adalomo"}, "lomo_optim"),
        ({"optimizer": "schedule_free_adamw"}, "schedulefree"),
        ({"optimizer": "came_pytorch"}, "came_pytorch"),
        ({"optimizer": "stable_adamw"}, "optimi"),
        ({"plugins": ["axolotl.integrations.liger.LigerPlugin"]}, "liger_kernel"),
        (
            {"plugins": ["axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin"]},
            "cut_cross_entropy",
        ),
        ({"wandb_project": "judges"}, "wandb"),
        ({"use_mlflow": True}, "mlflow"),
        ({"use_ray": True}, "ray"),
        ({"xformers_attention": True}, "xformers"),
        ({"rl": "grpo", "trl": {"use_vllm": True}}, "vllm"),
    ],
)
def test_a_package_that_is_needed_and_not_installed_is_named_with_its_command(cfg, package):
    told = problems(**cfg)
    assert f"the package {package} is not installed beside axolotl" in told
    assert INSTALLED_BY.get(package, f"pip install {package.replace('_', '-')}") in told
    assert problems((package,), **cfg) == ""


@pytest.mark.parametrize("name", ["adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "muon"])
def test_an_optimizer_of_torch_or_axolotl_needs_no_package(name):
    assert problems(optimizer=name) == ""


@pytest.mark.parametrize("cfg", [{"flash_attention": True}, {"attn_implementation": "flash"}])
def test_flash_attention_is_from_either_of_two_packages(cfg, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert "neither flash_attn nor kernels" in problems(**cfg)
    assert problems(("kernels",), **cfg) == problems(("flash_attn",), **cfg) == ""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "its kernel is not among what was downloaded" in problems(("kernels",), **cfg)
    (tmp_path / "models--kernels-community--flash-attn2").mkdir()
    assert problems(("kernels",), **cfg) == ""


def test_a_package_is_looked_for_where_it_would_be_imported():
    assert has_module("json")
    assert not has_module("no_such_module")


def test_deepspeed_settings_that_lead_nowhere_say_where_they_were_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = problems(("deepspeed",), deepspeed="deepspeed_configs/zero2.json")
    assert f"zero2.json: no such file or directory, looked for in {tmp_path}" in told
    assert "axolotl fetch deepspeed_configs" in told


@pytest.mark.parametrize(("text", "told"), [("{", "no JSON ("), ("[1]", "no JSON object")])
def test_deepspeed_settings_that_are_none_are_refused(tmp_path, text, told):
    path = tmp_path / "zero.json"
    path.write_text(text)
    assert told in problems(("deepspeed",), deepspeed=str(path))
    path.write_text(json.dumps({"zero_optimization": {"stage": 2}}))
    assert problems(("deepspeed",), deepspeed=str(path)) == ""


def test_a_checkpoint_to_resume_from_has_the_trainers_state(tmp_path):
    checkpoint = tmp_path / "checkpoint-4"
    assert "no checkpoint there" in problems(resume_from_checkpoint=str(checkpoint))
    checkpoint.mkdir()
    assert "no trainer_state.json" in problems(resume_from_checkpoint=str(checkpoint))
    (checkpoint / "trainer_state.json").write_text("{}")
    assert problems(resume_from_checkpoint=str(checkpoint)) == ""


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ("base_model", "config.json"),
        ("tokenizer_config", "tokenizer_config.json"),
        ("lora_model_dir", "adapter_config.json"),
    ],
)
def test_a_folder_that_is_named_for_a_model_holds_one(tmp_path, key, file):
    assert f"{key}: {tmp_path / 'none'}: no such folder" in problems(**{key: tmp_path / "none"})
    assert f"has no {file}" in problems(**{key: tmp_path})
    (tmp_path / file).write_text("{}")
    assert problems(**{key: tmp_path}) == ""


def test_an_id_on_the_hub_is_refused_only_where_the_hub_cannot_be_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert problems(base_model="Qwen/Qwen3-8B") == ""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in problems(base_model="Qwen/Qwen3-8B")
    both = {"base_model": "Qwen/Qwen3-8B", "adapter": "lora", "lora_model_dir": "org/adapter"}
    told = problems(**both).splitlines()
    for line, key, name in zip(
        told, ("base_model", "lora_model_dir"), ("Qwen/Qwen3-8B", "org/adapter"), strict=True
    ):
        assert line.startswith(
            f"{key}: {name}: no such folder, and not among the models downloaded"
        )
        assert f"`hf download {name}`" in line
    (tmp_path / "models--Qwen--Qwen3-8B").mkdir()
    assert problems(base_model="Qwen/Qwen3-8B") == ""


@pytest.mark.parametrize("key", ["output_dir", "dataset_prepared_path"])
def test_a_folder_to_write_to_is_no_file_nor_inside_one(tmp_path, key):
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "below"):
        assert f"{key}: {path}: {file} is a file" in problems(**{key: str(path)})
    assert problems(**{key: str(tmp_path / "new/folder")}) == ""


def test_a_template_that_is_the_name_of_no_file_would_be_taken_for_the_template(tmp_path):
    told = problems(chat_template="jinja", chat_template_jinja="judge.jinja")
    assert "judge.jinja: no such file" in told
    assert problems(chat_template_jinja="{{ messages }}") == ""
    (tmp_path / "judge.jinja").touch()
    assert problems(chat_template_jinja=str(tmp_path / "judge.jinja")) == ""


def test_a_run_looks_for_all_but_what_it_chooses_itself(tmp_path):
    recipe = {
        "base_model": "STE/MODEL/HERE",
        "output_dir": __file__,
        "reward_model": True,
        "chat_template_jinja": str(tmp_path / "judge.jinja"),
    }
    told = problems_ahead(recipe, "a/served/judge")
    assert [problem.partition(":")[0] for problem in told] == [
        "reward_model",
        "chat_template_jinja",
    ]


@pytest.mark.parametrize(
    "key",
    [
        "resume_from_checkpoint",
        "lora_model_dir",
        "base_model_config",
        "tokenizer_config",
        "revision_of_model",
    ],
)
def test_a_run_whose_recipe_names_other_weights_is_refused_and_a_training_alone_is_not(
    tmp_path, key
):
    for file in ("trainer_state", "adapter_config", "config", "tokenizer_config"):
        (tmp_path / f"{file}.json").write_text("{}")
    named = {key: str(tmp_path)}
    (problem,) = problems_ahead(named, "a/judge")
    assert problem.startswith(f"{key}: {tmp_path}: the run chooses the model")
    assert "Remove the key" in problem
    assert problems_ahead({key: None}, "a/judge") == []
    assert problems(**named) == ""


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({"rl": "kto", "shuffle_merged_datasets": False}, "shuffle_merged_datasets: found False"),
        ({"rl": "kto", "curriculum_sampling": True}, "curriculum_sampling: found True"),
        ({"rl": "grpo", "shuffle_merged_datasets": True}, "shuffle_merged_datasets: found True"),
        ({"ste": {"datasets": "append"}, "val_set_size": 0.05}, "val_set_size: axolotl would"),
        ({"ste": {"datasets": "append"}, "streaming": True}, "streaming: reads rows"),
        ({"skip_prepare_dataset": True}, "skip_prepare_dataset: our rows"),
        ({"ste": {"select_best": "judge_acc"}, "eval_strategy": "no"}, "ste.select_best needs"),
        (
            {"ste": {"select_best": "judge_acc"}, "save_only_model": True, "deepspeed": {}}
            | {"fsdp_config": {"state_dict_type": "SHARDED_STATE_DICT"}},
            "save_only_model: true",
        ),
    ],
)
def test_what_keeps_rows_from_a_trainer_is_told_before_there_are_any(recipe, told):
    (problem,) = problems_ahead(recipe, "a/judge")
    assert problem.startswith(told)


@pytest.mark.parametrize(
    "recipe",
    [
        {"rl": "kto", "shuffle_merged_datasets": False, "ste": {"datasets": "off"}},
        {"rl": "kto", "shuffle_merged_datasets": True},
        {"val_set_size": 0.05},
        {"rl": "dpo", "shuffle_merged_datasets": True, "ste": {"select_best": "judge_acc"}},
    ],
)
def test_what_keeps_no_row_from_a_trainer_is_not_refused_ahead(recipe):
    assert problems_ahead(recipe, "a/judge") == []


@pytest.mark.parametrize("where", ["", "trl."])
def test_a_template_that_is_given_something_else_than_the_judge_is_told_ahead(where):
    theirs = {"chat_template_kwargs": {"enable_thinking": True}}
    recipe = {"trl": theirs} if where else theirs
    (problem,) = problems_ahead(recipe, "a/judge", None, {"enable_thinking": False})
    assert problem.startswith(f"{where}chat_template_kwargs: found {{'enable_thinking': True}}")
    assert problems_ahead(recipe, "a/judge", None, {"enable_thinking": True}) == []
    assert problems_ahead(recipe, "a/judge") == []  # where nobody knows what the judge is given
    off = recipe | {"ste": {"datasets": "off"}}
    assert problems_ahead(off, "a/judge", None, {}) == []


def test_a_run_merges_whatever_its_recipe_says_of_that():
    recipe = {"adapter": "lora", "relora": True, "ste": {"merge": False}}
    assert any(problem.startswith("relora: ") for problem in problems_ahead(recipe, "a/judge"))


def test_a_whole_model_is_not_trained_into_the_folder_of_an_adapter(tmp_path):
    assert problems(output_dir=str(tmp_path)) == ""
    (tmp_path / "adapter_config.json").write_text("{}")
    assert problems(output_dir=str(tmp_path), adapter="lora") == ""
    assert problems(output_dir=str(tmp_path)) == (
        f"output_dir: {tmp_path}: an adapter of another training lies there "
        "(adapter_config.json), and what is trained without one would be loaded with the old "
        "adapter on it. Name another folder, or remove the files adapter_* there."
    )


def test_beside_an_adapter_a_whole_model_is_loaded_with_it(tiny_model, tmp_path):
    """What is refused above is refused for this; where it is mended, nothing need be refused."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    get_peft_model(base, LoraConfig(target_modules=["q_proj"])).save_pretrained(tmp_path)
    AutoModelForCausalLM.from_pretrained(tiny_model).save_pretrained(tmp_path)
    found = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert any("lora_" in name for name, _ in found.named_parameters())


@pytest.mark.parametrize("output", ["judge", "judge/../judge/", "."])
def test_a_model_is_not_trained_into_its_own_folder(tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    base = "merged" if output == "." else "judge"
    Path(base).mkdir()
    Path(base, "config.json").touch()
    (told,) = requirement_problems({"base_model": base, "output_dir": output})
    assert f"the base_model {base} would be overwritten" in told
    assert requirement_problems({"base_model": base, "output_dir": "another"}) == []
