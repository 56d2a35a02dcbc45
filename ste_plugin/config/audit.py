"""Settings of the audit: how much it asks, and what its figures are held to."""

from typing import Annotated

from pydantic import Field

from ste_plugin.config.base import Fraction, Positive, Strict

Area = Annotated[float, Field(ge=0.5, lt=1.0)]
Ratio = Annotated[float, Field(gt=0.0, le=1.0)]


class AuditConfig(Strict):
    """How much `ste audit` asks, and what its figures are held to.

    A figure fails where its whole 95% interval lies beyond. What counts as contaminated is said by
    `selection.keep_out_by`.
    """

    shortcuts: Area = 0.7
    """Most area under its ROC curve of a classifier that sees no question. 0.5 is chance, and at
    0.7 it tells the better answer of about two pairs in three."""
    probes: Annotated[
        tuple[str, ...] | None, Field(examples=[["orders swapped", "worse padded"]], min_length=1)
    ] = None
    """Names of the probes to ask about; by default all. Others are not asked, and nothing is said
    about them."""
    pairs: Positive = 200
    """Most held-out pairs to ask each judge about, by up to 40 questions each. A larger number asks
    only what is new."""
    own_names: Annotated[tuple[str, ...], Field(examples=[["llama-3.1-8b-instruct"]])] = ()
    """What the judge's own model is called in `evaluation.pairs`; by default as `judge.model`. They
    say whose each answer is by chosen_model and rejected_model, or model_a and model_b."""
    probe_threshold: Fraction | None = None
    """From where a probe's figure fails, beyond chance; by default each probe's own, 0.05 or
    0.1."""
    position_bias: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.2
    """Most that the share of A among a trained judge's verdicts on held-out pairs may differ from
    one half."""
    invalid_rate: Fraction = 0.1
    """Most of its replies there that state no verdict by themselves."""
    letters: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.2
    """Most that the share of A among sampled first judgments may differ from one half."""
    forced: Fraction = 0.5
    """Most of these judgments whose letter had to be forced."""
    change: Fraction = 0.1
    """Most that any of these four may rise since the run began: ten points that no chance explains
    are a drift, not noise."""
    same_verdict: Fraction = 0.95
    """Most that a judge's verdicts on a question may be fixed. Above 0.95 a wrong judgment is
    followed by a right one in fewer than a twentieth of the cases in which it would be by the mean
    rate: sampling finds nothing more to learn from."""
    variety: Ratio = 0.5
    """Least distinct pairs and triples of words, and size compressed, as a share of iteration
    1's."""
    shortest: Ratio = 0.25
    """Least words of a judgment as a share of iteration 1's."""
    longest: Annotated[float, Field(ge=1.0)] = 4.0
    """Most words of a judgment, as a multiple of iteration 1's."""
