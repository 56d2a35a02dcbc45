"""Which of several correct judgments of a pair in one order is learnt."""

from collections.abc import Sequence
from pathlib import Path

from ste_plugin.config import RunConfig
from ste_plugin.dataset.token_counts import load_template
from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.records import Judgment
from ste_plugin.sampling.sampler import ChooseJudgment, first_judgment
from ste_plugin.sampling.stopping_rules import CONSTRUCTED


def chooser(config: RunConfig, base: Path) -> ChooseJudgment:
    """Return how `dataset.keep` chooses among correct judgments; of equals the first is kept.

    Raises: EngineError where tokens are to be counted and the tokenizer cannot be loaded.
    """
    match config.dataset.keep:
        case "shortest":
            return _shortest_for(config, base)
        case "most_typical":
            return most_typical
    return first_judgment


def check_keep(judge_format: JudgeFormat, config: RunConfig) -> None:
    """Raise ConfigError where a rating would be chosen without the one that it is right beside."""
    keep, name = config.dataset.keep, judge_format.name
    if judge_format.pointwise and keep != "first":
        raise ConfigError(
            f"dataset.keep: found {keep!r} with judging.format {name}, which rates each answer "
            "alone; expected first, as the ratings of a pair's two answers are right together only "
            "where they are of the same sample. Leave dataset.keep out, or use a format that "
            "compares both answers (judging.format: brief, criteria or plan)."
        )


def check_constructed(judge_format: JudgeFormat, config: RunConfig) -> None:
    """Raise ConfigError where a right reply cannot be known without drawing it."""
    alone = judge_format.choices and not (judge_format.reasons or judge_format.pointwise)
    if config.judging.sampling == CONSTRUCTED and not alone:
        raise ConfigError(
            f"judging.sampling: found {CONSTRUCTED} with judging.format {judge_format.name}, whose "
            "judges say more than a letter; expected a format of the letter alone, as only then "
            "the right reply is known without drawing it. Leave judging.sampling out, or set "
            "judging.format: decision or verdict."
        )


def _shortest_for(config: RunConfig, base: Path) -> ChooseJudgment:
    template = load_template(config.judge, base)

    def shortest(judgments: Sequence[Judgment]) -> Judgment:
        texts = [template.target(judgment.reply) for judgment in judgments]
        tokens = template.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return judgments[min(range(len(texts)), key=lambda at: len(tokens[at]))]

    return shortest


def most_typical(judgments: Sequence[Judgment]) -> Judgment:
    """Return the judgment whose words overlap most with those of the others, on average.

    The overlap of two is Dice's coefficient of their words, each counted as often as it stands
    there (ROUGE-1 F1): symmetric, so that neither has to be the reference; relative to both
    lengths, so that length alone wins nothing; and without a model of its own.
    """
    words = _as_bits([judgment.reply for judgment in judgments])
    lengths = [each.bit_count() for each in words]

    def overlap(at: int) -> float:
        return sum(
            2 * (words[at] & other).bit_count() / max(lengths[at] + length, 1)
            for place, (other, length) in enumerate(zip(words, lengths, strict=True))
            if place != at
        )

    return judgments[max(range(len(words)), key=overlap)]


def _as_bits(texts: Sequence[str]) -> list[int]:
    """Return each text's words as bits, the second of a word another bit than the first.

    Bags of words then meet in one instruction: all judgments of a pair are compared with each
    other.
    """
    from ste_plugin.text.words import words_of

    bits: dict[tuple[str, int], int] = {}
    found = []
    for text in texts:
        seen: dict[str, int] = {}
        total = 0
        for word in words_of(text):
            seen[word] = seen.get(word, 0) + 1
            total |= 1 << bits.setdefault((word, seen[word]), len(bits))
        found.append(total)
    return found
