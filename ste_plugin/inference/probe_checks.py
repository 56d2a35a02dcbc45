"""What the first answers of a stage tell: what is certainly wrong, and what is to be known."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ste_plugin.engines.base import UNUSABLE, ChatRequest, Completion
from ste_plugin.engines.http.usage import MIN_WORDS, TOKENS_PER_WORD
from ste_plugin.errors import EngineError, SteError
from ste_plugin.text.words import words_of

_ENOUGH = 4
"""Different prompts of which something is said for certain: one may be odd, all are not."""
_MIN_EQUAL_WORDS = 5
"""Different questions may well have the same short answer."""
_LENGTH_RATIO = 1.3
"""Prompts whose lengths differ so much do not all have the same number of tokens."""
_TAGGED = re.compile(r"\s*(?:<([a-z][\w:-]*)>.*</\1>|\[([A-Z_]+)\].*\[/\2\])\s*\S", re.DOTALL)
"""An answer behind tags of one name, as thoughts are written by models unknown here."""
_QUOTED = 80
_REFUSED = ("blocked", "too_long", "refused")
"""Finish reasons that say more about a prompt than about the model or its server."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is asked for, as far as its first answers need to be understood."""

    title: str
    """What the progress bar says."""
    model: str
    limit: str = ""
    """The setting that says how long an answer may be; empty where there is none."""
    may_be_equal: bool = True
    """Whether different prompts may have the very same answer."""
    may_be_empty: bool = False
    """Whether something is made of empty answers, too: a verdict is forced after them."""
    error: type[SteError] = EngineError
    """What ends it."""
    parse: Callable[[str], object] | None = field(default=None, compare=False)
    """Returns the verdict that an answer states, or None; without it no verdict is wanted."""


class Answer(NamedTuple):
    """A request with its completion."""

    request: ChatRequest
    completion: Completion


def is_usable(completion: Completion) -> bool:
    """Return whether something can be made of an answer: it has a text, cut off or not."""
    return bool(completion.text.strip()) and completion.finish_reason not in UNUSABLE


def find_problem(stage: Stage, answers: Sequence[Answer]) -> SteError | None:
    """Return the error for what is wrong with all of the answers, with its cure, or None.

    Prompts that were refused tell nothing: they may be alike, and refusals cost nothing.
    """
    given = [answer for answer in answers if answer.completion.finish_reason not in _REFUSED]
    count = len({request.prompt_key for request, _ in given})
    if count < _ENOUGH:
        return None
    problem = (
        _all_unusable(stage, given)
        or _all_cut_off(stage, given)
        or _cut_prompts(given)
        or _same_text(stage, given)
    )
    if problem is None:
        return None
    return stage.error(
        f"{stage.title}: model {stage.model!r} was asked {count} prompts to begin with, and "
        f"{problem}\nNothing more was asked. Run the same command again after that; it says "
        "what to add where a setting of the run has changed."
    )


def describe(stage: Stage, answers: Sequence[Answer]) -> str:
    """Return a line on the answers for a person: tokens, and how many have which traits."""
    completions = [completion for _, completion in answers]
    tokens = sum(c.completion_tokens for c in completions)
    told = f"{tokens / len(completions):.0f} tokens on average"
    facts = [told if tokens else "no tokens counted: a budget is kept by estimates"]
    facts += [f"{n} {words}" for n, words in _notable(stage, completions) if n]
    plural = "" if len(completions) == 1 else "s"
    return (
        f"probe ({stage.title}): {len(completions)} answer{plural} from {stage.model}: "
        + ", ".join(facts)
    )


def _notable(stage: Stage, completions: Sequence[Completion]) -> list[tuple[int, str]]:
    """Return how many answers have each trait that a person should know of."""
    reasons = Counter[str](c.finish_reason for c in completions)
    usable = [c for c in completions if is_usable(c)]
    unusable = sum(reasons[reason] for reason in UNUSABLE)
    return [
        (sum(bool(c.thinking) for c in completions), "think first (not part of the answer)"),
        (reasons["length"], f"cut off by {stage.limit or 'the token limit'}"),
        *((reasons[reason], words) for reason, words in UNUSABLE.items()),
        (len(completions) - len(usable) - unusable, "without an answer"),
        (len([c for c in usable if _lacks_verdict(stage, c)]), "without a verdict"),
        _tagged(usable),
    ]


