"""The figures of a run, as tables for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from ste_plugin.context import IterationReport
from ste_plugin.evaluation.shipped import judge_label
from ste_plugin.instructions.selection.contamination import describe_counts
from ste_plugin.lm_eval_tasks.figures import pairs_counted, pairs_in_words
from ste_plugin.storage.jsonl import replace_bytes
from ste_plugin.text.sanitize import escape_for_markdown, escape_for_terminal

EASY = "other-instruction"
"""The strategy whose negatives answer another question altogether."""

COLUMNS: dict[str, str] = {
    "accuracy": "acc",
    "right in both orders": "acc_pc",
    "position bias": "pos_bias",
    "invalid rate": "invalid_rate",
}
"""Heading → metric of `ste_local`."""

WHERE_MEASURED: dict[str, str] = {"agreement": "agreement", "final": "final"}
"""Heading → metric of some benchmarks alone."""
COSTS, PER_1000 = ("prompt tokens", "reply tokens", "seconds"), " per 1,000"


def number_text(value: float | None) -> str:
    """Return a metric with three decimals, or a dash where it is undefined."""
    return "–" if value is None else f"{value:.3f}"


def iterations_table(reports: Sequence[IterationReport], pairs: str) -> Table:
    """Return seed and iterations × metrics on one set of pairs, judgments, tokens and minutes."""
    measured_on = pairs_in_words(reports[0].evaluations[pairs], pairs)
    title = escape_for_terminal(f"{measured_on}, each in both orders")
    table = Table(title=title, title_justify="left")
    priced = any(report.cost is not None for report in reports)
    headings = [*COLUMNS, "judgments sampled", "kept", "tokens", *["cost"] * priced, "minutes"]
    for heading in ("", *headings):
        table.add_column(heading, justify="right" if heading else "left")
    for report in reports:
        overall = report.evaluations[pairs]["overall"]
        counts = [f"{report.sampled:,}", f"{report.kept:,}", f"{report.tokens:,}"]
        counts += [number_text(report.cost)] * priced
        metrics = [number_text(overall.get(key)) for key in COLUMNS.values()]
        table.add_row(judge_label(report.number), *metrics, *counts, f"{report.minutes:.1f}")
    return table


def judge_line(judge: str, pairs: str, results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table shows of one judge on one set of pairs; what was not measured is None.

    Costs are per 1,000 judgments: verdicts on a pair in one order, by one reply or a vote.
    `counted`: the pairs that accuracy is of, where it is not of all `n`.
    """
    overall, host = results["overall"], results.get("host", {})
    headings = COLUMNS | WHERE_MEASURED
    judgments = host.get("judgments")
    n = results["n"]
    counted = pairs_counted(overall, "acc", n)
    line = {"judge": judge, "pairs": pairs, "n": n, "counted": counted if counted < n else None}
    line |= {heading: overall.get(metric) for heading, metric in headings.items()}
    for name in COSTS:
        cost = host.get(name.replace(" ", "_"))
        known = judgments and cost is not None
        line[name + PER_1000] = round(cost / judgments * 1000, 1) if known else None
    return line


def judges_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """Return one line per judge and set of pairs, without the columns that none of them has."""
    table = Table(
        title="tokens and seconds per 1,000 judgments; seconds of a first set include loading",
        title_justify="left",
    )
    headings = [h for h in lines[0] if any(line[h] is not None for line in lines)] if lines else []
    for heading in headings:
        short = heading.removesuffix(PER_1000)
        table.add_column(short, justify="left" if heading in ("judge", "pairs") else "right")
    for line in lines:
        cells = [line[heading] for heading in headings]
        table.add_row(*(cell_text(heading, c) for heading, c in zip(headings, cells, strict=True)))
    return table


def cell_text(heading: str, value: Any) -> str:
    """Return a cell: names and counts as they are, costs without decimals, metrics with three."""
    if isinstance(value, str | int):
        return escape_for_terminal(str(value))
    return (
        f"{value:,.0f}" if value is not None and heading.endswith(PER_1000) else number_text(value)
    )


def pool_cost(done: Mapping[str, Any]) -> str:
    """Return a sentence on what the response pairs took, read once for all iterations."""
    cost, tokens = done["cost"]["cost"], done["cost"]["generated_tokens"]
    price = f", {number_text(cost)} by its prices" if cost is not None else ""
    return f"Writing the pairs took the generator {tokens:,} tokens{price}."


def kept_out_lines(done: Mapping[str, Any]) -> list[str]:
    """Return a line on what of the benchmarks was kept out; none where none was compared."""
    found = done.get("kept_out", {})
    if not found.get("benchmarks"):
        return []
    told = "; ".join(describe_counts(*item) for item in found["benchmarks"].items())
    line = (
        f"Left out as they repeat what is measured on: {found['dropped']:,} instructions. {told}."
    )
    return [escape_for_terminal(line)]


