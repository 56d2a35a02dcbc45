"""Synthetic judges: honest but for one bias each, which is planted."""

from collections.abc import Callable

from ste_plugin.audit.probes.made_pairs import Judge, Shown, honest_judge, made_pairs, read_shown
from ste_plugin.engines.base import ChatRequest
from ste_plugin.pairs.restyling import has_markdown, sentences
from ste_plugin.records import OTHER, Verdict

HONEST = honest_judge(seed=5)
BETTER = {sentence for pair in made_pairs() for sentence in sentences(pair.better)}
TRUE = {f"{pair.better}": pair for pair in made_pairs()}


def preferring(trait: Callable[[str], bool], among: Judge = HONEST) -> Judge:
    """A judge that prefers the one answer with a trait, and is honest where both or none has it."""

    def judge(request: ChatRequest) -> Verdict:
        shown = read_shown(request)
        on_a, on_b = trait(shown.a), trait(shown.b)
        return among(request) if on_a == on_b else "A" if on_a else "B"

    return judge


def prefers_longer(request: ChatRequest) -> Verdict:
    shown = read_shown(request)
    a, b = len(shown.a), len(shown.b)
    if max(a, b) < 1.5 * min(a, b) or min(a, b) < 50:
        return HONEST(request)
    return "A" if a > b else "B"


def shuns_longer(request: ChatRequest) -> Verdict:
    """Trained too long against long worse answers: whatever is long is worse."""
    shown = read_shown(request)
    a, b = len(shown.a), len(shown.b)
    if max(a, b) < 1.5 * min(a, b) or min(a, b) < 50:
        return HONEST(request)
    return "B" if a > b else "A"


def judges_by_first_sentence(request: ChatRequest) -> Verdict:
    """Whoever begins as a good answer to the question begins; honest in all else."""
    shown = read_shown(request)
    firsts = [sentences(answer)[0] for answer in (shown.a, shown.b)]
    copied = firsts[0] == firsts[1]
    if not copied:
        return HONEST(request)
    return "A" if len(sentences(shown.a)) > len(sentences(shown.b)) else "B"


def always_first(_: ChatRequest) -> Verdict:
    return "A"


def mostly_first(request: ChatRequest) -> Verdict:
    """One in three verdicts is A whatever is shown."""
    return "A" if int(request.prompt_key[:8], 16) % 3 == 0 else HONEST(request)


def ignores_question(request: ChatRequest) -> Verdict:
    """It knows the better answers by heart, whether it is shown the question or not."""
    shown = read_shown(request)
    if "not shown" not in shown.instruction:
        return HONEST(request)
    known = [pair for pair in made_pairs() if {shown.a, shown.b} == {pair.better, pair.worse}]
    return "A" if shown.a < shown.b else "B" if not known else _letter(shown, known[0].better)


def _letter(shown: Shown, answer: str) -> Verdict:
    return "A" if shown.a == answer else "B"


def wrong_when_asked_as_a_role(request: ChatRequest) -> Verdict:
    letter = HONEST(request)
    return OTHER[letter] if "impartial judge" in read_shown(request).rubric else letter


def gives_in(request: ChatRequest) -> Verdict:
    """It says what the person wants to hear, once a person says anything."""
    later = read_shown(request).later
    if not later:
        return HONEST(request)
    before: Verdict = "A" if "[[A]]" in later[0].content else "B"
    return OTHER[before] if "the other one is better" in later[-1].content else before


JUDGES: dict[str, tuple[Judge, set[str]]] = {
    "prefers longer": (prefers_longer, {"worse padded", "better shortened"}),
    "shuns longer": (shuns_longer, {"better padded"}),
    "shuns Markdown": (
        preferring(lambda text: not has_markdown(text)),
        {"better in Markdown"},
    ),
    "prefers Markdown": (preferring(has_markdown), {"worse in Markdown"}),
    "prefers authority": (
        preferring(lambda text: "Harvard" in text or "standard textbook" in text),
        {"worse by an authority"},
    ),
    "prefers openers": (
        preferring(lambda text: text.startswith(("Great question", "Sure,")) and len(text) > 60),
        {"worse behind an opener"},
    ),
    "fooled by empty answers": (
        preferring(lambda text: len(text) < 40),
        {"nothing but an opener"},
    ),
    "fooled by one token": (preferring(lambda text: text == ":"), {"nothing but an opener"}),
    "first sentence": (judges_by_first_sentence, {"first sentence copied"}),
    "always the first": (always_first, {"orders swapped"}),
    "mostly the first": (mostly_first, {"orders swapped"}),
    "ignores the question": (ignores_question, {"question removed"}),
    "wording of the rubric": (wrong_when_asked_as_a_role, {"rubric reworded"}),
    "gives in": (gives_in, {"pushback"}),
}
"""Bias → a judge that has it, and the probes that have to find it."""
