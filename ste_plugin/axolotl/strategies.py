"""How axolotl gets our rows: by the judge's chat template, as it is asked, and nothing cut off.

axolotl 0.19 finds a strategy of others for preference rows only as a function of a top-level
module, so the plugin registers this one under the name MODULE: `type: ste_strategies.dpo`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.records import content_key
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest

MODULE = "ste_strategies"
TYPES = {
    "sft": "ste_plugin.axolotl.sft_strategy",
    "dpo": f"{MODULE}.dpo",
    "kto": f"{MODULE}.kto",
    "grpo": f"{MODULE}.grpo",
}
"""Row format → axolotl's `type` of the data set."""
VERSION = 1
"""Of what rows become: to be raised with every change of it, as prepared rows are kept."""

Row = Mapping[str, Any]
Turn = Mapping[str, Any]


def rendering(manifest: DatasetManifest, *, by_pairs: bool = False) -> str:
    """Return a name for what a manifest's rows become, by which axolotl keeps prepared rows.

    `by_pairs`: they also say which pair they are from.
    """
    own = ("by pairs",) if by_pairs else ()
    return content_key(VERSION, manifest.chat_template_kwargs, manifest.thinking_marks, *own)


def template_of(tokenizer: Any, manifest: DatasetManifest) -> ChatTemplate:
    """Return the chat template that a manifest's judge is asked with.

    Raises: EngineError where the tokenizer has none.
    """
    return ChatTemplate(tokenizer, manifest.chat_template_kwargs, manifest.thinking_marks)


def manifest_of(cfg: Any) -> DatasetManifest:
    """Return the manifest that an axolotl config names."""
    return read_manifest(Path(cfg["ste"]["manifest"]))


def kept_by(rendering: str) -> tuple[str, str]:
    """Return the attribute by which `datasets` finds what it has mapped: what rows become today.

    A template may put in the date. Rows of another day would then be found again in that cache,
    which nobody knows to clear, and be refused as they are not what is asked.
    """
    return rendering, date.today().isoformat()


class Transform:
    """Makes texts of the rows of a data set; axolotl calls it in processes of its own, too."""

    def __init__(self, manifest: DatasetManifest) -> None:
        self._manifest = manifest
        self._kept_by = kept_by(rendering(manifest))
        self._template: ChatTemplate | None = None

    def __call__(self, sample: Row, tokenizer: Any = None) -> dict[str, Any]:
        """Return the columns that TRL reads, for one row."""
        if self._template is None or self._template.tokenizer is not tokenizer:
            self._template = template_of(tokenizer, self._manifest)
        return self.texts(sample, self._template)

    @staticmethod
    def texts(row: Row, template: ChatTemplate) -> dict[str, Any]:
        """Return the columns that TRL reads, for one row."""
        raise NotImplementedError


class DpoTransform(Transform):
    """Makes `prompt`, `chosen` and `rejected`."""

    @staticmethod
    def texts(row: Row, template: ChatTemplate) -> dict[str, Any]:
        """Return three texts."""
        chosen, rejected = (template.target(row[c]["content"]) for c in ("chosen", "rejected"))
        prompt = prompt_text(template, row["messages"])
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


class KtoTransform(Transform):
    """Makes `prompt`, `completion` and `label`."""

    @staticmethod
    def texts(row: Row, template: ChatTemplate) -> dict[str, Any]:
        """Return two texts, and whether the judgment is right."""
        completion = template.target(row["reply"]["content"])
        prompt = prompt_text(template, row["messages"])
        return {"prompt": prompt, "completion": completion, "label": row["label"]}


class GrpoTransform(Transform):
    """Makes `prompt`, a text, so that TRL applies no template; rewards read the other columns."""

    @staticmethod
    def texts(row: Row, template: ChatTemplate) -> dict[str, Any]:
        """Return the text of the prompt, and all other columns as they are."""
        return {**row, "prompt": prompt_text(template, row["prompt"])}


TRANSFORMS = {"dpo": DpoTransform, "kto": KtoTransform, "grpo": GrpoTransform}


def _only_these() -> dict[str, Any]:
    return {"remove_columns": "__all__"}  # anew each time: axolotl writes the columns into it


def dpo(cfg: Any, **_: Any) -> tuple[Transform, dict[str, Any]]:
    """Return the transform of preference rows."""
    return DpoTransform(manifest_of(cfg)), _only_these()


def kto(cfg: Any, **_: Any) -> tuple[Transform, dict[str, Any]]:
    """Return the transform of unpaired rows."""
    return KtoTransform(manifest_of(cfg)), _only_these()


def grpo(cfg: Any, **_: Any) -> tuple[Transform, dict[str, Any]]:
    """Return the transform of prompts."""
    return GrpoTransform(manifest_of(cfg)), _only_these()


def messages_of(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Return the turns of a row as engines get them."""
    return tuple(Message(**turn) for turn in turns)


def prompt_text(template: ChatTemplate, turns: Sequence[Turn]) -> str:
    """Return the prompt that is asked, less the BOS that TRL's tokenizing puts before it."""
    text, tokenizer = template.prompt(messages_of(turns)), template.tokenizer
    adds_bos = tokenizer.bos_token and tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]
    return text.removeprefix(tokenizer.bos_token) if adds_bos else text


def row_tokens(template: ChatTemplate, row: Row) -> tuple[list[int], list[int]]:
    """Return the tokens of a supervised row: the prompt, and the judgment that is learnt."""
    *prompt, judgment = row["messages"]
    return template.training_ids(messages_of(prompt), judgment["content"])
