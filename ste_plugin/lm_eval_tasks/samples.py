"""What lm-eval logged, read back: the replies to every row, and what they took."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ste_plugin.errors import HostError
from ste_plugin.lm_eval_tasks.judged_file import pairs_hash
from ste_plugin.lm_eval_tasks.pairs_file import Document
from ste_plugin.lm_eval_tasks.replies import CUT_OFF, NOT_ASKED, NOT_DRAWN
from ste_plugin.storage.jsonl import read_json, read_rows

TokenCounter = Callable[[str], int]


@dataclass
class Usage:
    """What the judgments took, tokens in the model's own tokenizer."""

    count: TokenCounter | None
    """None where that tokenizer is not known here."""
    judgments: int = 0
    """Prompts that got a verdict, by one reply or by a vote of several."""
    prompt_tokens: int = 0
    reply_tokens: int = 0

    def add(self, sample: Mapping[str, Any]) -> None:
        """Count one logged row: a prompt per reply, and once where only likelihoods were asked."""
        logged = list(zip(sample["arguments"].values(), sample["filtered_resps"], strict=False))
        replies = [
            (str(request["arg_0"]), text)
            for request, response in logged
            for text in replies_of(request, response)
        ]
        scored = {str(request["arg_0"]) for request, _ in logged if not generated(request)}
        self.judgments += len({prompt for prompt, _ in replies} or scored)
        if self.count:
            prompts = [prompt for prompt, _ in replies] + sorted(scored)
            lengths = {prompt: self.count(prompt) for prompt in set(prompts)}
            self.prompt_tokens += sum(lengths[prompt] for prompt in prompts)
            self.reply_tokens += sum(self.count(reply) for _, reply in replies)

    def to_dict(self) -> dict[str, int | None]:
        """Return the counts by name; tokens are None where they could not be counted."""
        tokens = (self.prompt_tokens, self.reply_tokens) if self.count else (None, None)
        return {"judgments": self.judgments, "prompt_tokens": tokens[0], "reply_tokens": tokens[1]}


def generated(request: Mapping[str, Any]) -> bool:
    """Return whether a logged request was one for a reply, rather than for a likelihood."""
    return isinstance(request["arg_1"], Mapping)


def replies_of(request: Mapping[str, Any], response: str | list[str]) -> list[str]:
    """Return the replies that a logged request drew: of a vote there are several."""
    if not generated(request):
        return []
    replies = [response] if isinstance(response, str) else response
    asked = [reply for reply in replies if reply not in (NOT_ASKED, NOT_DRAWN)]
    return [reply.removesuffix(CUT_OFF) for reply in asked]


def token_counter(tokenizer: str, revision: str) -> TokenCounter | None:
    """Return how many tokens a text has, or None where that tokenizer cannot be had."""
    try:
        from transformers import AutoTokenizer

        encode = AutoTokenizer.from_pretrained(
            tokenizer, revision=revision, trust_remote_code=False
        )
    except (ImportError, OSError, ValueError):
        return None
    return lambda text: len(encode(text, add_special_tokens=False)["input_ids"])


def sample_files(out: Path, task: str) -> Iterator[Path]:
    """Yield the files in which lm-eval logged replies, of this run and of earlier ones."""
    return (out / "lm-eval").glob(f"samples_{task}_2*.jsonl")  # the year: no longer task's name


def read_samples(
    out: Path, fresh: set[Path], rows: Sequence[Document], usage: Usage
) -> list[list[Any]]:
    """Return the replies to each row, as this run logged them; `usage` counts them.

    Raises: HostError where the log lacks a row: lm-eval ends with 0 even if it could not write.
    """
    keys = [pairs_hash([row.to_doc()]) for row in rows]
    replies, expected = {}, set(keys)
    for sample in (sample for path in fresh for _, sample in read_rows(path)):
        key = pairs_hash([sample["doc"]])
        if key in expected:
            replies[key] = sample["filtered_resps"]
            usage.add(sample)
    missing = [row.id for row, key in zip(rows, keys, strict=True) if key not in replies]
    if missing:
        raise HostError(
            f"lm-eval ended well, but {len(missing)} of {len(rows)} pairs (first: "
            f"{missing[0]!r}) are not in its samples under {out / 'lm-eval'}. See "
            f"{out / 'lm-eval.log'}; is the disk full?"
        )
    return [replies[key] for key in keys]


def read_figures(fresh: Collection[Path], task: str) -> dict[str, Any]:
    """Return the figures that lm-eval itself reported beside the samples of this run.

    Without its filter's name and what is no number. The latest by name is another one where the
    clock was set back.
    """
    samples = max(fresh)
    stamp = samples.stem.removeprefix(f"samples_{task}_")
    results = read_json(samples.with_name(f"results_{stamp}.json"))["results"][task]
    numbers = {k.removesuffix(",none"): v for k, v in results.items() if k.endswith(",none")}
    words = {k for k, v in numbers.items() if k.endswith("_stderr") or isinstance(v, str)}
    return {k: v for k, v in numbers.items() if k not in words}
