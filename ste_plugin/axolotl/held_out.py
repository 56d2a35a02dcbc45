"""Judging held-out pairs with the model in training: the verdict in both orders of every pair."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, NamedTuple

import torch

from ste_plugin.axolotl.measure_model import keeps_logits
from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.choice_tokens import added_token
from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat, Said
from ste_plugin.judging.calibration import calibration_error
from ste_plugin.lm_eval_tasks.bootstrap import value_of
from ste_plugin.lm_eval_tasks.figures import Figure
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.metrics import METRICS
from ste_plugin.lm_eval_tasks.odds_metrics import OF_ODDS, margins_of
from ste_plugin.lm_eval_tasks.replies import log_odds
from ste_plugin.records import ORDERS, Verdict, content_key
from ste_plugin.storage.dataset_manifest import DatasetManifest

REPORTED = ("acc", "acc_pc", "pos_bias", "invalid_rate", "brier", "flip_rate")
_METRICS = METRICS | OF_ODDS


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


class Answer(NamedTuple):
    """What is said to one prompt."""

    said: Said
    """None for no single answer."""
    log_odds: float | None = None
    """Log-likelihood of A minus that of B; None where that was not measured."""


Judge = Callable[[Sequence[HeldOutPrompt]], list[Answer]]
"""A batch of prompts → what is said to each."""


def read_held_out(manifest: DatasetManifest, pairs: int) -> list[HeldOutPrompt]:
    """Return the prompts of at most `pairs` dev pairs, both orders of a pair side by side.

    They are drawn by their keys, since the file has one source after the other.
    """
    if not manifest.count("judge-dev"):
        return []
    keys = {row["pair"] for _, row in manifest.rows("judge-dev")}
    drawn = set(nsmallest(pairs, keys, key=content_key))
    rows = (row for _, row in manifest.rows("judge-dev"))
    return held_out_prompts(row for row in rows if row["pair"] in drawn)


def held_out_prompts(rows: Iterable[Mapping[str, Any]]) -> list[HeldOutPrompt]:
    """Return the prompts of a data set's rows to judge by."""
    return [
        HeldOutPrompt(
            pair=row["pair"],
            subset=row["subset"],
            instruction=row["instruction"],
            gold=row["better_is"],
            messages=tuple(Message(**turn) for turn in row["messages"]),
            opening=row["opening"],
        )
        for row in rows
    ]


def judged_pairs(
    prompts: Sequence[HeldOutPrompt], answers: Sequence[Answer], judge_format: JudgeFormat
) -> list[JudgedPair]:
    """Return what was said of each pair, in both orders."""
    given = {(p.pair, p.gold): each for p, each in zip(prompts, answers, strict=True)}
    pairs = []
    for prompt in (p for p in prompts if p.gold == "A"):
        both = [given[prompt.pair, gold] for gold in ORDERS]
        orders = tuple(
            OrderVerdict(
                gold,
                judge_format.decide(own.said, other.said),
                log_odds=own.log_odds,
                ratings=(own.said,) if judge_format.pointwise else (),
            )
            for gold, own, other in zip(ORDERS, both, reversed(both), strict=True)
        )
        pairs.append(JudgedPair(prompt.pair, prompt.subset, prompt.instruction, orders, 0, 0))
    return pairs


def figures(pairs: Sequence[JudgedPair]) -> dict[str, float]:
    """Return `judge_<metric>` for each of REPORTED that is defined, and the calibration error."""
    values = {m: value_of(map(Figure(_METRICS[m]).term, pairs)) for m in REPORTED}
    margins = [margin for pair in pairs for margin in margins_of(pair)]
    values["ece"] = calibration_error(margins) if margins else None
    return {f"judge_{m}": value for m, value in values.items() if value is not None}


def characters(prompt: HeldOutPrompt) -> int:
    """Return how long a prompt's last turn is."""
    return len(prompt.messages[-1].content)


