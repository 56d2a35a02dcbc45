"""What judges' replies mean, worked out once more by hand: no regular expression, no code of the
package."""

import json

THOUGHTS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<reasoning>", "</reasoning>"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("<|channel|>commentary<|message|>", "<|channel|>final<|message|>"),
]
"""What models write before and behind a thought."""
QUOTES = "`'\""


def mark_ends(text: str, wanted: list[str]) -> list[int]:
    """Where each of these marks ends, but for those with quotes on both sides."""
    ends, place = [], 0
    while place < len(text):
        if text[place] not in "<[◁":
            place += 1
            continue
        for mark in wanted:
            end = place + len(mark)
            is_quoted = text[max(0, place - 1) : place] in list(QUOTES) and (
                text[end : end + 1] in list(QUOTES)
            )
            if text[place:end] == mark and not is_quoted:
                ends.append(end)
                place = end - 1
                break
        place += 1
    return ends


def after_thinking(text: str) -> str | None:
    """Walk over the text; what is thought does not count, and thinking that never ends leaves
    None."""
    begun = text.strip()
    for word in ("analysis", "final"):  # channels whose special tokens are missing
        follows = begun[len(word) : len(word) + 1]
        is_begun = "A" <= follows <= "Z" or "0" <= follows <= "9" or follows in list("\"'(*#[")
        is_begun = is_begun or (word == "analysis" and follows.isalnum())
        if begun[: len(word)] == word and is_begun:
            if "assistantfinal" in begun:
                return begun.split("assistantfinal")[-1]
            return begun[len(word) :] if word == "final" else None
    closed = mark_ends(text, [close for _, close in THOUGHTS])
    rest = text[closed[-1] :] if closed else text
    return None if mark_ends(rest, [begin for begin, _ in THOUGHTS]) else rest


def marks(text: str, allowed: str) -> list[str]:
    """Every `[[x]]` with one or more allowed characters inside, found from its inside outwards."""
    found, start = [], 0
    while start < len(text):
        if text[start] not in allowed:
            start += 1
            continue
        end = start
        while end < len(text) and text[end] in allowed:
            end += 1
        before, after = text[max(0, start - 2) : start], text[end : end + 2]
        if before == "[[" and after == "]]":
            found.append(text[start:end])
        start = end
    return found


def verdict(text: str, letters: str = "AB") -> str | None:
    """The one letter that is named after all thinking."""
    said = after_thinking(text)
    named = set() if said is None else {m for m in marks(said, letters) if len(m) == 1}
    return next(iter(named)) if len(named) == 1 else None


def official(text: str) -> str | None:
    """RewardBench's reading: A before B, wherever they stand."""
    places = range(len(text))
    if any(text[p : p + 5] == "[[A]]" for p in places):
        return "A"
    return "B" if any(text[p : p + 5] == "[[B]]" for p in places) else None


def rating(text: str, known: tuple[str, ...] = (*"123456789", "10")) -> int | None:
    """The one of these numbers, by default 1 to 10, that is named after all thinking."""
    said = after_thinking(text)
    digits = set()
    for mark in marks(said, "0123456789") if said is not None else ():
        while mark.startswith("0") and mark != "0":
            mark = mark[1:]
        digits.add(mark)
    if len(digits) != 1:
        return None
    named = digits.pop()
    return int(named) if named in known else None


def score(text: str) -> int | None:
    """The one number from 0 to 9 that is named after all thinking."""
    return rating(text, tuple("0123456789"))


def labels(text: str, categories: set[str]) -> tuple[str, int, int] | None:
    """The three labels, if the reply is one JSON object with just these, fenced or not."""
    said = after_thinking(text)
    if said is None:
        return None
    lines = said.strip().split("\n")
    if len(lines) >= 3 and lines[0].rstrip() == "```json" and lines[-1].strip() == "```":
        said = "\n".join(lines[1:-1])
    repeated = []

    def keep(pairs):
        names = [name for name, _ in pairs]
        repeated.extend(n for n in names if names.count(n) > 1)
        return dict(pairs)

    try:
        found = json.loads(said, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return None
    if repeated or not isinstance(found, dict):
        return None
    if sorted(found) != ["category", "complexity", "expected_words"]:
        return None
    category, complexity, words = found["category"], found["complexity"], found["expected_words"]
    whole = [n for n in (complexity, words) if isinstance(n, int) and not isinstance(n, bool)]
    if not isinstance(category, str) or category not in categories or len(whole) < 2:
        return None
    fits = 1 <= complexity <= 10 and 1 <= words <= 100_000
    return (category, complexity, words) if fits else None


ANNOUNCING = """
the my final overall so thus therefore better best correct answer verdict choice decision judgment
judgement winner letter response assistant option one is i choose pick prefer
"""


def named_choice(text: str, choices: tuple[str, ...]) -> str | None:
    """The one choice that a reply gives as its answer, after all thinking."""
    said = after_thinking(text) or ""
    spots = {choice: letters(said, choice) for choice in choices}
    named = [choice for choice in choices if spots[choice]]
    if len(named) != 1:
        return None
    ends = [place for place in spots[named[0]] if answers_with(said, place, len(named[0]))]
    return named[0] if ends else None


def letters(said: str, choice: str) -> list[int]:
    """Where a choice is a word of its own, but not one within a sentence."""
    found = []
    for place in range(len(said) - len(choice) + 1):
        end = place + len(choice)
        starts = place == 0 or not said[place - 1].isalnum()
        rest = said[end:]
        article = rest[:1].isspace() and "a" <= (rest.lstrip() or " ")[0] <= "z"
        if said[place:end] == choice and starts and not (rest or " ")[0].isalnum() and not article:
            found.append(place)
    return found


def answers_with(said: str, place: int, length: int) -> bool:
    """Whether the words of the clause before announce it, and nothing of a sentence follows."""
    words = [""]
    for char in said[max(0, place - 200) : place]:
        if char in ".,;!?\n":
            words = [""]
        elif char.isalnum():
            words[-1] += char
        else:
            words.append("")
    announced = all(not w or (w.isascii() and w.lower() in ANNOUNCING.split()) for w in words)
    follows = said[place + length :]
    while follows and follows[0].isspace() and follows[0] != "\n":
        follows = follows[1:]
    return announced and (not follows or follows[0] in "\n.;:!)]}*_`\"'”’")