def strategies_table(reports: Sequence[IterationReport], pairs: str) -> Table:
    """Return right-in-both-orders separately for every pair strategy (or subset).

    A judge that was measured before one was renamed has a dash there.
    """
    measured: list[Mapping[str, Any]] = [r.evaluations[pairs]["subsets"] for r in reports]
    subsets = {name: figures for found in reversed(measured) for name, figures in found.items()}
    table = Table(title="right in both orders, by kind of pair", title_justify="left")
    table.add_column("")
    for name, figures in subsets.items():
        n = pairs_counted(figures, "acc_pc", figures["n"])
        table.add_column(escape_for_terminal(f"{name} ({n})"), justify="right")
    for report, found in zip(reports, measured, strict=True):
        cells = [number_text(found.get(name, {}).get("acc_pc")) for name in subsets]
        table.add_row(judge_label(report.number), *cells)
    return table


def easy_share(report: IterationReport, pairs: str) -> str:
    """Return a sentence on how many of the pairs have an easy negative, or nothing if none has."""
    subsets = report.evaluations[pairs]["subsets"]
    easy, total = subsets.get(EASY, {}).get("n", 0), report.evaluations[pairs]["n"]
    if not easy:
        return ""
    return (
        f"{easy} of the {total} {pairs} pairs ({easy / total:.0%}) are easy negatives ({EASY}: the "
        "worse answer belongs to another question)."
    )


def verdict_on(reports: Sequence[IterationReport], best: int, keep: str) -> str:
    """Return which iteration is shipped, and why, in one or two sentences."""
    passed = [report.number for report in reports if not report.broken]
    if passed == [0] and len(reports) > 1:
        return "No iteration passed its gates: the seed is shipped as it was."
    if keep == "last":
        why = "" if best == reports[-1].number else ", the last that broke no gate"
        return f"keep: last ships {judge_label(best)}{why}."
    if any("dev" not in report.evaluations for report in reports):
        why = " that broke no gate" if len(passed) < len(reports) else ""
        return f"No dev pairs to choose by: {judge_label(best)} is shipped, the last{why}."
    if best == 0:
        return "No iteration beat the seed on the dev pairs: nothing better than the seed to ship."
    last = passed[-1]
    why = "by right-in-both-orders on the dev pairs"
    later = judge_label(last).capitalize()
    worse = "" if best == last else f" {later} was worse there and is not shipped."
    return f"Best is {judge_label(best)}, {why}.{worse}"


def gates_lines(reports: Sequence[IterationReport]) -> list[str]:
    """Return what the gates said of each iteration, a line for each that it broke."""
    lines = []
    for report in reports[1:]:
        name = judge_label(report.number)
        lines += [f"{name}: not shipped, as it breaks a gate: {words}" for words in report.broken]
        lines += [] if report.broken else [f"{name}: gates: passed"]
    return [escape_for_terminal(line) for line in lines]


def write_page(report: IterationReport) -> None:
    """Write report.md into the iteration's folder: the figures that count, in a screen's length."""
    lines = [f"# {judge_label(report.number).capitalize()}", "", *_page_table(report), ""]
    if report.number:
        cost = f", {number_text(report.cost)} by its prices" if report.cost is not None else ""
        lines += [
            f"{report.kept:,} of {report.sampled:,} judgments became training rows. They took "
            f"{report.prompt_tokens:,} tokens read and {report.tokens:,} written{cost}.",
            "",
        ]
    lines += [
        f"Judge: {escape_for_markdown(report.model)}",
        "",
        "Every round, kind of pair and test: [report.html](../report.html).",
        "",
    ]
    if report.broken:
        lines += ["Not shipped, and judges nothing, as it breaks gates:", ""]
        lines += [*(f"- {escape_for_markdown(words)}" for words in report.broken), ""]
    replace_bytes(Path(report.folder) / "report.md", "\n".join(lines).encode())


def _page_table(report: IterationReport) -> list[str]:
    """Return a Markdown table of sets of pairs × figures with their 95% intervals."""
    measured = report.evaluations.items()
    headings = {
        heading: metric
        for heading, metric in (COLUMNS | WHERE_MEASURED).items()
        if any(results["overall"].get(metric) is not None for _, results in measured)
    }
    lines = [f"| pairs | n | {' | '.join(headings)} |", "|---|--:|" + "--:|" * len(headings)]
    for name, results in measured:
        cells = [_with_interval(results["overall"], metric) for metric in headings.values()]
        n, counted = results["n"], pairs_counted(results["overall"], "acc", results["n"])
        of = f"{n:,}, accuracy of {counted:,}" if counted < n else f"{n:,}"
        lines.append(f"| {escape_for_markdown(name)} | {of} | {' | '.join(cells)} |")
    return lines


def _with_interval(figures: Mapping[str, Any], metric: str) -> str:
    interval = figures.get(f"{metric}_interval")
    reach = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    return number_text(figures.get(metric)) + reach
