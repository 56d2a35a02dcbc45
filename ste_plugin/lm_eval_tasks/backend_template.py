"""The chat template of a backend's own tokenizer: what it is given, and what would bypass it."""

import inspect
from collections.abc import Callable
from typing import Any

from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.render import check_kwargs
from ste_plugin.errors import ConfigError, EngineError
from ste_plugin.lm_eval_tasks.api_requests import is_api
from ste_plugin.lm_eval_tasks.settings import JudgeSettings


def template_of(backend: Any, settings: JudgeSettings) -> ChatTemplate | None:
    """Return the chat template of a backend's own tokenizer, or None where it has none.

    Raises: ConfigError where that tokenizer renders the prompts and has no template, and where its
    template does not read what the settings give it.
    """
    tokenizer: Any = getattr(backend, "tokenizer", None)
    if not hasattr(tokenizer, "apply_chat_template") or not hasattr(
        tokenizer, "added_tokens_decoder"
    ):
        return None
    check_kwargs(tokenizer, settings.chat_template_kwargs)
    try:
        return ChatTemplate(tokenizer, template_kwargs(backend, settings), settings.thinking)
    except EngineError as error:
        if sends_chats(backend):
            return None
        raise unrenderable(error) from error


def template_kwargs(backend: Any, settings: JudgeSettings) -> dict[str, Any]:
    """Return what the template is given: the settings' `chat_template_kwargs` and the backend's.

    Raises: ConfigError where they differ.
    """
    own = dict(getattr(backend, "chat_template_args", None) or {})
    own |= _enable_thinking(backend)
    wanted = settings.chat_template_kwargs
    for name in own.keys() & wanted.keys():
        if own[name] != wanted[name]:
            raise ConfigError(
                f"The chat template is given {name}={own[name]!r} by the model_args and "
                f"{wanted[name]!r} by chat_template_kwargs (STE_JUDGE_CHAT_TEMPLATE_KWARGS). "
                "Leave one out."
            )
    return own | dict(wanted)


def _enable_thinking(backend: Any) -> dict[str, bool]:
    """Return `enable_thinking` of the model_args, where it is not merely a backend's default.

    lm-eval 0.4.11's vllm has it True unless told otherwise, which no other engine says.
    """
    given = getattr(backend, "enable_thinking", None)
    parameters = inspect.signature(type(backend).__init__).parameters
    default = getattr(parameters.get("enable_thinking"), "default", None)
    return {} if given is None or given == default else {"enable_thinking": given}


def sends_chats(backend: Any) -> bool:
    """Return whether a backend sends turns as they are, so that its server renders them."""
    renders = getattr(backend, "tokenizer_backend", None) == "huggingface"
    return is_api(backend) and not (renders and backend.tokenized_requests)


def refuse_think_end_token(backend: Any) -> None:
    """Raise ConfigError where the backend would remove thoughts, and with them what shows them."""
    if getattr(backend, "think_end_token", None) is not None:
        raise ConfigError(
            f"think_end_token={backend.think_end_token!r} in the model_args removes thoughts "
            "before they are read, so that one that never ends looks like an answer. Leave it and "
            "enable_thinking out: marks are known (others: STE_JUDGE_THINKING), and thinking is "
            'turned on or off by STE_JUDGE_CHAT_TEMPLATE_KWARGS={"enable_thinking": true}.'
        )


class Decoder:
    """A backend's `tok_decode` that keeps the special tokens that are marks of thoughts."""

    def __init__(self, template: ChatTemplate, decode: Callable[..., str]) -> None:
        self.template, self.decode = template, decode

    def __call__(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        """Return the text of tokens."""
        if skip_special_tokens and not isinstance(tokens, int):
            return self.template.decode(tokens)
        return self.decode(tokens, skip_special_tokens=skip_special_tokens)


def unrenderable(error: Exception) -> ConfigError:
    """Return what a user is told where a chat cannot be rendered, and why."""
    return ConfigError(
        f"This model's tokenizer cannot render a chat ({error}) Use the tokenizer of an "
        "instruction-tuned model, add a chat_template to its tokenizer_config.json, or leave out "
        "--apply_chat_template."
    )
