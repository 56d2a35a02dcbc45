"""What cards say of where a judge's pairs and judgments came from."""

from collections.abc import Sequence
from typing import Any

from ste_plugin.report.origins import NOT_MADE, given_in_words, learnt_in_words
from ste_plugin.report.read_run import HELD_OUT, Round, RunFigures

_FROM_INSTRUCTIONS = "from unlabelled instructions"
_BY_LABEL = (
    "of a given pair its label says which answer is better, and the run does not know whose it is"
)


def model_origin(run: RunFigures, number: int) -> str:
    """Return what the judge of an iteration was made from, as the end of a sentence and more."""
    rounds = _rounds(run, number)
    given, made = given_in_words(run), bool(run.config.pairs.strategies)
    source = "better and worse answers were made"
    if given:
        source = f"{source}, and {given} given" if made else f"it was given {given}"
    start = f"{_FROM_INSTRUCTIONS}: " if made else "from pairs with labels: "
    return f"{start}{source}; {learnt_in_words(rounds)}. {_labelled(run, rounds)}"


def _labelled(run: RunFigures, rounds: Sequence[Round]) -> str:
    """Return who labelled what it learnt from."""
    reviewed = _reviewed(rounds)
    if run.config.pairs.given:
        return f"{_BY_LABEL[0].upper()}{_BY_LABEL[1:]}.{f' {reviewed}' if reviewed else ''}"
    return reviewed or "No person labelled what it learnt from."


def _reviewed(rounds: Sequence[Round]) -> str:
    """Return what people's labels of a review did to its data; empty where they did nothing."""
    told = [m["reviewed"] for r in rounds for m in r.manifests if m.get("reviewed")]
    last = told[-1] if told else {}
    if not last.get("pairs"):
        return ""
    return (
        f"People looked at {last['pairs']:,} of its pairs, and the {last['wrong']:,} that they "
        "call wrong were left out."
    )


def data_origin(run: RunFigures, number: int) -> str:
    """Return what a data set was made from, as the end of a sentence and more."""
    given, made = given_in_words(run), bool(run.config.pairs.strategies)
    rounds = _rounds(run, number)
    source = f"{_FROM_INSTRUCTIONS}{f' and {given}' if given else ''}" if made else f"from {given}"
    who = _reviewed(rounds) or ("" if given else "No person labelled it.")
    return f"{source}. {f'{who} ' if who else ''}Of its pairs, {learnt_in_words(rounds)}."


def better_by(run: RunFigures) -> str:
    """Return by what the better answers are better, as the end of a sentence."""
    by_making = "by the way in which the pairs were made"
    if not run.config.pairs.given:
        return by_making
    by_label = "by their labels, of which the run does not know whose they are"
    return f"{by_label}; in made ones {by_making}" if run.config.pairs.strategies else by_label


def _rounds(run: RunFigures, number: int) -> list[Round]:
    """Return the rounds whose data sets went into a judge."""
    first = 1 if run.config.training.start_from == "previous" else number
    return [r for r in run.rounds if first <= r.number <= number]


def pairs_told(run: RunFigures) -> dict[str, Any]:
    """Return who wrote the answers, how pairs were made, and which were given."""
    config, given = run.config, given_in_words(run)
    if not config.pairs.strategies:
        return {"answers written by": NOT_MADE, "pairs given": given}
    generator = config.generator.model if config.generator else "the seed itself"
    return {
        "answers written by": generator,
        "ways to make a pair": ", ".join(config.pairs.strategies),
        **({"pairs given": given} if given else {}),
    }


def unseen_answers(run: RunFigures) -> str:
    """Return that no answers of others were measured on; empty where there were some."""
    held_out = any(run.given.get(name) for name in HELD_OUT)
    if held_out or [name for name in run.names if name not in HELD_OUT]:
        return ""
    return (
        "How it judges answers that no model of this run wrote: it was measured on no "
        "benchmark and on no pairs that people labelled."
    )


def unchecked_pairs(run: RunFigures) -> str:
    """Return that people did not look at its pairs; empty where somebody did."""
    if run.people is not None:
        return ""
    so = "they are so by the way they were made"
    if run.config.pairs.given:
        so = "given ones are so by their labels"
        if run.config.pairs.strategies:
            so += ", others by the way they were made"
    return (
        f"Whether people find the better answers better: {so}, and nobody has looked at them"
        f"{' in this run' if run.config.pairs.given else ''}."
    )
