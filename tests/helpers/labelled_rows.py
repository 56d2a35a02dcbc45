"""Rows in the shapes in which preferences are published: one pair in all of them."""

from typing import Any

ASKED, BETTER, WORSE = "Name a fruit.", "An apple.", "A spade."
TALK = [
    {"role": "user", "content": "I am hungry."},
    {"role": "assistant", "content": "What do you like?"},
    {"role": "user", "content": ASKED},
]
TALK_IN_WORDS = "User: I am hungry.\n\nAssistant: What do you like?\n\nUser: Name a fruit."
Rows = list[dict[str, Any]]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def reply(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def spoken(*texts: str) -> str:
    """A dialogue in words, as hh-rlhf has them."""
    who = ("Human", "Assistant")
    return "".join(f"\n\n{who[n % 2]}: {text}" for n, text in enumerate(texts))


def shared(text: str) -> list[dict[str, str]]:
    """ShareGPT's turns."""
    return [{"from": "human", "value": ASKED}, {"from": "gpt", "value": text}]


def parts(text: str) -> list[dict[str, Any]]:
    """A conversation whose texts come in parts, as in newer arena files."""
    return [
        {
            "role": turn["role"],
            "content": [{"type": "text", "text": turn["content"], "image": None}],
        }
        for turn in (user(ASKED), reply(text))
    ]


def rated(text: str, score: float, *ratings: str) -> dict[str, Any]:
    """A completion of UltraFeedback."""
    names = ("helpfulness", "honesty", "instruction_following", "truthfulness")
    annotations = {
        name: {"Rating": rating, "Rationale": "So it is."}
        for name, rating in zip(names, ratings, strict=False)
    }
    return {"model": "m", "response": text, "overall_score": score, "annotations": annotations}


ATTRIBUTES = {"correctness": 3, "coherence": 4, "complexity": 1, "verbosity": 1}

ONE_TURN: dict[str, Rows] = {
    "own": [{"id": "p", "subset": "s", "prompt": ASKED, "chosen": BETTER, "rejected": WORSE}],
    "tulu-3": [
        {
            "id": "p",
            "source": "made",
            "prompt": ASKED,
            "chosen": [user(ASKED), reply(BETTER)],
            "rejected": [user(ASKED), reply(WORSE)],
            "chosen_model": "x",
            "rejected_model": "y",
        }
    ],
    "ultrafeedback-binarized": [
        {
            "prompt": ASKED,
            "prompt_id": "5e1",
            "chosen": [user(ASKED), reply(BETTER)],
            "rejected": [user(ASKED), reply(WORSE)],
            "messages": [user(ASKED), reply(BETTER)],
            "score_chosen": 8.0,
            "score_rejected": 4.5,
        }
    ],
    "skywork": [
        {
            "chosen": [user(ASKED), reply(BETTER)],
            "rejected": [user(ASKED), reply(WORSE)],
            "source": "magpie",
        }
    ],
    "trl with a prompt of turns": [
        {"prompt": [user(ASKED)], "chosen": [reply(BETTER)], "rejected": [reply(WORSE)]}
    ],
    "hh-rlhf": [{"chosen": spoken(ASKED, BETTER), "rejected": spoken(ASKED, WORSE)}],
    "hh-rlhf with a prompt": [
        {"prompt": f"\n\nHuman: {ASKED}\n\nAssistant:", "chosen": BETTER, "rejected": WORSE}
    ],
    "sharegpt": [{"chosen": shared(BETTER), "rejected": shared(WORSE)}],
    "sharegpt with conversations": [
        {
            "conversations": shared("")[:1],
            "chosen": shared(BETTER)[1],
            "rejected": shared(WORSE)[1],
        }
    ],
    "alpaca": [{"instruction": ASKED, "input": "", "chosen": BETTER, "rejected": WORSE}],
    "helpsteer3": [
        {
            "domain": "general",
            "language": "english",
            "context": [user(ASKED)],
            "response1": WORSE,
            "response2": BETTER,
            "overall_preference": 2,
            "individual_preference": [{"score": 2, "reasoning": "So."}],
        }
    ],
    "helpsteer2-preference": [
        {
            "split": "train",
            "prompt": ASKED,
            "response_1": BETTER,
            "response_2": WORSE,
            "preference_strength": -3,
            "preference_statement": "So.",
        }
    ],
    "helpsteer2": [
        {"prompt": ASKED, "response": WORSE, "helpfulness": 1, **ATTRIBUTES},
        {"prompt": ASKED, "response": BETTER, "helpfulness": 4, **ATTRIBUTES},
    ],
    "chatbot-arena": [
        {
            "question_id": "q",
            "model_a": "x",
            "model_b": "y",
            "winner": "model_b",
            "judge": "arena_user_1",
            "conversation_a": [user(ASKED), reply(WORSE)],
            "conversation_b": [user(ASKED), reply(BETTER)],
            "turn": 1,
        }
    ],
    "arena-human-preference-140k": [
        {
            "id": "p",
            "winner": "model_a",
            "conversation_a": parts(BETTER),
            "conversation_b": parts(WORSE),
            "language": "en",
        }
    ],
    "arena-human-preference-55k": [
        {
            "id": 30192,
            "model_a": "x",
            "model_b": "y",
            "prompt": f'["{ASKED}"]',
            "response_a": f'["{WORSE}"]',
            "response_b": f'["{BETTER}"]',
            "winner_model_a": 0,
            "winner_model_b": 1,
            "winner_tie": 0,
        }
    ],
    "nectar": [
        {
            "prompt": f"\n\nHuman: {ASKED}\n\nAssistant: ",
            "answers": [
                {"answer": "A pear, perhaps.", "model": "z", "rank": 2.0},
                {"answer": WORSE, "model": "y", "rank": 7.0},
                {"answer": BETTER, "model": "x", "rank": 1.0},
            ],
            "turns": 1,
            "source": ["made"],
        }
    ],
    "ultrafeedback": [
        {
            "source": "made",
            "instruction": ASKED,
            "models": ["x", "y"],
            "completions": [rated(WORSE, 10.0, "1", "2", "1", "N/A"), rated(BETTER, 8.5, "5", "4")],
        }
    ],
    "ppe-human-preference": [
        {
            "question_id": "q",
            "model_a": "x",
            "model_b": "y",
            "winner": "model_a",
            "prompt": ASKED,
            "response_1": BETTER,
            "response_2": WORSE,
        }
    ],
    "ppe-best-of-k": [
        {
            "question_id": 7,
            "prompt": ASKED,
            "scores": [False, True, False],
            "response_1": WORSE,
            "response_2": BETTER,
            "response_3": "A hammer.",
        }
    ],
    "messages with completions": [
        {
            "messages": [user(ASKED)],
            "completions": [{"content": WORSE, "rating": 2}, {"content": BETTER, "rating": 5}],
        }
    ],
    "texts with ratings": [
        {"instruction": ASKED, "generations": [WORSE, BETTER], "ratings": [1.5, 4]}
    ],
}
"""Shape → the rows of one pair in it: `ASKED`, answered by `BETTER` and `WORSE`."""

SEVERAL_TURNS: dict[str, Rows] = {
    "tulu-3": [{"chosen": [*TALK, reply(BETTER)], "rejected": [*TALK, reply(WORSE)]}],
    "a prompt of turns": [{"prompt": TALK, "chosen": BETTER, "rejected": WORSE}],
    "hh-rlhf": [
        {
            "chosen": spoken("I am hungry.", "What do you like?", ASKED, BETTER),
            "rejected": spoken("I am hungry.", "What do you like?", ASKED, WORSE),
        }
    ],
    "helpsteer3": [
        {"context": TALK, "response1": BETTER, "response2": WORSE, "overall_preference": -1}
    ],
    "helpsteer2-preference": [
        {
            "prompt": "I am hungry.\n<extra_id_1>Assistant\nWhat do you like?\n<extra_id_1>User\n"
            + ASKED,
            "response_1": WORSE,
            "response_2": BETTER,
            "preference_strength": 1,
        }
    ],
    "arena": [
        {
            "winner": "model_a",
            "conversation_a": [*TALK, reply(BETTER)],
            "conversation_b": [*TALK, reply(WORSE)],
        }
    ],
    "nectar": [
        {
            "prompt": spoken("I am hungry.", "What do you like?", ASKED, ""),
            "answers": [{"answer": BETTER, "rank": 1}, {"answer": WORSE, "rank": 2}],
        }
    ],
    "messages": [
        {"messages": TALK, "responses": [WORSE, BETTER], "ranks": [2, 1]},
    ],
}
"""Shape → the rows of one pair whose prompt is `TALK`."""
