"""Folders that look as public data sets do: their files, columns and counts, in words of our own.

What lies beside the files that count has the same columns where it can, so that reading it shows.
"""

import gzip
import json
from pathlib import Path

from tests.helpers.benchmark_rows import bad, four, good, talk, ties
from tests.helpers.source_files import write_parquet_by_datasets

LLMBAR = {
    "Natural": 100,
    "Adversarial/Neighbor": 134,
    "Adversarial/GPTInst": 92,
    "Adversarial/GPTOut": 47,
    "Adversarial/Manual": 46,
}
JUDGEBENCH = {
    "gpt-4o-2024-05-13": {"mmlu-pro-law": 154, "livebench-reasoning": 98, "livebench-math": 56},
    "claude-3-5-sonnet-20240620": {"mmlu-pro-law": 154, "livebench-reasoning": 51},
}
CODING = {"gpt-4o-2024-05-13": 42, "claude-3-5-sonnet-20240620": 31}
CLAUDE_MATH = 34
RMBENCH = {"chat": 129, "code": 228, "math": 529, "safety-refuse": 284, "safety-response": 157}
REWARDBENCH2 = {"Factuality": 475, "Precise IF": 160, "Math": 183, "Safety": 450, "Focus": 495}


def few(count, each):
    """All of them, or at most `each`."""
    return min(count, each or count)


