"""The chat templates of model families, each with a tiny tokenizer that has its special tokens.

Most are the models' own, as TRL and axolotl ship them; those of R1 distils, Magistral and Granite
are short ones that do what the models' cards say.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.helpers.tiny_model import tiny_tokenizer

_LLAMA = ("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>")
_CHATML = (None, "<|im_end|>", "<|im_start|>", "<|endoftext|>")
_DEEPSEEK = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>")
_GEMMA = ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")
_MISTRAL = ("<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
_HARMONY = (
    "<|startoftext|>",
    "<|return|>",
    *("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|endoftext|>"),
)
_PHI = ("<s>", "<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>")
_PHI_4 = ("<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|im_sep|>")
_GRANITE = ("<|end_of_text|>", "<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>")

_R1_DISTIL = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ m.content }}{% endif %}"
    "{% if m.role == 'user' %}<｜User｜>{{ m.content }}{% endif %}"
    "{% if m.role == 'assistant' %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}"
    "<｜end▁of▁sentence｜>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
"""A thought opened by the prompt, and cut out of every turn."""
_MAGISTRAL = (
    "{{ bos_token }}{% if messages[0].role != 'system' %}[SYSTEM_PROMPT]First draft your thinking "
    "process, which must follow the template below:[THINK]Your thoughts.[/THINK]Here, provide a "
    "self-contained response.[/SYSTEM_PROMPT]{% endif %}{% for m in messages %}"
    "{% if m.role == 'system' %}[SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]"
    "{% elif m.role == 'user' %}[INST]{{ m.content }}[/INST]"
    "{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
"""Marks that are special tokens, and mentioned in the system turn."""
_GRANITE_TEMPLATE = (
    "{% if messages[0].role != 'system' %}<|start_of_role|>system<|end_of_role|>You are Granite, "
    "a helpful AI assistant.{% if thinking %} Write your thoughts between <think></think> before "
    "you respond.{% endif %}<|end_of_text|>\n{% endif %}{% for m in messages %}"
    "<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)


class Family(NamedTuple):
    """A chat template, and the tokenizer that it is written for."""

    template: str
    """Text, or the name of a file of TRL's (`trl/`) or of axolotl's (`axolotl/`)."""
    tokens: tuple[str | None, ...]
    """BOS or None, EOS, and other special tokens."""
    marks: tuple[str, ...] = ("<think>", "</think>")
    """Added tokens around thoughts."""
    adds_bos: bool = False
    """Whether the tokenizer puts a BOS before every text."""
    kwargs: tuple[tuple[str, object], ...] = ()
    """What the template is given beside the turns."""


_NO_THINKING = (("enable_thinking", False),)
_THINKING = (("thinking", True),)
FAMILIES = {
    "Llama 3": Family("trl/llama3", _LLAMA, (), adds_bos=True),
    "Llama 3.1": Family("trl/llama3_1", _LLAMA, (), adds_bos=True),
    "ChatML": Family("axolotl/chatml", _CHATML, ()),
    "Qwen2.5": Family("trl/qwen2_5", _CHATML, ()),
    "Qwen3": Family("trl/qwen3", _CHATML),
    "Qwen3, `enable_thinking: false`": Family("trl/qwen3", _CHATML, kwargs=_NO_THINKING),
    "Qwen3-Instruct-2507": Family("trl/qwen3_instruct_2507", _CHATML),
    "Qwen3.5, thinking": Family("trl/qwen3_5_think", _CHATML),
    "Qwen3.5, `enable_thinking: false`": Family("trl/qwen3_5_think", _CHATML, kwargs=_NO_THINKING),
    "Qwen3.5, not thinking": Family("trl/qwen3_5_nothink", _CHATML),
    "DeepSeek-V3": Family("trl/deepseekv3", _DEEPSEEK, adds_bos=True),
    "R1 distils": Family(_R1_DISTIL, _DEEPSEEK, adds_bos=True),
    "Gemma 3": Family("trl/gemma3", _GEMMA, (), adds_bos=True),
    "Mistral v7": Family("axolotl/mistral_v7_tekken", _MISTRAL, (), adds_bos=True),
    "Magistral": Family(
        _MAGISTRAL, (*_MISTRAL, "[THINK]", "[/THINK]"), ("[THINK]", "[/THINK]"), adds_bos=True
    ),
    "gpt-oss": Family("trl/gptoss", _HARMONY, ()),
    "Phi-3.5": Family("trl/phi3_5", _PHI, ()),
    "Phi-4": Family("axolotl/phi_4", _PHI_4),
    "Granite": Family(_GRANITE_TEMPLATE, _GRANITE, ()),
    "Granite, `thinking: true`": Family(
        _GRANITE_TEMPLATE, _GRANITE, (), kwargs=(("thinking", True),)
    ),
}


def template_text(family: Family) -> str:
    source, _, name = family.template.partition("/")
    if source == "trl":
        import trl

        return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text()
    if source == "axolotl":
        import axolotl

        folder = Path(axolotl.__file__).parent / "utils" / "chat_templates" / "templates"
        return (folder / f"{name}.jinja").read_text()
    return family.template


@cache
def family_tokenizer(name: str):
    """A tokenizer in which line breaks merge, as they do in those of real models."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AddedToken

    family = FAMILIES[name]
    bos, eos, *others = family.tokens
    tokenizer = tiny_tokenizer()
    special = {"eos_token": eos, "additional_special_tokens": others}
    tokenizer.add_special_tokens(special | ({"bos_token": bos} if bos else {}))
    tokenizer.add_tokens(["\n\n", *(AddedToken(m, special=m in others) for m in family.marks)])
    if family.adds_bos:
        first = (bos, tokenizer.convert_tokens_to_ids(bos))
        tokenizer._tokenizer.post_processor = TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[first]
        )
    tokenizer.chat_template = template_text(family)
    return tokenizer


def dated_tokenizer():
    """A tokenizer whose chat template puts in today's date."""
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = '{{ strftime_now("%Y-%m-%d") }}\n' + tokenizer.chat_template
    return tokenizer


def on_day(monkeypatch, day: int) -> None:
    """Have it be this day of a month, for templates and for us."""
    from datetime import datetime

    from transformers.utils import chat_template_utils

    from ste_plugin.axolotl import strategies

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return cls(2031, 5, day, tzinfo=tz)

        @classmethod
        def today(cls) -> datetime:
            return cls.now()

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)
    monkeypatch.setattr(strategies, "date", Clock)
