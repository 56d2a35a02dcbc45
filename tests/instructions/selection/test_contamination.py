"""Instructions that repeat what is measured on: left out, told, and counted."""

import pytest

from ste_plugin.config import SelectionConfig
from ste_plugin.context import PromptSet
from ste_plugin.instructions.selection.contamination import KeptOut, Overlap, describe_counts
from ste_plugin.records import Drop, Instruction
from tests.helpers.chats import PRODUCT, below
from tests.helpers.contaminated import TEMPLATE, clean, planted, question

COUNT = 60


def instructions(texts: list[str]) -> list[Instruction]:
    return [Instruction(f"{n:016x}", text, f"file:{n}") for n, text in enumerate(texts)]


def benchmark(name: str = "bench") -> PromptSet:
    return PromptSet(name, [(f"q{n}", question(n)) for n in range(COUNT)])


def keep_out(
    texts: list[str], *sets: PromptSet, **settings: object
) -> tuple[list[Instruction], list[Drop], list[Overlap], dict]:
    kept_out = KeptOut(sets or [benchmark()], SelectionConfig(**settings))
    told: list[Overlap] = []
    results = list(kept_out.without(instructions(texts), told.append))
    kept = [item for item in results if isinstance(item, Instruction)]
    dropped = [item for item in results if isinstance(item, Drop)]
    return kept, dropped, told, kept_out.summary()


def test_a_tenth_of_a_benchmark_is_found_and_named_however_it_is_disguised():
    disguised = planted(range(6))
    texts = clean(50) + [text for texts in disguised.values() for text in texts]
    kept, dropped, told, summary = keep_out(texts)
    assert [i.text for i in kept] == clean(50)
    assert [d.reason for d in dropped] == [
        *["repeats a prompt of bench (exact)"] * 4,
        *["repeats a prompt of bench (8-grams)"] * 2,
    ]
    assert [o.prompt for o in told] == ["q0", "q3", "q1", "q4", "q2", "q5"]
    assert summary["benchmarks"]["bench"]["found"] == {
        "exact": 4,
        "near-duplicate": 0,
        "8-grams": 2,
        "13-grams": 0,
    }
    assert (summary["compared"], summary["dropped"]) == (56, 6)


def test_instructions_of_their_own_all_stay():
    kept, dropped, told, summary = keep_out(clean(500))
    assert (len(kept), dropped, told, summary["dropped"]) == (500, [], [], 0)


def templated(texts: list[str]) -> list[str]:
    return [TEMPLATE.format(text) for text in texts]


def templated_benchmark() -> PromptSet:
    return PromptSet("bench", [(f"q{n}", TEMPLATE.format(question(n))) for n in range(COUNT)])


def test_instructions_of_the_template_that_a_benchmark_has_all_stay():
    kept, dropped, told, summary = keep_out(templated(clean(500)), templated_benchmark())
    assert (len(kept), dropped, told) == (500, [], [])
    shared = summary["benchmarks"]["bench"]["shared"]
    assert shared["prompts"] == COUNT
    assert shared["grams"] >= 20
    assert shared["quote"].startswith("below is an instruction that describes a task paired with")


def test_a_tenth_of_a_templated_benchmark_is_found_in_its_template_and_outside():
    disguised = [text for texts in planted(range(6)).values() for text in texts]
    texts = templated(clean(50) + disguised) + disguised
    kept, dropped, told, _ = keep_out(texts, templated_benchmark())
    assert [i.text for i in kept] == templated(clean(50))
    assert [o.prompt for o in told] == ["q0", "q3", "q1", "q4", "q2", "q5"] * 2
    assert len(dropped) == 12


def test_a_template_of_one_set_is_none_of_another():
    alone = PromptSet("alone", [("a", TEMPLATE.format("Why?"))])
    _, dropped, told, _ = keep_out(templated(clean(3)), templated_benchmark(), alone)
    assert [o.benchmark for o in told] == ["alone"] * 3
    assert len(dropped) == 3


def test_what_was_not_counted_is_told_with_the_counts():
    *_, summary = keep_out(templated([question(0)]), templated_benchmark())
    counts = summary["benchmarks"]["bench"]
    assert describe_counts("bench", counts) == (
        f"bench (60 prompts): exact 1 (not counted, as 60 of its prompts share them: "
        f"{counts['shared']['grams']} 8-grams, “below is an instruction that describes a task "
        "paired with an input that…”)"
    )
    assert describe_counts("old", counts | {"shared": {}}) == "old (60 prompts): exact 1"


def test_a_paraphrase_stays():
    text = "Suppose someone mends a thing and later another one sells it: what comes of that?"
    assert keep_out([text])[1:3] == ([], [])


@pytest.mark.parametrize("turns", ["first", "last"])
def test_a_short_prompt_is_found_below_what_the_system_was_told(turns: str):
    asked = [below(PRODUCT, text, turns) for text in ("Where do I park?", "Where do I sleep?")]
    kept_out = KeptOut([PromptSet("people", [("1", "Where do I park?")])], SelectionConfig())
    dropped, kept = kept_out.without(asked, lambda _: None)
    assert (dropped.reason, kept) == ("repeats a prompt of people (exact)", asked[1])


def test_what_does_not_drop_is_told_all_the_same():
    text = planted(range(3))["wrapped"][0]
    kept, dropped, told, summary = keep_out([text], keep_out_by=("exact",))
    assert (len(kept), dropped) == (1, [])
    assert [(o.measure, o.key, o.source) for o in told] == [("8-grams", "0" * 16, "file:0")]
    assert summary["dropped"] == 0


def test_13_grams_drop_where_the_config_says_so():
    shared = " ".join(f"word{n}" for n in range(13))
    prompts = PromptSet("bench", [("q", f"{shared} {' '.join(f'p{n}' for n in range(30))}")])
    text = f"{shared} and something else"
    assert keep_out([text], prompts)[1] == []
    _, dropped, _, _ = keep_out([text], prompts, keep_out_by=("13-grams",))
    assert [d.reason for d in dropped] == ["repeats a prompt of bench (13-grams)"]


def test_an_instruction_in_two_benchmarks_is_counted_in_both_and_dropped_once():
    near = PromptSet("near", [("n", question(0) + " Why?")])
    _, dropped, told, summary = keep_out([question(0)], near, benchmark())
    assert [d.reason for d in dropped] == ["repeats a prompt of bench (exact)"]
    assert [o.benchmark for o in told] == ["near", "bench"]
    assert summary["benchmarks"]["near"]["instructions"]["near-duplicate"] == 1


def test_what_could_not_be_read_is_named_and_nothing_is_dropped_for_it():
    unread = PromptSet("gone", problem="no network")
    kept, _, _, summary = keep_out([question(0)], unread)
    assert len(kept) == 1
    assert (summary["benchmarks"], summary["unread"]) == ({}, {"gone": "no network"})


@pytest.mark.parametrize("count", [0, 1, 2047, 2048, 2049, 4100])
def test_instructions_keep_their_order_whatever_their_number(count: int):
    texts = [
        f"{n} {question(n % COUNT) if n % 5 == 0 else question(n, 'other')}" for n in range(count)
    ]
    kept, dropped, _, summary = keep_out(texts)
    assert [i.text for i in kept] == [t for n, t in enumerate(texts) if n % 5]
    assert (len(dropped), summary["compared"]) == ((count + 4) // 5, count)
