"""What a model answered in lm-eval, out of all that its backend hands over."""

from typing import Any

from lm_eval.api.instance import Instance

from ste_plugin.integrations.texts import read_answer


def first_reply(instance: Instance, backend: Any) -> str:
    """Return the first reply to a request, without thoughts: further ones are repeats of it.

    It is empty where a thought never ends, even one that the prompt has begun. A backend that is
    told `think_end_token` takes thoughts out by itself: what is left is the answer.
    """
    removes_thoughts = getattr(backend, "think_end_token", None) is not None
    return read_answer(instance.resps[0], "" if removes_thoughts else instance.args[0])
