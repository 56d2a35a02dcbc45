"""Getting one of given choices from a server: drawn by it, or asked for in one more turn."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ste_plugin.engines.http.choice import read_choice, same_choice
from ste_plugin.engines.http.request import Call, build_body
from ste_plugin.engines.http.response import Reply, Said
from ste_plugin.engines.http.session import Post
from ste_plugin.errors import EngineError
from ste_plugin.text.thinking import Split

_RETRIES = 3
"""Times a choice is asked for again where the reply names none or several."""
_MAX_QUOTED = 60


def drawn_choices(reply: Reply, choices: Sequence[str], model: str) -> Reply:
    """Return a reply whose samples are choices, where the server was told to draw one of them.

    Raises: EngineError where it did not.
    """
    samples = tuple(_drawn(said, choices) for said in reply.samples)
    usable = (s.text for s in samples if s.ending not in ("failed", "blocked"))
    unknown = next((text for text in usable if text not in choices), None)
    if unknown is None:
        return replace(reply, samples=samples)
    raise EngineError(
        f"model {model!r}: expected one of {choices}, found {unknown[:_MAX_QUOTED]!r}: the server "
        "does not restrict its reply to the choices. vLLM before 0.12 needs options.prefill: "
        "vllm-guided-choice, and a server other than vLLM options.prefill: ask."
    )


def _drawn(said: Said, choices: Sequence[str]) -> Said:
    """Return a sample as the choice that it is.

    vLLM's parsers of thoughts do not see that the prompt has ended the thought: the choice is one
    to them (0.32, `--reasoning-parser qwen3`).
    """
    if said.text.strip():
        choice = same_choice(said.text, choices)
        return said if choice is None else replace(said, text=choice, ending="stop")
    choice = same_choice(said.reasoning, choices)
    return said if choice is None else _answering(said, choice)


def ask_for_choice(post: Post, call: Call, model: str, split: Callable[[Said], Split]) -> Reply:
    """Return a reply whose text is the choice that the server names, or empty where it names none.

    The tokens are those of all times that it was asked. `split` takes a sample's thought apart.
    """
    choices = call.first.choices
    prompt_tokens, completion_tokens = 0, 0
    # A greedy reply does not change by asking again.
    for attempt in range(1 if call.greedy else 1 + _RETRIES):
        reply = post(build_body(call, model, "ask", attempt), 1)
        prompt_tokens += reply.prompt_tokens
        completion_tokens += reply.completion_tokens
        reply = replace(reply, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
        if reply.prompt_is_refused or reply.samples[0].ending == "blocked":
            return reply
        (sample,) = reply.samples
        thinking, said, _ = split(sample)
        choice = same_choice(said, choices)
        if choice is None and sample.ending == "stop":
            choice = read_choice(said, choices)
        if choice is not None:
            return replace(reply, samples=(_answering(sample, choice),))
    error = _no_choice(call, model, said or thinking, is_cut=sample.ending == "length")
    return replace(reply, samples=(_answering(sample, ""),), no_choice=error)


def _answering(said: Said, choice: str) -> Said:
    return replace(said, text=choice, ending="stop", reasoning="")


def _no_choice(call: Call, model: str, text: str, *, is_cut: bool) -> str:
    """Return the error for replies without a choice, and below it what to do."""
    choices = tuple(choice.strip() for choice in call.first.choices)
    cut = ", cut off by the token limit" if is_cut else ""
    if is_cut:
        cure = (
            "If that is a thought, have it answer without one: chat_template_kwargs: "
            "{enable_thinking: false}, or what the server knows in options.extra_body. Else set "
        )
    else:
        cure = "Set "
    # a letter that nothing stands before is all that its format asks for
    other = (
        "judging.force_verdict: false"
        if call.first.prefix
        else "a judging.format whose judges write before their verdict, as brief"
    )
    return (
        f"model {model!r}: asked for exactly one of {choices}, it last replied "
        f"{text[:_MAX_QUOTED]!r}{cut}.\n{cure}options.prefill: vllm if the server is vLLM, or "
        f"{other}."
    )
