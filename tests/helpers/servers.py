"""What servers and gateways are known to do, each as settings of a scripted server.

The bodies are in words of ours, by the servers' documentation and public reports.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.helpers.chat_server import Body, Refuse, Said

OFF = {"top_k", "min_p", "repetition_penalty"}


@dataclass(frozen=True)
class Server:
    """One server, as far as it differs from a plain one."""

    too_long: Refuse
    """How it refuses a prompt that is longer than its context."""
    blocked: Refuse | None = None
    """How it refuses a prompt for what that holds."""
    refuses: Callable[[Body], Refuse | None] = lambda _body: None
    """How it refuses a request for its fields."""
    without: frozenset[str] = frozenset()
    """Fields that are left out in the end."""
    sent: Body = field(default_factory=dict)
    """Fields that are sent in the end."""
    thought: Said = field(default_factory=lambda: Said("<think>\nHm.\n</think>\n\nAn apple."))
    """A reply with a thought."""
    endings: dict[str, str] = field(default_factory=dict)
    """Its words for how replies end, beside `stop` and `length` → what is kept of them."""
    most_choices: int = 128
    usage: bool = True


def error(message: str, **fields: Any) -> Body:
    return {"error": {"message": message, **fields}}


def apart(**beside: Any) -> Said:
    return Said("An apple.", beside=beside)


def unknown_to_openai(body: Body) -> Refuse | None:
    """Refuse what OpenAI's API does not know, all of it at once."""
    found = sorted(OFF & set(body))
    if not found:
        return None
    said = f"Unrecognized request arguments supplied: {', '.join(found)}"
    return Refuse(400, content=error(said, type="invalid_request_error", param=None, code=None))


def for_reasoning_models(body: Body) -> Refuse | None:
    """Refuse, one after the other, what OpenAI's reasoning models do not take."""
    for name, code in {
        "top_k": "unknown_parameter",
        "max_tokens": "unsupported_parameter",
        "temperature": "unsupported_value",
        "top_p": "unsupported_parameter",
    }.items():
        if name in body:
            return Refuse(400, content=error(f"{name}: unsupported", param=name, code=code))
    return None


def extra_forbidden(body: Body) -> Refuse | None:
    """Refuse as pydantic does where a model forbids further fields."""
    found = sorted((OFF | {"seed"}) & set(body))
    inner = [{"type": "extra_forbidden", "loc": ["body", name], "msg": "extra"} for name in found]
    said = {"object": "error", "message": {"detail": inner}, "type": "invalid_request_error"}
    return Refuse(422, content=said) if found else None


def top_k_of_at_least_one(body: Body) -> Refuse | None:
    said = {"object": "error", "message": "top_k must be -1 (off) or at least 1", "code": 400}
    return Refuse(400, content=said) if body.get("top_k") == 0 else None


def top_p_below_one(body: Body) -> Refuse | None:
    said = {"error": "Input validation error: `top_p` must be > 0.0 and < 1.0"}
    return Refuse(422, content=said) if body.get("top_p") == 1.0 else None


def unsupported_by_gateway(body: Body) -> Refuse | None:
    found = sorted(OFF & set(body))
    said = f"UnsupportedParamsError: openai does not support parameters: {found}, for model=tiny"
    return Refuse(400, content=error(said, type="None", param=None)) if found else None


def long_by_openai(status: int = 400, **fields: Any) -> Refuse:
    said = "This model's maximum context length is 256 tokens, your messages have 300."
    return Refuse(status, content=error(said, param="messages", **fields))


