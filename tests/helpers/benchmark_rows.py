"""Small data sets with the columns of the published ones; good answers say that they are."""

import json
from pathlib import Path

from ste_plugin.lm_eval_tasks.benchmarks.rewardbench import SECTIONS

HIDDEN = "must-not-be-shown"
"""In every column that a judge must not see."""


def good(key, length=0):
    return f"GOOD answer to {key}.{' More of it.' * length}"


def bad(key, length=0):
    return f"BAD answer to {key}.{' More of it.' * length}"


def rewardbench():
    subsets = [subset for section in SECTIONS.values() for subset in section]
    return [
        {
            "id": 2 * s + i,
            "prompt": f"Prompt {subset} {i}",
            "subset": subset,
            "chosen": good(subset, s % 3),
            "rejected": bad(subset, i),
            "chosen_model": HIDDEN,
            "rejected_model": HIDDEN,
        }
        for s, subset in enumerate(subsets)
        for i in range(2)
    ]


def four(subset, i):
    return {
        "id": str(i),
        "prompt": f"Prompt {subset} {i}",
        "subset": subset,
        "chosen": [good(f"{subset} {i}", i)],
        "rejected": [bad(f"{subset} {i} {j}", 1) for j in range(3)],
        "num_correct": 1,
        "num_incorrect": 3,
        "total_completions": 4,
        "models": [HIDDEN] * 4,
        "additional_metadata": {"method": HIDDEN},
    }


def ties(kind, number, right=3, wrong=2):
    return {
        "id": f"{kind}:{number}",
        "prompt": f"Prompt {kind} {number}",
        "subset": "Ties",
        "chosen": [good(f"{kind} {number} {j}", j) for j in range(right)],
        "rejected": [bad(f"{kind} {number} {j}", 1) for j in range(wrong)],
        "num_correct": right,
        "num_incorrect": wrong,
        "total_completions": right + wrong,
        "models": [HIDDEN] * (right + wrong),
        "additional_metadata": None,
    }


def rewardbench2():
    single = ("Factuality", "Precise IF", "Math", "Safety", "Focus")
    found = [four(subset, i) for subset in single for i in range(3)]
    for number in range(2):
        found += [ties("ref", number, right=1), ties("tied", number)]
    return found


def judgebench():
    models = ["gpt-4o-2024-05-13", "claude-3-5-sonnet-20240620"]
    return [
        {
            "pair_id": f"{model[:3]}{i}",
            "original_id": HIDDEN,
            "source": HIDDEN,
            "question": f"Question {model[:3]} {i}",
            "response_model": model,
            "response_A": (good if i % 2 else bad)(i, i),
            "response_B": (bad if i % 2 else good)(i, 1),
            "label": "A>B" if i % 2 else "B>A",
        }
        for model in models
        for i in range(3)
    ]


def llmbar():
    return [
        {
            "input": f"Instruction {i}",
            "output_1": (good if i % 2 else bad)(i, i),
            "output_2": (bad if i % 2 else good)(i, 2),
            "label": 1 if i % 2 else 2,
        }
        for i in range(4)
    ]


def talk(model, question, turns=2):
    answer = good if model == "gpt-4" else bad
    said = []
    for turn in range(1, turns + 1):
        said += [
            {"role": "user", "content": f"Question {question}, part {turn}"},
            {"role": "assistant", "content": answer(f"{question} {turn}", 2 - turn)},
        ]
    return said


def vote(question, winner, turn=1, swapped=False):
    """One vote for `gpt-4`, `llama` or `tie`."""
    models = ["llama", "gpt-4"] if swapped else ["gpt-4", "llama"]
    names = {
        "gpt-4": f"model_{'ba'[models[0] == 'gpt-4']}",
        "llama": f"model_{'ba'[models[0] == 'llama']}",
    }
    return {
        "question_id": question,
        "model_a": models[0],
        "model_b": models[1],
        "winner": names.get(winner, winner),
        "judge": HIDDEN,
        "turn": turn,
        "conversation_a": talk(models[0], question),
        "conversation_b": talk(models[1], question),
    }


def mtbench_human():
    return [
        vote(81, "gpt-4"),
        vote(81, "gpt-4", swapped=True),
        vote(81, "llama"),
        vote(81, "gpt-4", turn=2),
        vote(81, "tie", turn=2, swapped=True),
        vote(82, "gpt-4", swapped=True),
    ]


def helpsteer2(scores=((4, 2), (1, 3), (2, 2))):
    return [
        {
            "prompt": f"Prompt {i}",
            "response": (good if s == max(pair) else bad)(f"{i} {j}", i),
            "helpfulness": s,
            "correctness": 9,
            "coherence": 9,
            "complexity": 9,
            "verbosity": 9,
        }
        for i, pair in enumerate(scores)
        for j, s in enumerate(pair)
    ]


def rmbench():
    domains = ["chat", "code", "math", "safety-refuse", "safety-response"]
    return [
        {
            "id": f"{i}",
            "prompt": f"Prompt {domain}",
            "domain": domain,
            "chosen": [good(domain, 2 * j) for j in range(3)],
            "rejected": [bad(domain, 2 * j) for j in range(3)],
        }
        for i, domain in enumerate(domains)
    ]


def local():
    one = {"subset": "s", "prompt": "Prompt"}
    return [
        one | {"id": "0", "chosen": good(0), "rejected": bad(0, 1)},
        one | {"id": "1", "response_a": bad(1), "response_b": good(1), "label": "B"},
        one | {"id": "2", "response_a": good(2), "response_b": bad(2), "label": None},
    ]


SMALL = {
    made.__name__: made
    for made in (
        rewardbench,
        rewardbench2,
        judgebench,
        llmbar,
        mtbench_human,
        helpsteer2,
        rmbench,
        local,
    )
}


def written(path: Path, rows) -> Path:
    """Rows as JSON, one a line or, in `.json`, as a list."""
    text = json.dumps(rows) if path.suffix == ".json" else "\n".join(map(json.dumps, rows)) + "\n"
    path.write_text(text)
    return path


def in_folder(folder: Path) -> Path:
    """A folder that serves every task."""
    for name, rows in SMALL.items():
        written(folder / f"{name}.jsonl", rows())
    return folder
