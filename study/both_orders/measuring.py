"""What a judge of letters says of each set: log-odds of the right letter, in both orders."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.calibration import temperature_of
from ste_plugin.lm_eval_tasks.bootstrap import prompt_key
from ste_plugin.records import ORDERS
from ste_plugin.storage.dataset_manifest import DatasetManifest
from study.inputs import CHOOSING, REPORTING, draw_pairs, read

LONGEST = 1200
"""Characters of a labelled pair: judges of letters are taught here by short answers."""


def measure(
    judge: Path, source: DatasetManifest, kind: str, data: Path, pairs: int, work: Path
) -> Iterator[dict[str, Any]]:
    """Yield a judge's margins on each set, and the temperature that corrects them.

    `kind`: what the set of the data set's own test pairs is called.
    """
    import torch
    import transformers

    from ste_plugin.axolotl import held_out
    from ste_plugin.axolotl.strategies import template_of
    from ste_plugin.lm_eval_tasks.odds_metrics import margins_of

    judge_format = FORMATS[source.judge_format["name"]]
    tokenizer = transformers.AutoTokenizer.from_pretrained(judge)
    model = transformers.AutoModelForCausalLM.from_pretrained(judge, dtype=torch.float32).eval()
    ask = held_out.likelier_choice(model, template_of(tokenizer, source), judge_format)
    temperature = temperature_of(judge, judge_format.version)
    own = held_out.held_out_prompts(row for _, row in source.rows("judge-test"))
    labelled = labelled_sets(judge_format, data, pairs, work)
    for name, prompts in ((kind, own), *labelled):
        answers: dict[int, held_out.Answer] = {}
        with torch.no_grad():
            for batch in held_out.in_batches(prompts, 8):
                said = ask([prompts[i] for i in batch])
                answers |= dict(zip(batch, said, strict=True))
        judged = held_out.judged_pairs(prompts, [answers[i] for i in sorted(answers)], judge_format)
        margins = [
            [prompt_key(each.prompt), *(round(m, 4) for m in margins_of(each))] for each in judged
        ]
        yield {"set": name, "temperature": temperature, "margins": margins}


def labelled_sets(
    judge_format: JudgeFormat, data: Path, pairs: int, work: Path
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield each labelled set's prompts, both orders of a pair side by side, of as many pairs as
    are asked for; a set with fewer short ones is left out."""
    files = draw_pairs(data, pairs, work / "pairs", LONGEST)
    for name in (*CHOOSING, *REPORTING):
        if len(rows := read(Path(files[name]))) == pairs:
            yield name, list(_prompts(name, rows, judge_format))


def _prompts(name: str, rows: Sequence[dict[str, Any]], judge_format: JudgeFormat) -> Iterator[Any]:
    from ste_plugin.axolotl.held_out import HeldOutPrompt

    opening = judge_format.forced_prefix("")
    for row in rows:
        texts = (row["prompt"], row["chosen"], row["rejected"])
        for gold in ORDERS:
            messages = judge_format.render_pair(*texts, gold)
            yield HeldOutPrompt(row["id"], name, row["prompt"], gold, messages, opening)
