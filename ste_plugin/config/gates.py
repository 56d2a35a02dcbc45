"""Settings of the gates: what an iteration must keep to be shipped, and to judge in the next."""

from typing import Annotated, Literal

from pydantic import Field

from ste_plugin.config.base import FolderName, Strict

Share = Annotated[float, Field(gt=0.0, le=1.0)]
Loss = Annotated[float, Field(ge=0.0, lt=1.0)]


class GatesConfig(Strict):
    """What an iteration must keep; one that breaks a gate is not shipped, and judges nothing.

    Figures are those of the dev pairs, and a gate breaks only where the 95% interval lies beyond
    it. A level breaks it only if it also got worse than the seed's, or than that of the last
    iteration that passed: else what is shipped instead would be no better. That it is worse must be
    more than chance, corrected for all gates together. `null` switches a gate off.
    """

    position_bias: Annotated[float, Field(ge=0.0, lt=0.5)] | None = 0.2
    """Most that the share of verdicts for A may differ from one half. At 0.2 at least two pairs in
    five get one letter in both orders, so that no more than three can be judged right."""
    consistency: Share | None = 0.5
    """Least share of pairs of which the same answer is preferred in both orders. A coin has 0.5."""
    invalid_rate: Loss | None = 0.1
    """Most replies that state no verdict by themselves, forced afterwards or not."""
    accuracy_loss: Loss | None = 0.0
    """Most that it may lose, right in both orders, to the seed or to the last that passed. It
    breaks where a paired test on the same pairs says so."""
    variety: Share | None = 0.5
    """Least variety of the judge's own words as a share of the seed's. Distinct pairs of words are
    counted, on the same prompts and as many words of each. Not for formats without reasoning."""
    length: Share | None = 0.25
    """Least length of what it writes as a share of the seed's, on the same prompts. Not for formats
    without reasoning."""
    agreement_loss: Loss | None = 0.0
    """Most that it may lose, right in both orders, to the seed on people's labels. It breaks where
    a paired test says so."""
    people: Annotated[
        tuple[FolderName, ...] | None, Field(examples=[["mine", "ste_judgebench"]])
    ] = None
    """The evaluations whose labels are people's; by default all of `evaluation.pairs`. A benchmark
    that is named here decides, and is no longer one to report on."""
    audit: Literal["ignore", "warn", "block"] = "warn"
    """What to do where the audit of collapse fails. It is made after every iteration; `ignore` does
    nothing, `warn` tells it, and under `block` the iteration breaks a gate. But for `ignore`, what
    its training pairs give away (`shortcuts`) is looked for and told as well."""
