"""MT-Bench human judgments (Zheng et al., 2023): what people preferred, vote by vote."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ste_plugin.errors import DataError
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.published_files import of_split
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.texts import refuse_equal
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark

logger = logging.getLogger(__name__)
_WINNERS = {"model_a": "model_a", "model_b": "model_b", "tie": None}


def by_question(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the votes on the same two answers together, whichever model was shown first."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    every = list(rows)
    people = [row for row in every if _of_a_person(row)]
    if len(people) < len(every):
        logger.warning(
            "mtbench_human: %d of %d votes left out, as they are not people's: judge %r",
            len(every) - len(people),
            len(every),
            next(row.columns["judge"] for row in every if not _of_a_person(row)),
        )
    for row in people:
        models = sorted((row.text("model_a"), row.text("model_b")))
        groups.setdefault((row.key("question_id"), *models, row.key("turn")), []).append(row)
    return list(groups.values())


def convert(rows: Sequence[Row]) -> list[LabelledPair]:
    """Return one pair with the votes of all rows; chosen is what most people preferred.

    Where they are divided, the model that comes first in the alphabet counts as chosen: merely a
    way to name the two, since `votes` says how many preferred each.
    """
    first = rows[0]
    votes = Counter(_preferred(row) for row in rows)
    experts = Counter(_preferred(row) for row in rows if _of_an_expert(row))
    models = sorted((first.text("model_a"), first.text("model_b")), key=lambda m: (-votes[m], m))
    turn = int(first.number("turn"))
    sides = [
        "conversation_a" if model == first.columns["model_a"] else "conversation_b"
        for model in models
    ]
    chosen, rejected = (_answer(first, side, turn) for side in sides)
    pair = LabelledPair(
        id="/".join([first.key("question_id"), *sorted(models), str(turn)]),
        subset=f"turn {turn}",
        prompt=_prompt(first, turn),
        chosen=chosen,
        rejected=rejected,
        votes=(votes[models[0]], votes[models[1]], votes[None]),
        counted_votes=(experts[models[0]], experts[models[1]], experts[None]),
    )
    refuse_equal(first, pair, *sides)
    return [pair]


def _of_an_expert(row: Row) -> bool:
    """Return whether the authors count a vote as a person's, which their own are not.

    Source: get_judge_name in fastchat/llm_judge/compute_agreement.py of lm-sys/FastChat.
    """
    return "judge" not in row.columns or str(row.columns["judge"]).startswith("expert")


def _of_a_person(row: Row) -> bool:
    """Return whether a vote is a person's; the data set names its other judges in a list."""
    judge = row.columns.get("judge") or "expert"
    return isinstance(judge, str) and not re.match(r"\s*[\[(]|.*gpt", judge, re.IGNORECASE)


def _preferred(row: Row) -> str | None:
    winner = row.one_of("winner", _WINNERS)
    return row.text(winner) if winner else None


def _turns(row: Row, column: str, role: str, count: int) -> list[str]:
    texts = row.turns_of(column, role)[:count]
    if len(texts) < count:
        raise DataError(
            f"{row.where}: {column!r} has {len(texts)} turns of the {role}; expected {count}."
        )
    return texts


def _prompt(row: Row, turn: int) -> str:
    texts = _turns(row, "conversation_a", "user", turn)
    if turn == 1:
        return texts[0]
    what = f"(Each answer is the assistant's side of that conversation; turn {turn} counts.)"
    return f"{_numbered('User', texts)}\n\n{what}"


def _answer(row: Row, column: str, turn: int) -> str:
    texts = _turns(row, column, "assistant", turn)
    return texts[0] if turn == 1 else _numbered("Assistant", texts)


def _numbered(role: str, texts: Sequence[str]) -> str:
    return "\n\n".join(f"{role}, turn {i}: {text}" for i, text in enumerate(texts, start=1))


MTBENCH_HUMAN = Benchmark(
    name="mtbench_human",
    hub="lmsys/mt_bench_human_judgments",
    splits=("human",),
    columns=(
        "question_id",
        "model_a",
        "model_b",
        "winner",
        "conversation_a",
        "conversation_b",
        "turn",
    ),
    convert=convert,
    groups=by_question,
    rows=3355,
    others=(of_split("gpt4_pair"),),
)