SERVERS = {
    "vLLM": Server(
        too_long=Refuse(
            400,
            content=error(
                "This model's maximum context length is 256 tokens. However, your prompt contains "
                "300 input tokens.",
                param="input_tokens",
                code=400,
            ),
        ),
        sent={"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0},
        thought=apart(reasoning="Hm."),
        endings={"repetition": "broken", "tool_calls": "broken"},
    ),
    "SGLang": Server(
        too_long=Refuse(
            400,
            content={
                "object": "error",
                "message": "The input (300 tokens) is longer than the context length (256 tokens).",
                "code": 400,
            },
        ),
        refuses=top_k_of_at_least_one,
        sent={"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
        thought=apart(reasoning_content="Hm."),
    ),
    "TGI": Server(
        too_long=Refuse(
            422,
            content={
                "error": "Input validation error: `inputs` must have less than 256 tokens. Given: "
                "300",
                "error_type": "validation",
            },
        ),
        refuses=top_p_below_one,
        without=frozenset({"top_p"}),
        endings={"eos_token": "stop", "stop_sequence": "stop"},
        most_choices=1,
    ),
    "llama.cpp": Server(
        too_long=Refuse(
            200,  # by some versions, with the status in the error alone
            content=error(
                "the request exceeds the available context size",
                code=400,
                type="exceed_context_size_error",
                n_ctx=256,
            ),
        ),
        sent={"top_k": 0, "min_p": 0.0},
        thought=apart(reasoning_content="Hm."),
        most_choices=1,
    ),
    "Ollama": Server(
        too_long=Refuse(400, content=error("prompt too long; exceeded max context length")),
        thought=apart(reasoning="Hm."),
        endings={"load": "broken"},
        most_choices=1,
    ),
    "OpenAI": Server(
        too_long=long_by_openai(code="context_length_exceeded"),
        blocked=Refuse(
            400,
            content=error("Your prompt was flagged under our usage policy.", code="invalid_prompt"),
        ),
        refuses=for_reasoning_models,
        without=frozenset(OFF | {"max_tokens", "temperature", "top_p"}),
        sent={"max_completion_tokens": 64},
        thought=Said("An apple."),
        endings={"content_filter": "blocked", "tool_calls": "broken"},
    ),
    "Azure OpenAI": Server(
        too_long=long_by_openai(code="context_length_exceeded"),
        blocked=Refuse(
            400,
            content=error(
                "The prompt triggered the content management policy.",
                param="prompt",
                code="content_filter",
                innererror={"code": "ResponsibleAIPolicyViolation"},
            ),
        ),
        refuses=unknown_to_openai,
        without=frozenset(OFF),
        thought=Said("An apple."),
        endings={"content_filter": "blocked"},
    ),
    "Mistral": Server(
        too_long=Refuse(
            400,
            content={
                "object": "error",
                "message": "Prompt contains 300 tokens, too large for a model with 256 maximum "
                "context length",
                "type": "invalid_request_prompt",
                "code": "3051",
            },
        ),
        refuses=extra_forbidden,
        without=frozenset(OFF | {"seed"}),
        thought=Said(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                {"type": "text", "text": "An apple."},
            ]
        ),
        endings={"model_length": "length"},
    ),
    "Gemini": Server(
        too_long=Refuse(
            400,
            content=[
                error(
                    "The input token count (300) exceeds the maximum number of tokens allowed.",
                    code=400,
                    status="INVALID_ARGUMENT",
                )
            ],
        ),
        blocked=Refuse(200, content={"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
        thought=Said("An apple."),
        endings={"content_filter: RECITATION": "blocked", "MAX_TOKENS": "length"},
    ),
    "OpenRouter": Server(
        too_long=Refuse(
            400,
            content=error(
                "Provider returned error",
                code=400,
                metadata={"raw": '{"message": "Input is too long for requested model."}'},
            ),
        ),
        blocked=Refuse(
            403,
            content=error(
                "tiny requires moderation. Your input was flagged.",
                code=403,
                metadata={"reasons": ["violence"], "flagged_input": "Explain violins."},
            ),
        ),
        thought=apart(
            reasoning="Hm.", reasoning_details=[{"type": "reasoning.text", "text": "Hm."}]
        ),
        most_choices=1,
    ),
    "LiteLLM": Server(
        too_long=Refuse(400, content=error("ContextWindowExceededError: 300 tokens", code="400")),
        blocked=Refuse(400, content=error("ContentPolicyViolationError: refused", code="400")),
        refuses=unsupported_by_gateway,
        without=frozenset(OFF),
        thought=apart(reasoning_content="Hm."),
        usage=False,
    ),
}
"""Server → what it does: the rows of the table in docs/reference/servers.md."""
