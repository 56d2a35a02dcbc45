"""What clients send and get, as the OpenAPI page shows it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ste_plugin.judge.comparison import Comparison
from ste_plugin.judge.texts import Pair
from ste_plugin.serving.errors import Refused
from ste_plugin.serving.limits import Limits


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Turn(_Body):
    """A turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class PairBody(_Body):
    """What was asked, and two answers to it."""

    prompt: Annotated[
        str | list[Turn],
        Field(description="A text, or a conversation that ends with the user's turn."),
    ]
    a: Annotated[str, Field(description="One answer.")]
    b: Annotated[str, Field(description="The other answer.")]
    columns: Annotated[
        dict[str, str], Field(description="What the judge's format shows beside them.")
    ] = {}

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"prompt": "Name a fruit.", "a": "An apple.", "b": "A spade."}]
        }
    )

    def pair(self) -> Pair:
        """Return it as the judge takes it."""
        turns = self.prompt
        prompt = turns if isinstance(turns, str) else [turn.model_dump() for turn in turns]
        return prompt, self.a, self.b, self.columns

    def problem(self, most: int) -> str:
        """Return which of its texts is longer than so many characters, or nothing."""
        turns = self.prompt
        prompt = turns if isinstance(turns, str) else "".join(turn.content for turn in turns)
        texts = {"prompt": prompt, "a": self.a, "b": self.b, **self.columns}
        for name, text in texts.items():
            if len(text) > most:
                return f"{name} has {len(text)} characters; at most {most} are taken."
        return ""


class PairsBody(_Body):
    """Several pairs."""

    pairs: Annotated[list[PairBody], Field(min_length=1)]

    def checked(self, limits: Limits) -> list[Pair]:
        """Return them as the judge takes them. Raises: Refused for too many, or too long ones."""
        if len(self.pairs) > limits.max_pairs:
            raise Refused(
                413,
                "too_large",
                f"pairs: found {len(self.pairs)}; at most {limits.max_pairs} are taken at once.",
            )
        for index, body in enumerate(self.pairs):
            if problem := body.problem(limits.max_chars):
                raise Refused(413, "too_large", f"pairs.{index}: {problem}")
        return [body.pair() for body in self.pairs]


class ReplyOut(BaseModel):
    """One reply of the judge."""

    text: str
    said: Annotated[
        str | float | None, Field(description="In the letters of its own prompt; or a score.")
    ]
    thinking: str
    problem: Annotated[str, Field(description="Why it does not count, where it does not.")]


class OrderOut(BaseModel):
    """What was said in one order."""

    first: Annotated[Literal["A", "B"], Field(description="The answer that was shown first.")]
    verdict: Literal["A", "B", "tie"] | None
    probability: float | None
    reasoning: str
    replies: list[ReplyOut]
    score: float | None


class TokensOut(BaseModel):
    """Tokens, as the judge's engine counts them."""

    prompt: int
    written: int


class ComparisonOut(BaseModel):
    """What the judge says of a pair."""

    verdict: Annotated[
        Literal["A", "B"] | None,
        Field(description="The answer that wins in both orders; null where the judge abstains."),
    ]
    probability: Annotated[float | None, Field(description="That A is better, from both orders.")]
    abstained: Annotated[
        Literal["", "orders differ", "tie", "no verdict", "identical answers", "unsure"],
        Field(description="Why there is no verdict."),
    ]
    problem: Annotated[str, Field(description="Why the answers could not be compared.")]
    reasoning: str
    probability_from: Literal["", "likelihoods", "samples"]
    orders: list[OrderOut]
    tokens: Annotated[TokensOut, Field(description="Read and written, by all stages together.")]
    stage: Annotated[
        Literal["", "decision", "reasoning", "vote"],
        Field(description="Of a cascade: which stage answered, or was asked last."),
    ]


class ComparisonsOut(BaseModel):
    """A comparison per pair, in their order."""

    comparisons: list[ComparisonOut]


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str
    message: str


class ErrorOut(BaseModel):
    """Every refusal and failure."""

    error: ErrorDetail


def comparison_out(found: Comparison) -> dict[str, Any]:
    """Return a comparison as clients get it; halves of surrogate pairs become question marks."""
    told: dict[str, Any] = _clean(found.to_dict())
    return told


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value
