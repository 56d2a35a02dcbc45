"""`axolotl ste-doctor` and `axolotl ste-run`: our commands through axolotl's own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.axolotl_runs import LORA, ON_A_CPU
from tests.helpers.manifests import written

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_hosts")]

PLUGIN = "ste_plugin.axolotl.STEPlugin"


def axolotl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "AXOLOTL_DO_NOT_TRACK": "1"}
    command = [sys.executable, "-m", "axolotl.cli.main", *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def config(tiny_model, tmp_path):
    """Write an axolotl config with our plugin beside its data set; return its folder."""
    written(tmp_path / "data", train=3)

    def write(**changes) -> Path:
        settings = (
            ON_A_CPU
            | LORA
            | {
                "base_model": str(tiny_model),
                "output_dir": "out",
                "dataset_prepared_path": "prepared",
                "plugins": [PLUGIN],
                "ste": {"manifest": "data/manifest.json"},
                **changes,
            }
        )
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
        return tmp_path

    return write


def test_a_config_that_can_be_trained_passes_the_doctor(config):
    done = axolotl(config(), "ste-doctor", "mine.yaml")
    assert "mine.yaml: axolotl and our plugin would train it" in done.stdout


def test_a_row_that_does_not_fit_is_found_by_the_doctor_and_nothing_is_trained(config):
    folder = config(sequence_len=40)
    done = axolotl(folder, "ste-doctor", "mine.yaml")
    assert done.returncode == 1
    assert "more than sequence_len 40" in done.stdout
    assert not (folder / "out").exists()


def test_a_folder_of_configs_is_looked_over_at_once(config):
    folder = config(learning_rate="fast", reward_model=True)
    (folder / "good.yaml").write_text((folder / "mine.yaml").read_text().replace("fast", "0.1"))
    (folder / "good.yaml").write_text(
        (folder / "good.yaml").read_text().replace("reward_model: true", "")
    )
    (folder / "broken.yml").write_text("base_model: [\n")
    done = axolotl(folder, "ste-doctor", ".")
    assert done.returncode == 1
    assert "ok  good.yaml: axolotl and our plugin would train it" in done.stdout
    assert "PROBLEM  mine.yaml: ste refuses: reward_model: " in done.stdout
    assert "\naxolotl refuses: learning_rate: " in done.stdout
    assert "PROBLEM  broken.yml: broken.yml: not YAML" in done.stdout


def test_a_config_without_the_plugin_is_told_what_to_add(config):
    done = axolotl(config(plugins=[]), "ste-doctor", "mine.yaml")
    assert done.returncode == 1
    assert f"plugins: [{PLUGIN}]" in done.stdout


def test_a_run_ends_well_with_a_finished_judge(config):
    folder = config()
    done = axolotl(folder, "ste-run", "mine.yaml", "--launcher", "python")
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Judge: {(folder / 'out/merged').resolve()}" in done.stdout
    assert json.loads((folder / "out/trained.json").read_text())["steps"] == 2


def test_a_training_in_which_the_plugin_took_no_part_does_not_end_well(config):
    rows = [{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}]
    folder = config(plugins=[], datasets=[{"path": "own.jsonl", "type": "chat_template"}])
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 4))
    done = axolotl(folder, "ste-run", "mine.yaml", "--launcher", "python")
    assert done.returncode == 5
    assert "exit code 0 and without a new out/trained.json" in done.stderr