def put(path: Path, content):
    """Rows as their ending says, or a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    elif path.suffix == ".parquet":
        write_parquet_by_datasets(path, content)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content, indent=1))
    else:
        text = "".join(json.dumps(row) + "\n" for row in content).encode()
        path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def clutter(folder: Path):
    """What a clone, a download and a desktop leave behind."""
    for name in ("README.md", ".DS_Store", ".gitattributes", ".cache/huggingface/a.metadata"):
        put(folder / name, "no rows")
    put(folder / ".cache/huggingface/rows.json", "[]")


def llmbar(folder: Path, each=None):
    for place, count in LLMBAR.items():
        rows = [
            {
                "input": f"Instruction {place} {i}",
                "output_1": (good if i % 2 else bad)(f"{place} {i}"),
                "output_2": (bad if i % 2 else good)(f"{place} {i}", 1),
                "label": 1 if i % 2 else 2,
            }
            for i in range(few(count, each))
        ]
        place = f"LLMBar/{place}"
        put(folder / place / "dataset.json", rows)
        result = folder / place / "evaluators/GPT-4/CoT"
        put(result / "result.json", [{**row, "results": []} for row in rows])
        put(result / "statistics.json", json.dumps({"equal": "1 / 1 = 100%"}))
        put(folder / "CaseStudy/Base-9/dataset.json", rows)
        put(folder / "Processed/FairEval/dataset.json", rows)


def judgebench(folder: Path, each=None):
    for model, sources in JUDGEBENCH.items():
        claude = model.startswith("claude")
        every = {**sources, "livecodebench": CODING[model]}
        every |= {"livebench-math": CLAUDE_MATH} if claude else {}
        rows = [
            {
                "pair_id": f"{model}/{source}/{i}",
                "original_id": i,
                "source": source,
                "question": f"Question {source} {i}",
                "response_model": model,
                "response_A": (good if i % 2 else bad)(f"{source} {i}"),
                "response_B": (bad if i % 2 else good)(f"{source} {i}", 1),
                "label": "A>B" if i % 2 else "B>A",
            }
            for source, count in every.items()
            for i in range(few(count, each))
        ]
        if claude:
            rows[-1]["response_B"] = rows[-1]["response_A"]
        name = f"dataset=judgebench,response_model={model}"
        put(folder / f"data/{name}.jsonl", rows)
        judged = [{**row, "judge_name": "vanilla", "judgments": []} for row in rows]
        put(folder / f"outputs/{name},judge_name=vanilla,judge_model=m.jsonl", judged)


def rmbench_rows(domain, count):
    return [
        {
            "id": f"{i}",
            "prompt": f"Prompt {domain} {i}",
            "chosen": [good(f"{domain} {i}", 2 * j) for j in range(3)],
            "rejected": [bad(f"{domain} {i}", 2 * j) for j in range(3)],
            "domain": domain,
        }
        for i in range(count)
    ]


def rmbench(folder: Path, each=None, total=True):
    """The clone, or without the total its files by domain alone."""
    every = {domain: rmbench_rows(domain, few(n, each)) for domain, n in RMBENCH.items()}
    for domain, rows in every.items():
        bare = [{k: v for k, v in row.items() if k != "domain"} for row in rows]
        put(folder / f"data/{domain}_filtered.json", bare)
    if total:
        put(folder / "data/total_dataset.json", [row for rows in every.values() for row in rows])


def rewardbench(folder: Path, each=None):
    from ste_plugin.lm_eval_tasks.benchmarks.rewardbench import SECTIONS

    counts = {subset: n for subsets in SECTIONS.values() for subset, n in subsets.items()}
    rows = [
        {
            "prompt": f"Prompt {subset} {i}",
            "chosen": good(f"{subset} {i}"),
            "chosen_model": "one",
            "rejected": bad(f"{subset} {i}"),
            "rejected_model": "other",
            "subset": subset,
            "id": i,
        }
        for subset, count in counts.items()
        for i in range(few(count, each))
    ]
    put(folder / "data/filtered-00000-of-00001.parquet", rows)
    put(folder / "data/raw-00000-of-00001.parquet", [*rows, *rows])


def rewardbench2(folder: Path, each=None):
    rows = [four(s, i) for s, n in REWARDBENCH2.items() for i in range(few(n, each))]
    for number in range(few(51, each)):
        rows += [ties("ref", number, right=1), ties("tied", number)]
    put(folder / "data/test-00000-of-00001.parquet", rows)


def helpsteer2(folder: Path, each=None):
    def rows(count):
        return [
            {
                "prompt": f"Prompt {count} {i}",
                "response": (good if (i + j) % 2 else bad)(f"{i} {j}"),
                "helpfulness": 4 if (i + j) % 2 else 1,
                "correctness": 4,
                "coherence": 4,
                "complexity": 1,
                "verbosity": 1,
            }
            for i in range(few(count, each))
            for j in range(2)
        ]

    put(folder / "validation.jsonl.gz", rows(519))
    put(folder / "train.jsonl.gz", rows(600))
    for name in ("preference", "disagreements"):
        put(folder / f"{name}/{name}.jsonl.gz", [{"prompt": "p", "split": "train"}])


def mtbench_human(folder: Path, each=None):
    """About three votes on each two answers of a turn, most of them for gpt-4's."""
    shown = few(30, each) * 40

    def vote(i, judge, winner):
        k = i % shown
        return {
            "question_id": 81 + k // 40,
            "model_a": "gpt-4",
            "model_b": f"llama-{k % 20}",
            "winner": winner,
            "judge": judge,
            "conversation_a": talk("gpt-4", k // 40),
            "conversation_b": talk("llama", k // 40),
            "turn": 1 + k // 20 % 2,
        }

    winners = ("model_a", "model_a", "tie", "model_b", "model_a")
    people = [
        vote(i, f"{'expert' if i % 3 else 'author'}_{i % 7}", winners[(i + i // shown) % 5])
        for i in range(few(3355, each and 3 * shown))
    ]
    models = [vote(i, ["gpt-4", "pair-v2"], "model_b") for i in range(few(2400, each and shown))]
    put(folder / "data/human-00000-of-00001-25f4910818759289.parquet", people)
    put(folder / "data/gpt4_pair-00000-of-00001-c0b431264a82ddc0.parquet", models)


SETS = {
    made.__name__: made
    for made in (
        llmbar,
        judgebench,
        rmbench,
        rewardbench,
        rewardbench2,
        helpsteer2,
        mtbench_human,
    )
}


def publish(folder: Path, name: str, each=None, **how) -> Path:
    """The data set in that folder, with at most `each` rows of a part and what lies beside."""
    SETS[name](folder, each, **how)
    clutter(folder)
    return folder
