"""lm-eval's backend `decisions`: a judge behind vLLM's decisions endpoint. Only lm-eval imports it.

It is registered in the process that measures (`ste eval`), as lm-eval looks for no plugins.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Message, Place, Sampling
from ste_plugin.engines.decisions.engine import create
from ste_plugin.errors import ConfigError, DataError

_HOW = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=1)
_WRITES_NOTHING = (
    "evaluation.backend: decisions gives probabilities of letters and writes no text; expected a "
    "judge format that asks for a letter alone. Set judging.format: decision (STE_JUDGE_FORMAT, "
    "--format), or measure this judge by another backend, as local-chat-completions."
)


@register_model("decisions")
class DecisionsLM(LM):  # type: ignore[misc]
    """Answers `loglikelihood` of letters behind a prompt in the format `decision`."""

    tokenizer_name = "decisions"

    def __init__(self, model: str, num_concurrent: int = 32, **options: Any) -> None:
        """`options`: those of `engine: decisions`, as base_url and api_key_env.

        Raises: ConfigError for a wrong one.
        """
        super().__init__()
        own = {k: v for k, v in options.items() if k not in ("batch_size", "device")}
        if "base_url" in own:
            own["base_url"] = str(own["base_url"]).removesuffix("/decisions")
        settings = {"concurrency": int(num_concurrent), **own}
        config = ModelConfig(model=model, engine="decisions", options=settings)
        self.model, self.base_url = model, own.get("base_url", "")
        self.engine = create(config, Place(Path.cwd(), Path.cwd()))

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Return the one user turn as it is: the server renders it with the model's template."""
        if [turn["role"] for turn in chat_history] != ["user"]:
            raise ConfigError(
                "evaluation.backend: decisions asks one user turn; found "
                f"{', '.join(turn['role'] for turn in chat_history)}. Leave out "
                "--system_instruction and few-shot examples."
            )
        return chat_history[0]["content"]

    def loglikelihood(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Return the log-likelihood of each letter, and whether it is the likelier one.

        Raises: DataError where a prompt does not fit the model's context.
        """
        behind: dict[str, dict[str, None]] = {}
        for request in requests:
            context, letter = request.args
            behind.setdefault(context, {})[letter] = None
        asked = {
            context: ChatRequest(
                self.model, (Message("user", context),), _HOW, choices=tuple(letters)
            )
            for context, letters in behind.items()
        }
        told = dict(self.engine.choice_log_likelihoods(asked.values()))
        if unfit := sum(request.key not in told for request in asked.values()):
            raise DataError(
                f"{unfit} of {len(asked)} prompts do not fit the model's context on the server. "
                "Raise its --max-model-len, or remove such pairs."
            )
        found = []
        for request in requests:
            context, letter = request.args
            letters = dict(zip(asked[context].choices, told[asked[context].key], strict=True))
            found.append((letters[letter], letters[letter] == max(letters.values())))
        return found

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Raise ConfigError: nothing is ever written."""
        raise ConfigError(_WRITES_NOTHING)

    def loglikelihood_rolling(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Raise ConfigError: whole texts have no likelihood here."""
        raise ConfigError(_WRITES_NOTHING)
