"""What the authors of each benchmark compute, written down once more from its definition.

Each takes what a judge said of every pair: (pair, verdict with the better one as A, and as B),
where a verdict is A, B or None. Nothing of the package's own figures is used.
"""

import numpy as np

OTHER = {"A": "B", "B": "A", None: None}


def signs(said):
    """+1 for a right verdict, -1 for a wrong one, 0 for none; the better one shown as A, as B."""
    return [{gold: 1, None: 0}.get(verdict, -1) for gold, verdict in zip("AB", said, strict=True)]


def rmbench(judged):
    """One 3x3 matrix a domain, rows the style of the better response, columns of the worse one."""
    matrices, rows = {}, {}
    for pair, *said in judged:
        name, key, cell = pair.id.split("/")
        domain = name.split("-")[0].capitalize()
        matrix = matrices.setdefault(domain, np.zeros((3, 3)))
        matrix[int(cell[0]), int(cell[1])] += sum(sign == 1 for sign in signs(said)) / 2
        rows.setdefault(domain, set()).add((name, key))
    levels = {}
    for domain, matrix in matrices.items():
        right = matrix / len(rows[domain])
        levels[domain] = {
            "hard": np.triu(right, 1).sum() / 3,
            "normal": np.diag(right).mean(),
            "easy": np.tril(right, -1).sum() / 3,
        }
    domains = {domain: np.mean(list(each.values())) for domain, each in levels.items()}
    over = {k: np.mean([each[k] for each in levels.values()]) for k in ("easy", "normal", "hard")}
    return {**over, **domains, "average": np.mean(list(domains.values()))}


def judgebench(judged):
    """The share of pairs whose verdicts, +1 and -1, sum to more than 0, by model and source."""
    kinds = ("mmlu-pro", "livebench-reasoning", "livebench-math", "livecodebench", "")
    found = {}
    for pair, *said in judged:
        model, source, _ = pair.id.split("/")
        for kind in kinds:
            if source.startswith(kind):
                name = "/".join(filter(None, (model.split("-")[0], kind)))
                found.setdefault(name, []).append(sum(signs(said)) > 0)
    return {name: np.mean(won) for name, won in found.items()}


def llmbar(judged):
    """Right verdicts of both orders, and how often they name the same output, or neither any."""
    right, equal = {}, {}
    for pair, as_a, as_b in judged:
        of_two = [sign == 1 for sign in signs((as_a, as_b))]
        right.setdefault(pair.subset, []).append(np.mean(of_two))
        equal.setdefault(pair.subset, []).append(as_a == OTHER[as_b])
    found = {name: np.mean(points) for name, points in right.items()}
    found |= {f"equal/{name}": np.mean(same) for name, same in equal.items()}
    adversarial = ("Neighbor", "GPTInst", "GPTOut", "Manual")
    for prefix in ("", "equal/"):
        found[f"{prefix}Adversarial"] = np.mean([found[prefix + name] for name in adversarial])
    return found


def mtbench_human(judged, rows):
    """Agreement of every expert's vote with the judge, whose verdict counts in both orders only.

    A reply without a verdict is FastChat's "error", which equals no vote and is no tie.
    """
    preferred = {}
    for pair, as_a, as_b in judged:
        question, first, second, turn = pair.id.split("/")
        chosen = first if pair.chosen.partition("GOOD")[1] and first == "gpt-4" else second
        other = second if chosen == first else first
        named = [{"A": chosen, "B": other}.get(as_a), {"B": chosen, "A": other}.get(as_b)]
        said = "error" if None in named else named[0] if named[0] == named[1] else "tie"
        preferred[question, first, second, turn] = said
    found = {}
    for row in rows:
        if not row["judge"].startswith("expert"):
            continue
        models = sorted((row["model_a"], row["model_b"]))
        judge = preferred[str(row["question_id"]), *models, str(row["turn"])]
        person = row.get(row["winner"], "tie")
        found.setdefault(f"agreement/turn {row['turn']}", []).append(judge == person)
        if "tie" not in (judge, person):
            found.setdefault(f"agreement_no_tie/turn {row['turn']}", []).append(judge == person)
    return {name: np.mean(agreed) for name, agreed in found.items()}
