"""Judging held-out pairs with the model in training: the verdict in both orders of every pair."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import islice
from typing import Any

import torch

from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import added_token, render_chat
from ste_plugin.errors import ConfigError
from ste_plugin.lm_eval_tasks.bootstrap import value_of
from ste_plugin.lm_eval_tasks.figures import Figure
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.metrics import METRICS
from ste_plugin.records import ORDERS, Verdict
from ste_plugin.storage.dataset_manifest import DatasetManifest

REPORTED = ("acc", "acc_pc", "pos_bias", "invalid_rate")


@dataclass(frozen=True, slots=True)
class HeldOutPrompt:
    """One pair in one presentation order."""

    pair: str
    subset: str
    instruction: str
    gold: Verdict
    messages: tuple[Message, ...]
    opening: str
    """The words before the letter of a forced verdict."""


Judge = Callable[[Sequence[HeldOutPrompt]], list[Verdict | None]]
"""A batch of prompts → their verdicts, None for no single answer."""


def read_held_out(manifest: DatasetManifest, pairs: int) -> list[HeldOutPrompt]:
    """Return the prompts of the first `pairs` dev pairs, both orders of a pair side by side."""
    if not manifest.count("judge-dev"):
        return []
    rows = islice(manifest.rows("judge-dev"), pairs * len(ORDERS))
    return [
        HeldOutPrompt(
            row["pair"], row["subset"], row["instruction"], row["better_is"],
            tuple(Message(**turn) for turn in row["messages"]), row["opening"],
        )
        for _, row in rows
    ]  # fmt: skip


def figures(
    prompts: Sequence[HeldOutPrompt], verdicts: Sequence[Verdict | None]
) -> dict[str, float]:
    """Return `judge_<metric>` for each of REPORTED that the verdicts define."""
    given = {(p.pair, p.gold): v for p, v in zip(prompts, verdicts, strict=True)}
    judged = [
        JudgedPair(p.pair, p.subset, p.instruction, given[p.pair, "A"], given[p.pair, "B"],
                   None, None, 0, 0)
        for p in prompts if p.gold == "A"
    ]  # fmt: skip
    figures = {m: Figure(METRICS[m]) for m in REPORTED}
    found = {m: value_of(figure.term(pair) for pair in judged) for m, figure in figures.items()}
    return {f"judge_{m}": value for m, value in found.items() if value is not None}


def in_batches(prompts: Sequence[HeldOutPrompt], size: int) -> Iterator[list[int]]:
    """Yield the places of prompts in batches of like length, longest first."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i].messages[-1].content))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def likelier_letter(model: Any, tokenizer: Any) -> Judge:
    """Return a judge that reads the verdict off the likelier letter: one forward pass a batch."""
    keeps = "logits_to_keep" in signature(_inner(model).forward).parameters

    def judge(prompts: Sequence[HeldOutPrompt]) -> list[Verdict | None]:
        texts = [render_chat(tokenizer, p.messages, prefix=p.opening) for p in prompts]
        ids = [_ids(tokenizer, text) for text in texts]
        letters = [
            [_letter(tokenizer, t, i, v) for v in ORDERS] for t, i in zip(texts, ids, strict=True)
        ]
        # padded on the right, which no attention kernel can mistake for packed sequences
        width, pad = max(map(len, ids)), tokenizer.pad_token_id or 0
        device = _device(model)
        padded = torch.tensor([i + [pad] * (width - len(i)) for i in ids], device=device)
        mask = torch.tensor([[1] * len(i) + [0] * (width - len(i)) for i in ids], device=device)
        last = [len(i) - 1 for i in ids]
        places = sorted(set(last)) if keeps else list(range(width))
        more = {"logits_to_keep": torch.tensor(places, device=device)} if keeps else {}
        logits = model(input_ids=padded, attention_mask=mask, use_cache=False, **more).logits
        found: list[Verdict | None] = []
        for row, (end, (a, b)) in enumerate(zip(last, letters, strict=True)):
            scores = logits[row, places.index(end)]
            found.append("A" if scores[a] > scores[b] else "B")
        return found

    return judge


def written_verdict(
    model: Any, tokenizer: Any, parse: Callable[[str], Verdict | None], max_new_tokens: int
) -> Judge:
    """Return a judge that writes its judgment, greedily, and is read by the format's own parser."""

    def judge(prompts: Sequence[HeldOutPrompt]) -> list[Verdict | None]:
        ids = [_ids(tokenizer, render_chat(tokenizer, p.messages)) for p in prompts]
        width, pad = max(map(len, ids)), tokenizer.pad_token_id or 0
        device = _device(model)
        written = model.generate(
            input_ids=torch.tensor([[pad] * (width - len(i)) + i for i in ids], device=device),
            attention_mask=torch.tensor(
                [[0] * (width - len(i)) + [1] * len(i) for i in ids], device=device
            ),
            max_new_tokens=max_new_tokens, do_sample=False, use_cache=True, pad_token_id=pad,
            temperature=None, top_p=None, top_k=None,
        )  # fmt: skip
        texts = tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
        return [parse(text) for text in texts]

    return judge


def shared_out(count: int, rank: int, world: int) -> list[int]:
    """Return the places that one of `world` processes does, as many as every other does.

    With sharded weights every forward pass needs all processes, so that those who would have one
    fewer do one twice.
    """
    most = -(-count // world)
    return [(rank + n * world) % count for n in range(most)] if count else []


def merged(shares: Iterable[dict[int, Verdict | None]]) -> list[Verdict | None]:
    """Return the verdicts of all processes in the order of the prompts."""
    together: dict[int, Verdict | None] = {}
    for share in shares:
        together |= share
    return [together[place] for place in sorted(together)]


def _inner(model: Any) -> Any:
    inner = getattr(model, "module", model)
    return inner.get_base_model() if hasattr(inner, "get_base_model") else inner


def _device(model: Any) -> Any:
    return next(iter(model.parameters())).device


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _letter(tokenizer: Any, text: str, ids: list[int], letter: Verdict) -> int:
    """Return the token of a letter right behind the text. Raises: ConfigError if it is not one token."""
    token = added_token(ids, _ids(tokenizer, text + letter))
    if token is None:
        raise ConfigError(
            f"{tokenizer.name_or_path}: its tokenizer does not write {letter!r} after {text[-12:]!r} as "
            "one token of its own, so the two letters cannot be compared. Set ste.judge_by: generation."
        )
    return token
