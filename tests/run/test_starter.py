"""What `ste init` writes: a config that works as it stands, and names every setting."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from ste_plugin.config import RunConfig
from ste_plugin.run.starter import starter
from ste_plugin.storage.config_file import read_config
from ste_plugin.text.settings_errors import model_in

LINES = starter().splitlines()
MARK = re.compile(r"^( *)# ")
"""What comments a setting out; `## ` marks words for people, which stay comments."""
OFF = [number for number, line in enumerate(LINES) if MARK.match(line)]


def uncommented(line: str) -> str:
    return MARK.sub(r"\1", line)


def setting(number: int) -> str:
    return uncommented(LINES[number]).split(" #")[0].strip()


def depth(number: int) -> int:
    line = uncommented(LINES[number])
    return len(line) - len(line.lstrip())


def blocks_around(number: int) -> list[int]:
    """Return the settings that a setting lies in, the nearest first."""
    found, nearest = [], depth(number)
    for other in range(number - 1, -1, -1):
        if LINES[other] and not LINES[other].lstrip().startswith("##") and depth(other) < nearest:
            found.append(other)
            nearest = depth(other)
    return found


def read(folder: Path, lines: list[str]) -> RunConfig:
    path = folder / "ste.yaml"
    path.write_text("\n".join(lines))
    return read_config(path)


def keys_missing(raw: dict, model: type[BaseModel], place: str = "") -> set[str]:
    """Return the settings of a model that a mapping does not name, of those inside it, too."""
    missing = {f"{place}{name}" for name in model.model_fields.keys() - raw.keys()}
    for name, field in model.model_fields.items():
        inner, value = model_in(field.annotation), raw.get(name)
        if inner and value:  # what may be there several times is by default not there
            value = value[0] if isinstance(value, list) else value
            missing |= keys_missing(value, inner, f"{place}{name}.")
    return missing


def test_the_starter_config_is_valid_as_it_stands(tmp_path):
    config = read(tmp_path, LINES)
    assert config.judging.samples == 15
    assert config.training.recipe == ("sft-lora-8b",)


def test_what_is_commented_out_are_the_defaults(tmp_path):
    assert len(OFF) > 60
    assert read(tmp_path, [uncommented(line) for line in LINES]) == read(tmp_path, LINES)


def test_every_setting_is_named():
    raw = yaml.safe_load("\n".join(uncommented(line) for line in LINES))
    assert keys_missing(raw, RunConfig) == set()


@pytest.mark.parametrize("number", [n for n in OFF if not setting(n).endswith(":")], ids=setting)
def test_a_setting_can_be_uncommented_alone_with_the_blocks_around_it(number, tmp_path):
    lines = list(LINES)
    for one in (number, *blocks_around(number)):
        lines[one] = uncommented(lines[one])
    assert read(tmp_path, lines) == read(tmp_path, LINES)


def test_the_example_of_a_generator_is_valid(tmp_path):
    start = LINES.index("## generator:")
    example = [line.removeprefix("## ") for line in LINES[start : start + 4]]
    found = read(tmp_path, [*LINES, *example])
    assert found.generator.options["api_key_env"] == "MY_API_KEY"


def test_no_line_is_too_long_to_read():
    assert max(map(len, LINES)) <= 120
