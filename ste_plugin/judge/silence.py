"""Why a judge gave no verdict that can be read, and what to do."""

from collections.abc import Sequence

from ste_plugin.judge.comparison import Comparison


def is_unread(comparison: Comparison) -> bool:
    """Return whether no verdict could be read in one of the orders, or not be asked for."""
    return bool(comparison.problem) or comparison.abstained == "no verdict"


def why_silent(asked: Sequence[Comparison]) -> str:
    """Return why no verdict was read of these, by the first of them, and what to do."""
    if problem := next((each.problem for each in asked if each.problem), ""):
        return f"The first of them that could not be compared: {problem}"
    if said := next(filter(None, map(broken_reply, asked)), ""):
        return f"A reply of it is {said}. {_cure(said)}"
    return (
        "Try the judge on a pair of your own (ste_plugin.Judge): a wrong format, or too few "
        "max_new_tokens, leave its replies without a verdict."
    )


def broken_reply(comparison: Comparison) -> str:
    """Return what is wrong with a reply of a comparison that does not count; else nothing."""
    replies = (reply for order in comparison.orders for reply in order.replies)
    return next((reply.problem for reply in replies if reply.problem), "")


def _cure(said: str) -> str:
    if "token limit" in said:
        return "Raise max_new_tokens, or shorten what it is to write."
    if "thought" in said:
        return (
            "Serve the judge without a reasoning parser, or raise max_new_tokens where it thinks "
            "that long."
        )
    return "Try the judge on a pair of your own (ste_plugin.Judge)."
