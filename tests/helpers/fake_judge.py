"""An engine without a model, for runs in tests: what it says depends on the model's options."""

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Place
from ste_plugin.engines.base import Completion
from ste_plugin.testing import FakeEngine


def create(model: ModelConfig, _: Place) -> FakeEngine:
    """Return an engine that writes answers, and judges as `options: {judges: …}` says."""
    judges, thinks = model.options.get("judges", "well"), model.options.get("thinks", False)
    thought = "<think>What was asked?</think>\n\n" if thinks else ""
    if word := model.options.get("blocks"):
        return Filtered(lambda request: reply(request, judges, thought), word)
    return FakeEngine(lambda request: reply(request, judges, thought))


class Filtered(FakeEngine):
    """Blocks judgments of prompts that hold a word."""

    def __init__(self, said: Callable[[ChatRequest], str], word: str) -> None:
        super().__init__(said)
        self.word = word

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        for request in requests:
            (completion,) = super().complete([request])
            prompt = request.messages[-1].content
            if "[Answer A]" in prompt and self.word in prompt:
                completion = replace(completion, text="", finish_reason="blocked")
            yield completion


def reply(request: ChatRequest, judges: str | float, thought: str = "") -> str:
    prompt = request.messages[-1].content
    if "[Answer A]" in prompt:
        return judgment(prompt, judges, request)
    if "[Answer]" in prompt:
        return rating(prompt, judges, request)
    return thought + written_reply(prompt)


def rating(prompt: str, judges: str | float, request: ChatRequest) -> str:
    """A judgment of one answer: a good one gets from 5 to 8, another one from 1 to 4."""
    asked, shown = prompt.split("[Instruction]\n")[1].split("\n\n[Answer]\n")
    good = f"Reply to <{asked}>" in shown.replace("**", "")
    score = (5 if good else 1) + request.seed % 4
    if request.choices:
        return str(score)
    match judges:
        case "never":
            return "Hard to say."
        case "all alike":
            score = 5
        case "out of range":
            score += 10
        case "silent on good ones" if good:
            return "Hard to say."
        case "wordy at times" if good and request.seed % 2:
            return f"It is so good{' indeed' * 800}. Final rating: [[{score}]]"
        case "no score at first" if good and not request.sample_index:
            return "Hard to say."
        case float():  # so often good ones are better, each rating by its own chance
            score = request.seed // 7 % 10 if request.seed / 2**60 > judges else score
    return f"It is like that, sample {request.sample_index}. Final rating: [[{score}]]"


def written_reply(prompt: str) -> str:
    if "Reply with the new instruction alone" in prompt:
        return f"Tell me about topic {len(prompt)} at once, please"
    return "" if "silence" in prompt else f"Reply to <{prompt}>"


def judgment(prompt: str, judges: str | float, request: ChatRequest) -> str:
    asked = prompt.split("[Instruction]\n")[1].split("\n\n[Answer A]")[0]
    first = prompt.split("[Answer A]\n")[1].split("\n\n[Answer B]")[0]
    right = "A" if f"Reply to <{asked}>" in first.replace("**", "") else "B"
    wrong = {"A": "B", "B": "A"}[right]
    if request.choices:
        lucky = right == "A" or request.seed % 4 == 0
        forced = {"letter A": "A", "letter wrong": wrong, "letter sees A": right if lucky else "A"}
        return forced.get(str(judges), right)
    match judges:
        case "never":
            return "Hard to say."
        case "always A":
            return "Final verdict: [[A]]"
        case float():  # right so often, each sample by its own chance
            letter = right if request.seed / 2**60 < judges else {"A": "B", "B": "A"}[right]
            return f"Sample {request.sample_index} prefers it. Final verdict: [[{letter}]]"
        case "sees A":  # right whenever the better one comes first, and one time in four otherwise
            lucky = right == "A" or request.seed % 4 == 0
            return f"Final verdict: [[{right if lucky else 'A'}]]"
        case "at times nothing":  # its first sample of every question states no verdict
            return f"Final verdict: [[{right}]]" if request.sample_index else "Hard to say."
        case "thinks":  # of the wrong one first
            wrong = {"A": "B", "B": "A"}[right]
            thought = f"<think>\nIs it [[{wrong}]]?\n</think>\n\n"
            return f"{thought}It answers what was asked. Final verdict: [[{right}]]"
        case "thinks without end":
            return f"<think>\nAt first sight it is [[{right}]], but"
        case "at length":  # right three times in four, in words and at a length of its own
            letter = right if request.seed % 4 else {"A": "B", "B": "A"}[right]
            said = "it answers what was asked so well"[: 5 * (request.seed // 4 % 7)]
            return f"{said}{' indeed' * (request.seed // 32 % 5)}. Final verdict: [[{letter}]]"
        case "half":
            letter = right if request.sample_index % 2 else {"A": "B", "B": "A"}[right]
            return f"It is better. Final verdict: [[{letter}]]"
    return f"  It answers what was asked. Final verdict: [[{right}]]\n"
