"""What the probes found, in words: a finding per probe, of its variant that tells most."""

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.probes.examine import Row, since
from ste_plugin.audit.probes.probe import BiasProbe
from ste_plugin.context import RunContext

CHECK = "probes"
_USED_UP = (
    " The run's budget is used up: raise budget.max_tokens_total or budget.max_minutes, and audit "
    "again; what was answered is kept."
)


def tell(
    context: RunContext, name: str, probe: BiasProbe, row: Row, seed: Row | None, subject: str
) -> Finding:
    """Return the finding on a judge's row; `seed` is the seed judge's, of a later judge."""
    found = None if row.hidden else row.measured
    is_cut = row.measured is None and context.budget.stopped
    return Finding(
        check=CHECK,
        name=name,
        subject=subject,
        figure=found.figure if found else None,
        interval=found.interval if found else None,
        threshold=probe.threshold,
        n=len(row.values),
        failed=row.failed,
        words=_words(probe, row, seed) + (_USED_UP if is_cut else ""),
        cure=_cure(context, probe) if row.failed else "",
        limit="size" if probe.test == "either" else "most",
    )


def _words(probe: BiasProbe, row: Row, seed: Row | None) -> str:
    if row.measured is None:
        return (
            f"{len(row.values)} pairs could be changed so and were judged: too few to tell whether "
            f"it {probe.bias}."
        )
    variant = f" ({row.variant!r})" if row.variant else ""
    if row.hidden:
        at_a, at_b = row.letters
        return (
            f"Cannot be told while the judge goes by position: of the pairs changed so{variant}, "
            f"{at_a:.0%} get A however they are shown and {at_b:.0%} B. Heal `orders swapped` "
            "first."
        )
    start = f"It {probe.bias}" if row.failed else f"No sign that it {probe.bias}"
    p = f"p {row.corrected_p:.2g} corrected for all probes"
    return f"{start}{variant}: {_moves(probe, row)}{_before(row, seed)}; {p}."


def _moves(probe: BiasProbe, row: Row) -> str:
    """Return which share of pairs moved which way."""
    toward, away = probe.ways
    told = f"{row.toward:.0%} of {len(row.values)} pairs {toward}"
    return f"{told}, {row.away:.0%} {away}" if away else told


def _before(row: Row, seed: Row | None) -> str:
    """Return how that was with the seed, and the change since then."""
    if seed is None or seed.measured is None:
        return ""
    if seed.hidden:
        return "; the seed went by position, so that it cannot be told of it"
    told = f"; the seed {seed.toward:.0%} and {seed.away:.0%}"
    if rise := since(row, seed):
        told += f", a change of {rise[0]:+.2f} [{rise[1][0]:+.2f}, {rise[1][1]:+.2f}]"
    return told


def _cure(context: RunContext, probe: BiasProbe) -> str:
    """Return what to do, with the line to put into the config."""
    strategies = context.config.pairs.strategies
    lacking = [name for name in probe.strategies if name not in strategies]
    if not probe.strategies:
        return probe.cure
    if not lacking:
        return (
            f"{', '.join(probe.strategies)} is among pairs.strategies already: give it more "
            "instructions or another iteration."
        )
    return (
        f"Train against it: `pairs: {{strategies: [{', '.join([*strategies, *lacking])}]}}` in the "
        "config, then `ste run CONFIG --from pool`; what was answered already is not asked again."
    )
