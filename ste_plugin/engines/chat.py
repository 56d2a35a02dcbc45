"""What a model reads and writes, by its own chat template: prompts, answers, training targets."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Self

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Message
from ste_plugin.engines.render import check_kwargs, render_turns
from ste_plugin.engines.spelling import require_words
from ste_plugin.errors import EngineError
from ste_plugin.text.sanitize import sanitize_for_tokenizer
from ste_plugin.text.thinking import (
    FAMILIES,
    Marks,
    Split,
    find_marks,
    split_thinking,
    without_marks,
)

_QUESTION, _ANSWER = "Is seven a prime?", "It is indeed."
"""Turns by which a template shows what it writes around any turns."""

NO_THINKING = {"enable_thinking": False}
"""What most templates close an empty thought for; others do not look at it."""


class Layout(NamedTuple):
    """What a chat template writes around an answer."""

    answer_opening: str
    """What stands between the prompt and an answer without a thought: nothing, an empty thought, or
    the header of a channel."""
    turn_end: str
    """What ends the assistant's turn."""


class ChatTemplate:
    """A tokenizer's chat template, and what it is given beside the turns.

    Engines, training rows, the callback, likelihoods and lm-eval's tasks render with this and
    nothing else, so that a judge is asked where it was trained.
    """

    def __init__(
        self,
        tokenizer: Any,
        kwargs: Mapping[str, Any] | None = None,
        marks: tuple[str, str] | None = None,
    ) -> None:
        """`kwargs`: `chat_template_kwargs` of the model; `marks`: its `thinking`, open and close.

        Raises: EngineError where the tokenizer has no chat template, or reads no words.
        """
        self.tokenizer, self._kwargs = tokenizer, dict(kwargs or {})
        if not getattr(tokenizer, "chat_template", None):
            raise EngineError(
                f"{tokenizer.name_or_path}: its tokenizer has no chat template, so chat turns "
                "cannot be shown to it. Use an instruction-tuned model, or put chat_template.jinja "
                "in its folder."
            )
        require_words(tokenizer)
        self._own_marks = (Marks(*marks),) if marks else find_marks(*_vocabulary(tokenizer))

    @classmethod
    def of_model(cls, tokenizer: Any, model: ModelConfig) -> Self:
        """Return the template of a model, as its settings say.

        Raises: EngineError where it has none, ConfigError where that does not read what the
        settings give it.
        """
        check_kwargs(tokenizer, model.chat_template_kwargs)
        marks = (model.thinking.open, model.thinking.close) if model.thinking else None
        return cls(tokenizer, model.chat_template_kwargs, marks)

    @property
    def marks(self) -> tuple[Marks, ...]:
        """The marks of thoughts to look for, the model's own first."""
        return tuple(dict.fromkeys((*self._own_marks, *FAMILIES)))

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return the turns up to where the assistant's begins: what is asked, and trained behind.

        Special tokens of this tokenizer in the turns' content are broken up: only the template's
        own are left. Raises: EngineError where the template refuses, drops or rewrites a turn.
        """
        turns = [
            Message(m.role, sanitize_for_tokenizer(self.tokenizer, m.content)) for m in messages
        ]
        return self._render(turns, add_generation_prompt=True)

    def answer_prompt(self, messages: Sequence[Message], prefix: str, thought: str = "") -> str:
        """Return the prompt, and behind it the beginning of an answer to a thought, or to none."""
        return self.prompt(messages) + self._before_answer(thought) + prefix

    def text_of(self, request: ChatRequest) -> str:
        """Return what a model reads to answer a request."""
        if request.prefix or request.choices:
            return self.answer_prompt(request.messages, request.prefix, request.thought)
        return self.prompt(request.messages)

    def read(self, request: ChatRequest, ids: Sequence[int]) -> Split:
        """Return what a model wrote to answer a request, taken apart."""
        text = self.decode(ids)
        return Split("", text, ended=True) if request.prefix else self.split(text)

    def target(self, reply: str) -> str:
        """Return what is trained right behind the prompt: the whole reply and the end of its turn.

        A reply without a thought has what the template writes in its place before it. Where the
        prompt itself closes an empty thought, none is learnt.
        """
        split = split_thinking(reply, self.marks)
        return self._before_answer(split.thinking) + split.said.strip() + self.layout.turn_end

    def training_ids(self, messages: Sequence[Message], reply: str) -> tuple[list[int], list[int]]:
        """Return the tokens of the prompt, the very ones that are asked, and of the target."""
        prompt, target = self.prompt(messages), self.target(reply)
        ids, whole = self.encode(prompt), self.encode(prompt + target)
        behind = whole[len(ids) :] if whole[: len(ids)] == ids else self.encode(target)
        return ids, behind

    def split(self, reply: str) -> Split:
        """Return what a model replied to a prompt of this template, taken apart."""
        return split_thinking(reply, self.marks, opened=self.opens_thinking)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a rendered text."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of generated tokens: of special ones only the marks of thoughts."""
        if not self._special_marks:
            return str(self.tokenizer.decode(ids, skip_special_tokens=True))
        shown = [i for i in ids if i not in self._special or i in self._special_marks]
        return str(self.tokenizer.decode(shown, skip_special_tokens=False))

    @property
    def has_special_marks(self) -> bool:
        """Whether decoding that skips special tokens loses marks of thoughts."""
        return bool(self._special_marks)

    @cached_property
    def turn_end_ids(self) -> list[int]:
        """The one token that ends a turn, where generation has to stop; none where it is text."""
        first = self.encode(self.layout.turn_end.strip())[:1]
        return [token for token in first if token in self._special]

    @cached_property
    def opens_thinking(self) -> bool:
        """Whether the prompt ends within a thought, so that a reply begins in it."""
        _, thought = self._last_thought(self._asked)
        return bool(thought) and not self.ends_thinking

    @cached_property
    def ends_thinking(self) -> bool:
        """Whether the prompt ends behind a thought that it closes itself: thinking is off."""
        _, thought = self._last_thought(self._asked)
        return any(m.close in thought for m in self.marks)

    @cached_property
    def layout(self) -> Layout:
        """What the template writes around an answer.

        Raises: EngineError where a reply does not follow the prompt that is asked.
        """
        prompt, whole = self._asked, self._answered
        start = whole.rindex(_ANSWER)
        turn_end = self._turn_end(whole[start + len(_ANSWER) :])
        if whole.startswith(prompt):
            return Layout(_behind(prompt, whole[len(prompt) : start]), turn_end)
        head, thought = self._last_thought(prompt)
        if not thought or not whole.startswith(head):
            raise EngineError(
                f"{self.tokenizer.name_or_path}: its chat template does not put a reply right "
                f"behind the prompt that it asks with: expected …{prompt[-40:]!r} and then the "
                f"reply, found …{whole[-60:]!r}. Set another `chat_template:`, or another model; "
                "where the prompt opens a thought by marks of its own, the model's `thinking: "
                "{open, close}`."
            )
        return Layout(self._closing_of(thought) if self.opens_thinking else "", turn_end)

    @cached_property
    def continues_answers(self) -> bool:
        """Whether a chat that ends with the assistant's words is read as a prompt and an answer.

        Servers continue such a chat; templates that drop the thought that their prompt opens would
        have a verdict drawn elsewhere than the judge was trained.
        """
        return self._answered.startswith(self._asked + self.layout.answer_opening)

    @cached_property
    def _asked(self) -> str:
        return self._render([Message("user", _QUESTION)], add_generation_prompt=True)

    @cached_property
    def _answered(self) -> str:
        chat = [Message("user", _QUESTION), Message("assistant", _ANSWER)]
        return self._render(chat, add_generation_prompt=False)

    def _turn_end(self, behind_answer: str) -> str:
        """Return what ends a turn, out of all that a template writes behind one."""
        eos = self.tokenizer.eos_token or ""
        before, found, _ = behind_answer.partition(eos) if eos else (behind_answer, "", "")
        return (before + found).rstrip() or eos

    def _last_thought(self, prompt: str) -> tuple[str, str]:
        """Return a prompt up to the thought that the template writes at its end, and that."""
        asked = prompt.rindex(_QUESTION) + len(_QUESTION)
        starts = [s for m in self.marks if (s := prompt.rfind(m.open, asked)) >= 0]
        start = max(starts, default=len(prompt))
        return prompt[:start], prompt[start:]

    def _closing_of(self, thought: str) -> str:
        """Return what closes an open thought, so that it was an empty one."""
        marks = next(m for m in self.marks if thought.startswith(m.open))
        empty = marks.form.format(open=marks.open, thought="", close=marks.close)
        closing = empty.removeprefix(thought) if empty.startswith(thought) else marks.close
        return _behind(thought, closing)

    def _before_answer(self, thinking: str) -> str:
        """Return what stands between the prompt and an answer to a thought, or to none."""
        thinks = thinking and not self.ends_thinking
        return self._own_thinking(thinking) if thinks else self.layout.answer_opening

    def _own_thinking(self, thinking: str) -> str:
        """Return a thought in this model's own marks, from where the prompt leaves off."""
        own = (self._own_marks or FAMILIES)[0]
        if own.close not in thinking:
            thought = without_marks(thinking, self.marks)
            thinking = own.form.format(open=own.open, thought=thought, close=own.close)
        thinking = thinking.lstrip()
        if self.opens_thinking:
            return thinking.removeprefix(own.open).lstrip()
        return thinking if thinking.startswith(own.open) else f"{own.open}\n{thinking}"

    @cached_property
    def _special(self) -> frozenset[int]:
        added = self.tokenizer.added_tokens_decoder
        return frozenset(self.tokenizer.all_special_ids) | {
            i for i, t in added.items() if t.special
        }

    @cached_property
    def _special_marks(self) -> frozenset[int]:
        """The special tokens that marks of thoughts are made of, which decoding must not lose."""
        marks = " ".join(part for m in self._own_marks for part in m)
        added = self.tokenizer.added_tokens_decoder
        return frozenset(i for i, t in added.items() if t.special and t.content in marks)

    def _render(self, turns: Sequence[Message], *, add_generation_prompt: bool) -> str:
        options = {**self._kwargs, "add_generation_prompt": add_generation_prompt}
        return render_turns(self.tokenizer, turns, options)


def _vocabulary(tokenizer: Any) -> tuple[str, ...]:
    """Return where marks of thoughts can be found: the template, and the added tokens."""
    template = tokenizer.chat_template
    texts = template.values() if isinstance(template, dict) else [template]
    return (*map(str, texts), *(t.content for t in tokenizer.added_tokens_decoder.values()))


def _behind(prompt: str, text: str) -> str:
    """Return what follows a prompt: line breaks on both sides would be one token, read together."""
    return text.lstrip("\n") if prompt.endswith("\n") else text