def _tagged(usable: Sequence[Completion]) -> tuple[int, str]:
    """Return how many answers begin with the same tags, where all do."""
    found = [_TAGGED.match(c.text) for c in usable]
    tags = {(match[1], match[2]) if match else None for match in found}
    if len(found) < _ENOUGH or len(tags) > 1 or None in tags:
        return 0, ""
    (name, capitals) = next(tag for tag in tags if tag)
    first, last = (f"<{name}>", f"</{name}>") if name else (f"[{capitals}]", f"[/{capitals}]")
    return len(found), (
        f"begin with {first}…{last} (if that is a thought, it counts as part of the answer until "
        f"the model's setting thinking is {{open: '{first}', close: '{last}'}})"
    )


def _lacks_verdict(stage: Stage, completion: Completion) -> bool:
    return stage.parse is not None and stage.parse(completion.text) is None


def _all_unusable(stage: Stage, answers: Sequence[Answer]) -> str | None:
    """Return what is wrong where nothing can be made of any answer, or None."""
    completions = [completion for _, completion in answers]
    if any(map(is_usable, completions)):
        return None
    reasons: set[str] = {c.finish_reason for c in completions}
    if reasons == {"broken"}:
        return "all replies were broken off by the server. See its log, or its documentation."
    thinks = all(c.thinking for c in completions)
    if stage.may_be_empty and reasons <= {"stop", "length"} and not (thinks and "stop" in reasons):
        return None
    if thinks:
        return _only_thoughts(stage, reasons, answers[0].request.sampling.max_new_tokens)
    others = ", ".join(sorted(reasons - {"stop"}))
    return (
        f"all replies are empty{f' ({others})' if others else ''}. See what the server replies, "
        "whether its chat template is the model's, and whether the model is a chat model."
    )


def _all_cut_off(stage: Stage, answers: Sequence[Answer]) -> str | None:
    """Return that every answer is cut off, where such a one is not used; or None."""
    reasons = {completion.finish_reason for _, completion in answers}
    if stage.may_be_empty or not stage.limit or reasons != {"length"}:
        return None
    return (
        f"all replies are cut off at {answers[0].request.sampling.max_new_tokens} tokens, and one "
        f"that is cut off is not used. Raise {stage.limit}, or have shorter ones written."
    )


def _only_thoughts(stage: Stage, reasons: set[str], new_tokens: int) -> str:
    off = "turn thinking off (chat_template_kwargs: {enable_thinking: false}, for many models)"
    if reasons == {"length"}:
        cure = f"Raise {stage.limit}" if stage.limit else "Use a model that thinks less"
        return (
            f"all replies are thoughts without an end, cut off at {new_tokens} tokens. {cure}, or "
            f"{off}."
        )
    return (
        "all replies have reasoning but no content: each is a thought without an answer behind it. "
        f"Mend the server's reasoning parser (it must be the one for this model), or {off}."
    )


def _cut_prompts(answers: Sequence[Answer]) -> str | None:
    """Return that prompts are cut, where the tokens that were read can be no whole prompts."""
    read = [
        (sum(len(m.content.split()) for m in request.messages), completion.prompt_tokens)
        for request, completion in answers
        if completion.prompt_tokens
    ]
    counted = [(words, tokens) for words, tokens in read if words >= MIN_WORDS]
    if len(counted) < _ENOUGH:
        return None
    words, tokens = zip(*counted, strict=True)
    too_few = all(tokens_read < TOKENS_PER_WORD * n for n, tokens_read in counted)
    same = len(set(tokens)) == 1 and max(words) > _LENGTH_RATIO * min(words)
    if not too_few and not same:
        return None
    return (
        f"of prompts of {min(words)} to {max(words)} words it read {min(tokens)} to {max(tokens)} "
        "tokens: it cuts prompts to its context and does not say so. Raise that context."
    )


def _same_text(stage: Stage, answers: Sequence[Answer]) -> str | None:
    """Return that all prompts had one answer, where that cannot be by chance."""
    texts = {completion.text.strip() for _, completion in answers}
    text = min(texts)
    if stage.may_be_equal or len(texts) > 1 or len(words_of(text)) < _MIN_EQUAL_WORDS:
        return None
    return (
        f"all got the very same reply: {text[:_QUOTED]!r}. See what the server does with the "
        "prompts, and whether it is that model which replies."
    )
