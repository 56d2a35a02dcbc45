"""The desk's gate: a judge is shipped only where it knows the desk's own pairs."""

PAIRS = "desk"
"""As `evaluation.pairs` in ste.yaml calls them."""
LEAST = 0.6
"""Share of the pairs that it is right about in both orders."""


def broken(figures):
    """Return the sentence that breaks the gate; what was not measured breaks nothing."""
    measured = figures.evaluations.get(figures.number, {}).get(PAIRS, {}).get("overall", {})
    right = measured.get("acc_pc")
    if right is None or right >= LEAST:
        return []
    return [f"it is right in both orders about {right:.0%} of the desk's pairs; least {LEAST:.0%}."]
