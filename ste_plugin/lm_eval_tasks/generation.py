"""How every backend is to generate, so that none falls back on defaults of its own."""

from typing import Any

from ste_plugin.errors import ConfigError
from ste_plugin.lm_eval_tasks.settings import PREFIX, JudgeSettings

SAMPLED = 0.7
"""Temperature of votes where none is set."""


def generation_kwargs(settings: JudgeSettings, max_new_tokens: int) -> dict[str, Any]:
    """Return lm-eval's generation settings: greedy for one vote, sampling for several.

    vLLM samples unless the temperature says otherwise; a model's own generation_config may hold a
    repetition penalty; a stop word would cut the verdict from the reply.

    Raises: ConfigError for several votes at temperature 0, which would all be the same.
    """
    temperature = settings.temperature
    if temperature is None:
        temperature = SAMPLED if settings.votes > 1 else 0.0
    if settings.votes > 1 and not temperature:
        raise ConfigError(
            f"{PREFIX}TEMPERATURE is 0, so {settings.votes} votes would all be the same. Set it "
            f"above 0, or {PREFIX}VOTES to 1."
        )
    common = {
        "do_sample": temperature > 0,
        "temperature": temperature,
        "repetition_penalty": 1.0,
        "max_gen_toks": max_new_tokens,
        "until": [],
    }
    if not temperature:
        return common
    # lm-eval's API backends send one seed with every request unless the request holds one: all
    # votes would be the same. None is the one value that hf, vLLM and servers all take as "no
    # seed"; top_k is 50 in transformers unless it is 0.
    return common | {"top_p": settings.top_p, "top_k": 0, "seed": None}
