"""Choices that no words lead up to: drawn behind the very prompt that rows are trained behind."""

from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import NO_THINKING, ChatTemplate
from ste_plugin.engines.http.fields import TEMPLATE_KWARGS, RequestFields

_PROBE = (Message("user", "Is seven a prime?"),)


def kwargs_before_choice(
    template: ChatTemplate | None, fields: RequestFields
) -> dict[str, Any] | None:
    """Return what a server's template is to be given so that its prompt ends where a choice is
    trained to follow, or None where it never does.

    What the user gives it counts before that. Of a template that is not at hand nothing is known
    but that its thought is to be closed.
    """
    if template is None:
        return NO_THINKING
    place = template.answer_prompt(_PROBE, "")
    for own in ({}, NO_THINKING):
        given = fields.apply({TEMPLATE_KWARGS: own})[TEMPLATE_KWARGS]
        if ChatTemplate(template.tokenizer, given).prompt(_PROBE) == place:
            return own
    return None
