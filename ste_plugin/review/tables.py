"""The results of a review as text for a terminal."""

from collections.abc import Iterator, Sequence

from ste_plugin.review.agreement import Agreement
from ste_plugin.review.coefficients import Coefficient
from ste_plugin.review.rates import Estimate
from ste_plugin.review.results import Results, StrategyRate


def lines_of(results: Results) -> Iterator[str]:
    """Yield the lines that tell people the results."""
    raters = ", ".join(f"{name} ({n})" for name, n in sorted(results.labels.items()))
    yield f"labels by {raters}"
    if results.of_other_pairs:
        yield f"{results.of_other_pairs} labels are of pairs that this run does not have: left out."
    if results.strategies:
        yield "\nIs the better answer better, for most people?"
        yield from _table(
            ("strategy", "pairs", "prompts", "better", "worse", "undecided", "is better"),
            [_strategy_row(name, rate) for name, rate in results.strategies.items()],
        )
    if results.people or results.judge:
        yield "\nHow far do they agree?"
        yield from _table(
            ("who", "pairs", "raw agreement", "by chance", "kappa", "AC1", "alpha"),
            [_agreement_row(name, found) for name, found in _agreements(results)],
        )
        yield from _notes(results)
    if results.reasoning:
        yield f"\nDoes the judge's reasoning hold?{_writer(results)}"
        rows = [(name, estimate_text(found)) for name, found in results.reasoning.items()]
        yield from _table(("strategy", "holds"), rows)


def _writer(results: Results) -> str:
    """Return whose judgments people said it of, where that is known."""
    if not results.reasoning_by:
        return ""
    count = results.reasoning_of_others
    others = f"; {count} labels are of other judges' judgments: left out" if count else ""
    return f" (of {results.reasoning_by}{others})"


def _agreements(results: Results) -> Iterator[tuple[str, Agreement]]:
    if results.people:
        yield "people", results.people
    if len(results.pairs_of_people) > 1:
        yield from ((f"  {name}", found) for name, found in results.pairs_of_people.items())
    if results.judge:
        number = results.judge_iteration
        yield f"judge ({f'iteration {number}' if number else 'seed'}), person", results.judge
        if len(results.judge_with) > 1:
            yield from ((f"  judge, {name}", found) for name, found in results.judge_with.items())


def _notes(results: Results) -> Iterator[str]:
    """Yield what to read the figures by, and why some are missing."""
    if results.people and results.people.raw.value is not None:
        yield (
            f"Two people say the same of {_percent(results.people.raw.value)} of the pairs: the "
            "most that can be asked of a judge."
        )
    if results.judge_is:
        yield f"The judge is {results.judge_is}."
    if results.judge:
        yield "The judge's word is what it says in both orders; where these differ, it is a tie."
    for name, found in _agreements(results):
        figures = {"kappa": found.kappa, "AC1": found.ac1, "alpha": found.alpha}
        reasons: dict[str, list[str]] = {}
        for what, figure in {"raw agreement": found.raw, **figures}.items():
            if figure and figure.why:
                reasons.setdefault(figure.why, []).append(what)
        for why, of in reasons.items():
            yield f"{name.strip()}: {', '.join(of)}: {why}."


def _strategy_row(name: str, rate: StrategyRate) -> tuple[str, ...]:
    counts = (rate.pairs, rate.prompts, rate.better, rate.worse, rate.undecided)
    return (name, *map(str, counts), estimate_text(rate.rate))


def _agreement_row(name: str, found: Agreement) -> tuple[str, ...]:
    expected = found.kappa.expected if found.kappa else None
    return (
        name,
        str(found.items),
        estimate_text(found.raw),
        "" if expected is None else _percent(expected),
        "" if found.kappa is None else coefficient_text(found.kappa),
        coefficient_text(found.ac1),
        coefficient_text(found.alpha),
    )


def estimate_text(estimate: Estimate) -> str:
    """Return a rate as `80% [71, 87]`.

    >>> estimate_text(Estimate(0.8, (0.71, 0.868)))
    '80% [71, 87]'
    """
    if estimate.value is None:
        return "-"
    return _percent(estimate.value) + _between(estimate.interval, 100, 0)


def coefficient_text(found: Coefficient) -> str:
    """Return a coefficient as `0.62 [0.41, 0.79]`."""
    return "-" if found.value is None else f"{found.value:.2f}" + _between(found.interval, 1, 2)


def _between(interval: tuple[float, float] | None, scale: float, digits: int) -> str:
    if interval is None:
        return ""
    low, high = (f"{scale * end:.{digits}f}" for end in interval)
    return f" [{low}, {high}]"


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table's lines: the first column to the left, the others below their heads."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()
