"""Which figures a report shows, and how it calls them."""

from collections.abc import Mapping
from typing import Any

from ste_plugin.report.parts import Estimate

LABELS: dict[str, str] = {
    "acc_pc": "right in both orders",
    "acc": "accuracy",
    "consistency": "same answer in both orders",
    "pos_bias": "position bias",
    "len_bias": "length bias",
    "invalid_rate": "no verdict",
    "final": "final score",
    "agreement": "agreement with people",
}
"""Metric → heading, in the order of columns."""
MAIN: dict[str, str] = {
    "acc_pc": "right in both orders on",
    "final": "at a final score of",
    "acc": "right on",
}
"""Metric that judges are compared by → how a sentence calls it, the first that was measured."""


def main_metric(results: Mapping[str, Any]) -> str:
    """Return the metric by which judges are compared on these pairs."""
    overall = results["overall"]
    return next((metric for metric in MAIN if overall.get(metric) is not None), "acc")


def estimate_of(figures: Mapping[str, Any], metric: str) -> Estimate:
    """Return a metric with its interval, from `overall` or a subset of results.json."""
    value, interval = figures.get(metric), figures.get(f"{metric}_interval")
    signed = metric.endswith("bias")
    if not isinstance(value, int | float):
        return Estimate(None, signed=signed)
    reach = (float(interval[0]), float(interval[1])) if interval else None
    return Estimate(float(value), reach, signed=signed)
