"""Folders of runs to look at, of a few pairs with reasons: two rounds, sampled and measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ste_plugin.config import RunConfig
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.labelled.pair import ONE_VOTE, LabelledPair
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import Choice
from ste_plugin.lm_eval_tasks.choice_scores import ChoiceScore
from ste_plugin.lm_eval_tasks.figures import summarise
from ste_plugin.lm_eval_tasks.judged_file import write_judged
from ste_plugin.lm_eval_tasks.replies import read_replies
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.records import ORDERS, Judgment, ResponsePair, content_key
from ste_plugin.storage.jsonl import encode_record, replace_json, replace_rows

FORMAT = FORMATS["brief"]
TOPICS = ("tides", "bread", "bicycles", "chess", "owls", "glaciers", "maps", "violins")
STRATEGIES = ("modified-instruction", "other-instruction")
RIGHT, WRONG, FLIPS = "AB", "BA", "AA"
"""What is said where the better answer is shown as A, and where it is shown as B."""


def pairs(count: int, **words: str) -> list[ResponsePair]:
    """Return pairs, two of each question; `words` replace texts of the first."""
    made = []
    for number in range(count):
        topic = TOPICS[number // 2 % len(TOPICS)]
        texts = {
            "instruction": f"Explain {topic} to a curious child, case {number // 2}.",
            "better": f"{topic.title()} work like this: first one thing, then the other.",
            "worse": f"Ask somebody else about {topic}.",
        }
        texts |= words if number == 0 else {}
        strategy = STRATEGIES[number % 2]
        instruction_key = content_key(texts["instruction"])
        key = content_key(texts["instruction"], number)
        made.append(ResponsePair(key, instruction_key, strategy=strategy, **texts))
    return made


def write_pool(root: Path, made: Sequence[ResponsePair], test: Sequence[ResponsePair] = ()) -> None:
    """Write run.yaml and the pool; the pairs of `test` are held out."""
    (root / "pool").mkdir(parents=True)
    config = RunConfig.model_validate(
        {
            "run": "run",
            "judge": {"model": "seed"},
            "instructions": [{"path": "instructions.jsonl"}],
            "judging": {"format": FORMAT.name},
            "training": {"recipe": "sft-lora-8b"},
        }
    ).model_dump(mode="json")
    (root / "run.yaml").write_text(yaml.safe_dump({"ste_version": "0.1.0", "config": config}))
    with (root / "pool" / "pairs.jsonl").open("wb") as file:
        file.writelines(map(encode_record, made))
    replace_rows(root / "pool" / "test-0.jsonl", map(held_out, test))


def held_out(pair: ResponsePair) -> dict[str, str]:
    """Return a pair as a file of held-out pairs has it."""
    return {
        "id": pair.key,
        "subset": pair.strategy,
        "prompt": pair.instruction,
        "chosen": pair.better,
        "rejected": pair.worse,
    }


def reason(gold: str, verdict: str, by: str = "") -> str:
    """Return a judgment that reasons."""
    side = "follows the question" if verdict == gold else "sounds friendlier"
    return f"Answer {verdict} {side}{by}; the other one does not. Final verdict: [[{verdict}]]"


def write_judgments(
    folder: Path, said: Mapping[ResponsePair, Sequence[str]], thinking: str = ""
) -> None:
    """Write judgments.jsonl: of each pair, what the samples of each order say, as `AAB`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "judgments.jsonl").open("wb") as file:
        for pair, orders in said.items():
            for gold, samples in zip(ORDERS, orders, strict=True):
                for number, verdict in enumerate(samples):
                    key = content_key(pair.key, gold, folder.name)
                    judgment = Judgment(
                        f"{key}-{number}",
                        pair.key,
                        gold,
                        number,
                        reason(gold, verdict, f" in sample {number}"),
                        verdict,
                        False,
                        thinking,
                    )
                    file.write(encode_record(judgment))


