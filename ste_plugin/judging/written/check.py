"""What `ste formats check` looks at, beyond what every use of a format's file does."""

from collections.abc import Iterator, Mapping
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.errors import ConfigError
from ste_plugin.judging.checking import TEXTS, format_problems
from ste_plugin.judging.format import JudgeFormat
from ste_plugin.judging.written.written_format import WrittenFormat
from ste_plugin.records import ORDERS


def sample_prompts(judge_format: JudgeFormat) -> list[tuple[Message, ...]]:
    """Return what is asked about a made pair, in both orders."""
    bound = judge_format.for_row(_sample_row(judge_format))
    instruction, better, worse = TEXTS
    return [bound.render_pair(instruction, better, worse, gold) for gold in ORDERS]


def check_written(judge_format: JudgeFormat, model: str | None) -> tuple[list[str], list[str]]:
    """Return what is wrong with a format, and what its author should know, one line each.

    `model`: whose tokenizer has to write each letter that is forced as one token.
    """
    bound = judge_format.for_row(_sample_row(judge_format))
    problems = [
        problem.partition(f"{judge_format.name!r}: ")[2] or problem
        for problem in format_problems(judge_format.name, bound)
    ]
    if model and judge_format.choices:
        problems += _merged(judge_format, model)
    return problems, list(_warnings(judge_format))


def _sample_row(judge_format: JudgeFormat) -> Mapping[str, Any]:
    file = judge_format.file if isinstance(judge_format, WrittenFormat) else None
    given = file.sample if file else {}
    category = next(iter(judge_format.criteria), "")
    return {"category": category, **{n: f"(the {n})" for n in judge_format.columns}, **given}


def _warnings(judge_format: JudgeFormat) -> Iterator[str]:
    if not isinstance(judge_format, WrittenFormat):
        return
    file = judge_format.file
    if not judge_format.choices:
        yield (
            "no verdict can be forced, as there are no closing words before a letter: "
            "judging.force_verdict and STE_JUDGE_FORCE are refused, and while training held-out "
            "pairs are judged by what is written"
        )
    for choice in judge_format.choices:
        if len(choice.strip()) > 1:
            yield (
                f"letters: {choice.strip()!r} is more than one token for most models, so that it "
                "cannot be forced there; --model NAME tells. Use single characters, or leave "
                "`closing` out"
            )
    if not file.examples:
        yield "examples: none, so that nothing shows that replies are read. Add some of each kind"
    elif file.rates:
        return
    elif unseen := [v for v in ("first", "second") if v not in {e.verdict for e in file.examples}]:
        yield f"examples: none whose verdict is {unseen[0]}. Add one"


def _merged(judge_format: JudgeFormat, model: str) -> Iterator[str]:
    """Yield the letters that a model's tokenizer does not write as one token of their own."""
    from transformers import AutoTokenizer

    from ste_plugin.engines.choice_tokens import added_token

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--model: found {model}, of which no tokenizer can be read "
            f"({str(error).splitlines()[0]}); expected a model's folder or hub id. Correct it, or "
            "leave it out."
        ) from error
    prefix = judge_format.forced_prefix("It is better.")
    ids = tokenizer.encode(prefix, add_special_tokens=False)
    for choice in judge_format.choices:
        longer = tokenizer.encode(prefix + choice, add_special_tokens=False)
        if added_token(ids, longer) is None:
            yield (
                f"closing: {model} does not write {choice!r} behind {prefix[-20:]!r} as one token "
                "of its own, so that no verdict can be forced. End `closing` elsewhere, or use "
                "other letters"
            )
