"""What servers call the end of a reply, and which replies are finished by that."""

from typing import Literal

Ending = Literal["stop", "length", "blocked", "broken", "failed"]
"""As a completion's finish reason; `failed` is asked for again."""

_NAMES: dict[Ending, str] = {
    # OpenAI; TGI; Anthropic and Bedrock; Gemini; Cohere
    "stop": "stop eos eos_token stop_sequence end_turn complete",
    # OpenAI; Anthropic, Bedrock and Gemini; Mistral; OpenAI's Responses; Anthropic; Cohere
    "length": "length max_tokens model_length max_output_tokens model_context_window_exceeded "
    "error_limit",
    # OpenAI and Azure; Bedrock; Gemini; Anthropic; Zhipu; Cohere; DashScope
    "blocked": "content_filter content_filtered guardrail_intervened safety recitation blocklist "
    "prohibited_content spii refusal sensitive error_toxic data_inspection_failed",
    # OpenRouter, Mistral and vLLM; vLLM and SGLang; DeepSeek; Zhipu
    "failed": "error abort insufficient_system_resource network_error",
}
_ENDINGS = {name: ending for ending, names in _NAMES.items() for name in names.split()}


def read_ending(reason: object) -> Ending:
    """Return how a reply ended by a server's word for it; none, or one unknown, is `broken`.

    Gemini's server adds a detail behind a colon.

    >>> read_ending("stop"), read_ending("content_filter: RECITATION"), read_ending(None)
    ('stop', 'blocked', 'broken')
    """
    if not isinstance(reason, str):
        return "broken"
    return _ENDINGS.get(reason.partition(":")[0].strip().casefold(), "broken")