def write_evaluation(
    folder: Path,
    said: Mapping[ResponsePair, str],
    by: str = "",
    people: Mapping[str, tuple[int, int, int]] | None = None,
) -> None:
    """Write what `ste eval` does: of each pair, the letters said in both orders, as `AB`.

    `people`: pair's key → how many prefer the better answer, the other one, neither.
    """
    votes = people or {}
    labelled = {
        pair.key: LabelledPair(**held_out(pair), votes=votes.get(pair.key, ONE_VOTE))
        for pair in said
    }
    settings = JudgeSettings()
    judged, samples = [], []
    for pair, letters in said.items():
        texts = [reason(gold, letter, by) for gold, letter in zip(ORDERS, letters, strict=True)]
        judged.append(read_replies(labelled[pair.key], texts, FORMAT, settings))
        samples.append(_sample(pair, texts, labelled[pair.key]))
    (folder / "lm-eval").mkdir(parents=True)
    write_judged(folder, judged)
    replace_rows(folder / "lm-eval" / "samples_ste_local_2026-01-01T00-00-00.000000.jsonl", samples)
    how = {
        "task": "ste_local",
        "model": "judge",
        "judge_format": FORMAT.version,
        "pairs_sha256": content_key([pair.key for pair in said]),
        "settings": {"mode": "verdict", "limit": None},
    }
    replace_json(folder / "results.json", how | summarise(judged, 0, settings))


def _sample(pair: ResponsePair, texts: Sequence[str], doc: LabelledPair) -> dict[str, Any]:
    prompts = [
        FORMAT.render_pair(pair.instruction, pair.better, pair.worse, gold)[0].content
        for gold in ORDERS
    ]
    asked = {
        f"gen_args_{n}": {"arg_0": f"<|user|>{prompt}<|assistant|>", "arg_1": {"until": []}}
        for n, prompt in enumerate(prompts)
    }
    return {
        "doc_id": 0,
        "doc": doc.to_doc(),
        "arguments": asked,
        "resps": [[text] for text in texts],
        "filtered_resps": list(texts),
    }


def write_choices(folder: Path, points: Sequence[float]) -> None:
    """Write an evaluation of RewardBench 2: of each row what its choice is worth."""
    (folder / "lm-eval").mkdir(parents=True)
    choices = [
        Choice(
            f"Focus/{n}", "Focus", f"Question {n}?", (f"Good {n}.",), ("Bad.", "Worse.", "Worst.")
        )
        for n in range(len(points))
    ]
    scores = [
        ChoiceScore("Focus", row.id, value, 1, 0, 0.25, 0.0)._asdict() | {"id": row.id}
        for row, value in zip(choices, points, strict=True)
    ]
    replace_rows(folder / "judged.jsonl", scores)
    samples = [
        {
            "doc": row.to_doc(),
            "arguments": {"gen_args_0": {"arg_0": f"Best of four: {row.prompt}", "arg_1": {}}},
            "filtered_resps": ["Errors were named. Final verdict: [[C]]"],
        }
        for row in choices
    ]
    replace_rows(folder / "lm-eval" / "samples_ste_rewardbench2_2026-01-01.jsonl", samples)


def write_run(root: Path, count: int = 16, held: int = 8, **words: str) -> list[ResponsePair]:
    """Write a finished run of two rounds; return its pairs, of which the last are held out.

    On the held-out pairs the seed flips always, the first judge is right on every second, and the
    second on all but the first.
    """
    made = pairs(count, **words)
    train, test = made[: count - held], made[count - held :]
    write_pool(root, made, test)
    for number in (1, 2):
        said = dict.fromkeys(train, ("A", "AB" if number == 1 else "B"))
        write_judgments(root / f"iter-{number:02d}", said, "<think>\nWhich one?\n</think>\n\n")
    write_evaluation(root / "iter-00/eval/test", dict.fromkeys(test, FLIPS), " to the seed")
    write_evaluation(
        root / "iter-01/eval/test",
        {pair: RIGHT if n % 2 else FLIPS for n, pair in enumerate(test)},
        " to the first",
    )
    write_evaluation(
        root / "iter-02/eval/test",
        {pair: WRONG if n == 0 else RIGHT for n, pair in enumerate(test)},
        " to the second",
    )
    return made


def label(root: Path, labels: Mapping[str, str]) -> None:
    """Write what people said in `ste review`: key of a pair → better, worse or tie."""
    from ste_plugin.review.labels import Label, append_labels, labels_path
    from ste_plugin.storage.run_layout import RunLayout

    said = [Label("Ada", "pair", key, choice) for key, choice in labels.items()]  # type: ignore[arg-type]
    append_labels(labels_path(RunLayout(root)), said)


def damage(path: Path, line: int) -> None:
    """Damage one line in the middle of a file, from 0."""
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line][: len(lines[line]) // 2] + b"\n"
    path.write_bytes(b"".join(lines))
