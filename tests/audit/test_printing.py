"""Findings are read at a glance: what failed first, with its cure, within 80 columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.printing import WIDTH, format_findings, status_of, summarize

FIGURES = st.none() | st.floats(0, 1)


def finding(
    name="length",
    check="shortcuts",
    figure=0.5,
    interval=(0.41234, 0.6),
    threshold=0.7,
    failed=False,
    words="It is longer.",
    cure="",
    n=1234,
    limit="most",
) -> Finding:
    return Finding(check, name, "easy", figure, interval, threshold, n, failed, words, cure, limit)


def test_failed_findings_come_first_then_what_is_undecided_then_what_passed_and_what_is_told():
    lines = list(
        format_findings(
            [
                finding("passed"),
                finding("told", threshold=None),
                finding("unknown", figure=None, interval=None),
                finding("broken", failed=True),
                finding("other", check="probes"),
            ]
        )
    )
    heads = [line for line in lines if line and not line.startswith(" ")]
    assert [head.split(" · ")[0].split() for head in heads] == [
        ["shortcuts"],
        ["FAILED", "broken"],
        ["undecided", "unknown"],
        ["ok", "passed"],
        ["told", "told"],
        ["probes"],
        ["ok", "other"],
    ]


def test_a_finding_is_shown_with_its_figure_interval_threshold_and_number():
    lines = list(format_findings([finding(failed=True, cure="Do this.")]))
    assert lines == [
        "shortcuts",
        "FAILED    length · easy",
        "          0.500 [0.412, 0.600], threshold 0.7, n = 1,234",
        "          It is longer.",
        "          → Do this.",
        "",
    ]


@pytest.mark.parametrize(
    ("figure", "interval", "shown"),
    [
        (-0.0, (-0.0, -0.0), "0.000 [0.000, 0.000]"),
        (-1.0, (-1.0, -0.0001), "-1.000 [-1.000, 0.000]"),
        (12345.0, None, "12,345"),
        (0.25, None, "0.250"),
    ],
)
def test_figures_have_three_decimals_counts_have_none_and_zero_has_no_sign(figure, interval, shown):
    lines = list(format_findings([finding(figure=figure, interval=interval, threshold=None, n=0)]))
    assert lines[2].strip() == shown


def test_what_was_not_computed_shows_no_figures():
    lines = list(format_findings([finding(figure=None, interval=None, threshold=None, n=0)]))
    assert lines[1:3] == ["undecided length · easy", "          It is longer."]


def test_a_cure_that_several_share_is_told_once_below_the_last_of_them():
    found = [
        finding("a", failed=True, cure="Do this."),
        finding("b", failed=True, cure="Do this."),
        finding("c", failed=True, cure="Do that."),
    ]
    text = "\n".join(format_findings(found))
    assert text.count("Do this.") == text.count("Do that.") == 1
    assert text.index("FAILED    b") < text.index("Do this.") < text.index("FAILED    c")


@given(st.text(" abc.-", max_size=400), FIGURES)
def test_words_are_wrapped_at_80_columns(words, figure):
    shown = list(format_findings([finding(words=words, figure=figure, failed=True, cure=words)]))
    long_words = max(map(len, words.split()), default=0) > 60
    assert long_words or max(map(len, shown)) <= WIDTH


@pytest.mark.parametrize(
    ("figure", "limit", "status"),
    [
        (0.8, "most", "unsure"),
        (0.6, "most", "ok"),
        (0.7, "most", "ok"),
        (0.6, "least", "unsure"),
        (0.8, "least", "ok"),
        (-0.8, "size", "unsure"),
        (-0.8, "most", "ok"),
    ],
)
def test_a_figure_beyond_its_threshold_that_did_not_fail_is_unsure(figure, limit, status):
    assert status_of(finding(figure=figure, limit=limit)) == status
    assert status_of(finding(figure=figure, limit=limit, failed=True)) == "FAILED"


def test_the_summary_counts_what_is_unsure_apart():
    found = [finding(), finding(figure=0.8), finding(figure=None), finding(figure=0.9)]
    assert summarize(found) == (
        "1 figure keeps its threshold; 2 unsure (beyond the threshold, but not failed); "
        "1 undecided."
    )


def test_the_summary_counts_what_kept_its_threshold_and_what_is_undecided():
    found = [finding(), finding(threshold=None), finding(figure=None)]
    assert summarize(found) == "1 figure keeps its threshold; 1 undecided."
    assert summarize([finding(), finding()]) == "2 figures keep their thresholds."
