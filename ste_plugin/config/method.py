"""Settings of the method: pairs of answers, judgments of them, and the rows made of these."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ste_plugin.config.base import Fraction, PathText, Positive, Strict
from ste_plugin.config.labelled import PathOrFile
from ste_plugin.config.models import ModelConfig


def _listed(given: Any) -> Any:
    if given == "":  # as an empty setting of one file
        return []
    return [given] if isinstance(given, str | dict) else given


class PairsConfig(Strict):
    """How a better and a worse answer to each instruction are made."""

    given: Annotated[
        tuple[PathOrFile, ...], BeforeValidator(_listed), Field(examples=["labelled.jsonl"])
    ] = ()
    """Labelled pairs that you have, to train on as well. A file, a folder or a pattern relative to
    the config, or a list, each as in `evaluation.pairs`. They are the strategy `given`; with
    `strategies: []` they are all there is, and `instructions` may be left out."""
    strategies: tuple[str, ...] = ("modified-instruction",)
    """Ways to make a pair; every instruction goes through each. `modified-instruction`: one call
    writes a similar instruction and its answer, as in the paper. `modified-instruction-two-calls`:
    the same for small generators. `other-instruction`: the answer to another instruction, which is
    free and an easy negative. `ask-for-worse`: asked to be worse. Nearly right: `inject-error`,
    the better answer with one fault put into it; `altered-answer`, with words altered by rule, for
    free; `majority-answer` and `checked-answer`, of several answers one with the final answer of
    most, or the known one (`instructions.columns.final_answer`), against one with another;
    `decomposed-vs-oneshot`, an answer in steps against one at once; `stronger-vs-weaker`, the
    generator's answer against that of `weaker`. Free as well, against what `ste audit` finds:
    `padded-worse` and `restyled-worse`, the answer to another instruction, padded, or in Markdown,
    with an authority or an opener; `padded-either`, the same with one of the two padded, by a coin;
    `borrowed-opening`, it behind the better answer's first sentence; `empty-opener`, nothing but an
    opener or a punctuation mark."""
    samples: Annotated[int, Field(ge=2)] = 8
    """Answers to each instruction for `majority-answer` and `checked-answer`."""
    weaker: Annotated[
        ModelConfig | None, Field(examples=[{"model": "HuggingFaceTB/SmolLM2-135M-Instruct"}])
    ] = None
    """Writes the worse answers of `stronger-vs-weaker`. It has the keys of `judge`."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.7
    """Of the answers."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """Of the answers."""
    max_new_tokens: Positive = 2048
    """Longest answer in tokens; one that is cut off makes no pair."""
    system: Annotated[
        str | Annotated[tuple[str, ...], Field(min_length=1)],
        Field(examples=[["", "Answer in one short sentence.", "Answer in three sentences."]]),
    ] = ""
    """A system turn for every answer, as "Answer in a sentence"; of a list, each answer draws one.
    Worse ones have it, too. A list makes answers of several lengths and styles: a judge that
    learns from one style alone goes by position on any other."""

    @model_validator(mode="after")
    def _has_a_source(self) -> "PairsConfig":
        if not self.strategies and not self.given:
            raise ValueError(
                "found no strategy and no given pairs; expected one of them. Name a strategy, or "
                "set given to a file of labelled pairs"
            )
        if "given" in self.strategies:
            raise ValueError(
                "found 'given' among strategies; expected a way to make pairs. Labelled pairs are "
                "named by file: given: labelled.jsonl"
            )
        return self


class JudgingConfig(Strict):
    """How judgments are sampled."""

    format: PathText = "criteria"
    """How to judge: criteria, plan, brief, verdict, rating, decision, a plugin's, or a YAML file of
    yours. `brief` takes two sentences; `verdict` the letter alone, for the weakest seeds; `rating`
    is a score of each answer; `decision` a letter and no text, as vLLM's decisions endpoint asks
    for it. A file is relative to the config; `ste formats check` looks it over."""
    rubric: Annotated[
        str | dict[str, Annotated[str, Field(min_length=1)]],
        Field(examples=["Policy: cite the manual; never guess a dose."]),
    ] = ""
    """What counts in your organisation, added to the format's own words. Or words per category, as
    {coding: …, default: …}: the category is the instruction's (in labelled pairs the column
    `category`, or else the subset)."""
    samples: Positive = 15
    """Most judgments of a pair in one order. `sampling` says when fewer are enough."""
    sampling: (
        Literal["until_correct", "until_both", "until_decided", "fixed", "constructed"] | None
    ) = None
    """When to stop; by default what the recipe's rows need. `until_correct`: at a correct
    judgment. `until_both`: at a correct and a wrong one, the default for dpo and kto.
    `until_decided`: when the majority is decided, and right. `fixed`: all `samples` are drawn.
    `constructed`: one, which says how good the judge is; the right letter is learnt whatever it
    said. That is for formats of a letter alone, and the default for sft rows of `decision`."""
    top_up: Annotated[int, Field(ge=0)] = 15
    """Most further judgments of a pair where one letter would run short. 0 drops the surplus of
    the other letter instead."""
    skip_always_right: bool = False
    """Leave out training pairs that the last iteration judged right every time, in both orders."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.7
    """Of the judgments."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """Of the judgments."""
    max_new_tokens: Positive | None = None
    """Longest judgment in tokens; by default what the format says."""
    force_verdict: bool = False
    """Draw A or B after the closing words where the judge states no verdict. Reports always say
    how often."""


class DatasetConfig(Strict):
    """How judgments become training rows."""

    sequence_len: Positive = 4096
    """Longest row in tokens, by the judge's own tokenizer and chat template; less where the
    recipe's `sequence_len` is."""
    dev_fraction: Fraction = 0.05
    """Share of the instructions held out to choose checkpoint and iteration."""
    test_fraction: Fraction = 0.05
    """Share of the instructions held out to report on. Both are drawn by instruction, once for
    all iterations."""
    formats: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Rows to write: sft, dpo, kto, grpo; by default what the recipe trains on. A plugin may know
    more."""
    weigh_by_pass_rate: bool = False
    """Keep fewer of the pairs that the judge is mostly right about."""
    both_orders_only: bool = False
    """Keep a pair only when it was judged right in both orders."""
    keep: Literal["first", "shortest", "most_typical"] = "first"
    """Which of several correct judgments of a pair in one order is learnt. `first`: a draw at
    random. `shortest`: the one of fewest tokens. `most_typical`: the one whose words overlap most
    with those of the others. Both need several to choose from, so `judging.sampling: fixed` or
    `until_decided`."""
    match: tuple[Literal["length"], ...] = ()
    """What must not tell the better answer. `length`: of each strategy, training pairs are kept
    whose better answer is longer as often as shorter, and by as much. Where it is longer in two of
    three, that costs a third of the pairs. Where `ste audit` finds that length gives the better
    answer away, it says how many would be left."""
    verdict_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Share of the sft training rows that ask for the letter alone, in the format `verdict`; the
    others reason. They are made of pairs that have a reasoning row, in the same orders, and cost no
    sample. At 0.5 each reasoning row has one, which is the most. The judge is asked and measured in
    `judging.format` as before."""
    thinking: Literal["keep", "drop"] = "keep"
    """Whether a judge that thinks is trained on its thoughts, too. `drop`: on the judgment alone,
    behind an empty thought where its chat template writes one."""

    reviewed: Literal["keep", "drop"] = "keep"
    """Whether pairs that people call wrong (`ste review`) are trained on. `drop`: pairs that most
    raters call worse are left out of every data set begun from then on; held-out pairs
    go on measuring."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "DatasetConfig":
        if self.dev_fraction + self.test_fraction >= 0.9:
            raise ValueError(
                f"found dev_fraction {self.dev_fraction:g} + test_fraction {self.test_fraction:g}, "
                "which leave under a tenth for training; expected less than 0.9 together. Lower "
                "one of them"
            )
        return self