def in_batches(
    prompts: Sequence[HeldOutPrompt],
    most: int,
    room: int | None = None,
    length: Callable[[HeldOutPrompt], int] = characters,
) -> Iterator[list[int]]:
    """Yield indices of prompts in batches of like length, longest first, of at most `most`.

    Padded to its longest prompt, a batch is at most `room` long; a longer prompt comes alone.
    """
    lengths = [length(prompt) for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda i: -lengths[i])
    while order:
        longest = max(1, lengths[order[0]])
        size = most if room is None else max(1, min(most, room // longest))
        yield order[:size]
        order = order[size:]


def likelier_choice(model: Any, template: ChatTemplate, judge_format: JudgeFormat) -> Judge:
    """Return a judge that is read by the likelihoods of the choices: one forward pass per batch."""
    keeps = keeps_logits(model)

    def judge(prompts: Sequence[HeldOutPrompt]) -> list[Answer]:
        texts = [template.answer_prompt(p.messages, p.opening) for p in prompts]
        ids = [template.encode(text) for text in texts]
        choices = [
            [_token(template, t, i, c) for c in judge_format.choices]
            for t, i in zip(texts, ids, strict=True)
        ]
        # padded on the right, which no attention kernel can mistake for packed sequences
        inputs = _padded(model, template.tokenizer, ids, right=True)
        last = [len(i) - 1 for i in ids]
        positions = sorted(set(last)) if keeps else list(range(max(map(len, ids))))
        if keeps:
            inputs["logits_to_keep"] = torch.tensor(positions, device=_device(model))
        logits = model(use_cache=False, **inputs).logits
        scores = [
            logits[row, positions.index(end), tokens].tolist()
            for row, (end, tokens) in enumerate(zip(last, choices, strict=True))
        ]
        return [Answer(judge_format.expect(each), log_odds(each)) for each in scores]

    return judge


def written_verdict(
    model: Any,
    template: ChatTemplate,
    parse: Callable[[str], Said],
    max_new_tokens: int,
) -> Judge:
    """Return a judge that writes its judgment, greedily, and is read by the format's own parser.

    One that the token limit cuts off has no verdict, nor has a thought that never ends.
    """
    tokenizer = template.tokenizer
    ends = stop_ids(model, template)

    def judge(prompts: Sequence[HeldOutPrompt]) -> list[Answer]:
        ids = [template.encode(template.prompt(p.messages)) for p in prompts]
        written = model.generate(
            **_padded(model, tokenizer, ids, right=False),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            use_cache=True,
            eos_token_id=ends or None,
            pad_token_id=tokenizer.pad_token_id or 0,
            temperature=None,
            top_p=None,
            top_k=None,
        )
        replies = written[:, max(map(len, ids)) :].tolist()
        return [Answer(read_judgment(template, reply, ends, parse)) for reply in replies]

    return judge


def stop_ids(model: Any, template: ChatTemplate) -> list[int]:
    """Return the tokens that end a reply: the model's own, and what ends a turn."""
    own = model.generation_config.eos_token_id
    of_model = own if isinstance(own, list) else [own]
    found = {*of_model, template.tokenizer.eos_token_id, *template.turn_end_ids}
    return sorted(found - {None})


def read_judgment(
    template: ChatTemplate,
    reply: Sequence[int],
    ends: Sequence[int],
    parse: Callable[[str], Said],
) -> Said:
    """Return what a reply's tokens say, those of padding at its end included."""
    length = next((at for at, token in enumerate(reply) if token in ends), None)
    if length is None:
        return None
    split = template.split(template.decode(reply[:length]))
    return parse(split.said) if split.ended else None


def share_of(count: int, rank: int, world: int) -> list[int]:
    """Return the indices of what one of `world` processes does, as many as every other does.

    With sharded weights every forward pass needs all processes, so that those who would have one
    fewer do one twice.
    """
    per_process = -(-count // world)
    return [(rank + n * world) % count for n in range(per_process)] if count else []


def merge_shares(shares: Iterable[dict[int, Answer]]) -> list[Answer]:
    """Return what was said in all processes in the order of the prompts."""
    said: dict[int, Answer] = {}
    for share in shares:
        said |= share
    return [said[index] for index in sorted(said)]


def _padded(model: Any, tokenizer: Any, ids: Sequence[list[int]], *, right: bool) -> dict[str, Any]:
    """Return a batch and its attention mask, padded to the longest on one side."""
    width, pad = max(map(len, ids)), tokenizer.pad_token_id or 0

    def pad_all(rows: Sequence[list[int]], filler: int) -> Any:
        fillers = ([filler] * (width - len(row)) for row in rows)
        padded = [r + f if right else f + r for r, f in zip(rows, fillers, strict=True)]
        return torch.tensor(padded, device=_device(model))

    mask = [[1] * len(row) for row in ids]
    return {"input_ids": pad_all(ids, pad), "attention_mask": pad_all(mask, 0)}


def _device(model: Any) -> Any:
    return next(iter(model.parameters())).device


def _token(template: ChatTemplate, text: str, ids: list[int], choice: str) -> int:
    """Return the token of a choice right behind the text. Raises: ConfigError if it is several."""
    token = added_token(ids, template.encode(text + choice))
    if token is None:
        raise ConfigError(
            f"{template.tokenizer.name_or_path}: its tokenizer does not write {choice!r} after "
            f"{text[-12:]!r} as one token of its own, so that choices cannot be compared. Set "
            "ste.judge_by: generation."
        )
    return token
