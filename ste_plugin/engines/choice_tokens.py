"""The one token by which a choice is made right behind a text."""

from collections.abc import Callable, Sequence

from ste_plugin.errors import EngineError


def added_token(text: Sequence[int], longer: Sequence[int]) -> int | None:
    """Return the one token that `longer` has after those of `text`, or None where they merge.

    >>> added_token([5, 6], [5, 6, 7])
    7
    >>> added_token([5, 6], [5, 8]) is None
    True
    """
    return longer[-1] if longer and list(longer[:-1]) == list(text) else None


def choice_token(
    tokenize: Callable[[str], Sequence[int]], text: str, ids: Sequence[int], choice: str, model: str
) -> int:
    """Return the one token that is `choice` after `text`, whose tokens are `ids`.

    `tokenize`: the model's tokenizer.

    Raises: EngineError where the two merge, so that the model cannot be made to choose there.
    """
    token = added_token(ids, tokenize(text + choice))
    if token is None:
        raise EngineError(
            f"{model}: its tokenizer does not write {choice!r} after {text[-12:]!r} as one "
            "token of its own, so a verdict cannot be forced there. Set force_verdict: false, or "
            "use a judge format with other closing words."
        )
    return token
