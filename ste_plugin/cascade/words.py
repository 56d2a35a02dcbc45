"""What a fit promises and found, in words."""

from collections.abc import Iterator

from ste_plugin.cascade.curve import Point
from ste_plugin.cascade.promise import SURE, THRESHOLDS, Tested
from ste_plugin.cascade.settings import LabelsBy, Ties

_HEADINGS = f"{'answered':>9} {'accuracy':>9} {'read':>8} {'written':>8}"
_PREFERRED: dict[LabelsBy, str] = {
    "people": "on which most people prefer one answer",
    "construction": "of which one answer is worse by construction",
}
_OR_WRONG: dict[LabelsBy, str] = {
    "people": "where any answer is wrong unless most people prefer it",
    "construction": "where any answer is wrong unless the other one is worse by construction",
}


def promise_in_words(
    error: float, confidence: float, prompts: int, by: LabelsBy, ties: Ties = "left out"
) -> str:
    """Return what is promised, and what is not."""
    of_which = (_OR_WRONG if ties == "wrong" else _PREFERRED)[by]
    words = (
        f"With a chance of at least {confidence:.0%} over the draw of these {prompts} prompts, at "
        f"most {error:.3g} of the pairs that this cascade answers are answered wrong: of one pair "
        f"each of further prompts that are drawn as these were, {of_which}. It says nothing "
        "of a single subset, of other kinds of prompts, or of other models and formats."
    )
    return words if by == "people" else f"On constructed pairs; promises nothing elsewhere. {words}"


def sureness(threshold: float) -> str:
    """Return how sure a decision is to be, as the mean over both orders."""
    return f"{SURE[THRESHOLDS.index(threshold)]:.2f}" if threshold in THRESHOLDS else "-"


def table(points: list[Point], tested: list[Tested], best: Tested | None) -> Iterator[str]:
    """Yield the curve of all pairs as lines: accuracy, share answered, tokens a pair."""
    kept = {each.setting for each in tested if each.passed}
    yield f"\nall: {points[0].pairs} pairs"
    yield f"{'asks up to':<10} {'sure':>5} {_HEADINGS}"
    for point in points:
        mark = "  <- chosen" if best and point.setting == best.setting else ""
        keeps = "  keeps it" if point.setting in kept else ""
        sure = sureness(point.setting.threshold)
        yield f"{point.setting.deepest:<10} {sure:>5} {_figures(point)}{keeps}{mark}"


def of_subsets(points: list[Point], shown: Tested) -> Iterator[str]:
    """Yield a line per subset: what one setting does to it. Nothing where there is one alone."""
    of_setting = [point for point in points if point.setting == shown.setting]
    if not of_setting:
        return
    which = "the chosen setting" if shown.passed else "the setting that comes nearest"
    width = max(map(len, ("subset", *(point.subset for point in of_setting))))
    sure = sureness(shown.setting.threshold)
    yield f"\nby subset, under {which} ({shown.setting.deepest}, {sure}):"
    yield f"{'subset':<{width}} {'pairs':>6} {_HEADINGS}"
    for point in of_setting:
        yield f"{point.subset:<{width}} {point.pairs:>6} {_figures(point)}"


def _figures(point: Point) -> str:
    return (
        f"{point.share:>9.3f} {share_or_dash(point.accuracy):>9} "
        f"{point.prompt_tokens / point.pairs:>8.1f} {point.written_tokens / point.pairs:>8.1f}"
    )


def share_or_dash(value: float | None) -> str:
    """Return a share as it is printed; a dash for none."""
    return "-" if value is None else f"{value:.3f}"
