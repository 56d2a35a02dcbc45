"""Selectors: what is kept, what is dropped, and why."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ste_plugin.config import SelectionConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.selection import SELECTORS, select
from ste_plugin.instructions.selection.selectors import SelectorResult
from ste_plugin.instructions.selection.shingles import shingles
from ste_plugin.instructions.selection.similarity_join import jaccard
from ste_plugin.records import Drop, Instruction, content_key
from tests.helpers.chats import PRODUCT, below


def instruction(text: str = "Do it.", **fields: Any) -> Instruction:
    return Instruction(content_key("instruction", text), text, "a.jsonl:1", **fields)


def chosen(name: str, pool: Sequence[Instruction], **fields: Any) -> SelectorResult:
    kept, drops = SELECTORS[name](pool, SelectionConfig(**fields))
    return list(kept), list(drops)


def kept_texts(name: str, *texts: str, **fields: Any) -> list[str]:
    return [i.text for i in chosen(name, [instruction(t) for t in texts], **fields)[0]]


def test_exact_duplicates_ignore_case_and_white_space() -> None:
    texts = ["Sort  a list.", "sort a\nLIST. ", "Sort a list!"]
    assert kept_texts("exact-duplicates", *texts) == ["Sort  a list.", "Sort a list!"]


LONG = "Write a short and friendly letter to the neighbours about the summer party in our garden"


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (LONG + " please", 1),
        (LONG.upper() + "!", 1),
        (LONG.replace("summer", "winter").replace("garden", "street"), 2),
        ("Write a letter", 2),
    ],
)
def test_near_duplicates_go_and_the_first_stays(other: str, kept: int) -> None:
    assert kept_texts("near-duplicates", LONG, other) == [LONG, other][:kept]


CHINESE = "请给邻居们写一封简短而友好的信，介绍我们花园里的夏季聚会。"
JAPANESE = "近所の人たちに、庭での夏のパーティーについて短く親しみやすい手紙を書いてください。"
THAI = "เขียนจดหมายสั้นๆที่เป็นมิตรถึงเพื่อนบ้านเกี่ยวกับงานเลี้ยงฤดูร้อนในสวนของเรา"
KHMER = "សូមសរសេរសំបុត្រខ្លីមួយទៅអ្នកជិតខាងអំពីពិធីជប់លៀងរដូវក្តៅនៅក្នុងសួនរបស់យើង"
LAO = "ຂຽນຈົດໝາຍສັ້ນໆທີ່ເປັນມິດຫາເພື່ອນບ້ານກ່ຽວກັບງານລ້ຽງໃນສວນຂອງພວກເຮົາ"
MIXED = "请用 Python 写一个函数，读取 CSV 文件并返回每一列的平均值和标准差。"


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, THAI, KHMER, LAO, MIXED])
def test_scripts_without_spaces_are_compared_character_by_character(text: str) -> None:
    pleaded, turned = text.rstrip("。") + "!", text[len(text) // 2 :] + text[: len(text) // 2]
    assert kept_texts("near-duplicates", text, pleaded, text[:-1]) == [text]
    other = "".join(reversed(turned))
    assert kept_texts("near-duplicates", text, other) == [text, other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("法国的首都是哪里？", "德国的首都是哪里？"),
        ("2+2は？", "2-2は？"),
        ("用 Python 写一个排序函数", "用 Rust 写一个排序函数"),
        ("请翻译这句话：Good morning", "请翻译这句话：Good night"),
    ],
)
def test_short_questions_that_differ_stay_in_scripts_without_spaces(one: str, other: str) -> None:
    assert kept_texts("near-duplicates", one, other) == [one, other]


@given(st.text(st.characters(max_codepoint=0x24F, exclude_characters="\xad*_`~#>+=-")))
def test_words_between_spaces_are_compared_as_they_are(text: str) -> None:
    words = [word.strip(".,;:!?\"'()") or word for word in text.casefold().split()]
    size = 3 if len(words) >= 3 else 1
    grams = {" ".join(words[i : i + size]) for i in range(len(words) - size + 1)}
    assert shingles(text) == grams


def test_short_texts_are_compared_word_by_word() -> None:
    texts = ["Hello", "hello!", "Hello world", "world hello", "Good day"]
    assert kept_texts("near-duplicates", *texts) == ["Hello", "Hello world", "Good day"]


def test_a_sign_that_stands_alone_makes_a_difference() -> None:
    assert len(kept_texts("near-duplicates", "What is 2 + 2?", "What is 2 - 2?")) == 2


@pytest.mark.parametrize("turns", ["first", "last"])
def test_what_the_system_was_told_makes_no_two_questions_near_duplicates(turns: str) -> None:
    asked = ["When does the first boat leave?", "Can I bring two dogs?", "Can I bring two dogs?!"]
    pool = [below(PRODUCT, text, turns) for text in asked]
    kept, drops = chosen("near-duplicates", pool)
    assert (kept, len(drops)) == (pool[:2], 1)


@pytest.mark.parametrize("turns", ["first", "last"])
def test_one_text_below_two_tasks_of_the_system_is_no_near_duplicate(turns: str) -> None:
    pool = [below(task, LONG, turns) for task in ("Translate it into Finnish.", PRODUCT)]
    assert chosen("near-duplicates", pool) == (pool, [])


@pytest.mark.parametrize("threshold", [0.01, 0.5, 1.0])
def test_every_threshold_finds_a_text_again(threshold: float) -> None:
    again = LONG + "."
    assert kept_texts("near-duplicates", LONG, again, near_duplicate_threshold=threshold) == [LONG]


def test_what_just_reaches_the_threshold_is_found_in_a_large_pool() -> None:
    def text(*changes: int) -> str:
        words = [f"w{n}" for n in range(60)]
        for place in changes:
            words[place] = f"other{place}"
        return " ".join(words)

    pool = [text(), *(text(0, 59 - n % 2, 10 + n) for n in range(40))]
    close = [t for t in pool[1:] if jaccard(shingles(pool[0]), shingles(t)) >= 0.8]
    assert close
    assert not set(close) & set(kept_texts("near-duplicates", *pool))


def test_the_complexity_range_includes_both_ends() -> None:
    pool = [instruction(f"{n}", complexity=n) for n in (0, 2, 3, 5, 6)]
    kept, drops = chosen("complexity", pool, label=True, min_complexity=3, max_complexity=5)
    assert [i.complexity for i in kept] == [3, 5]
    assert [d.reason for d in drops] == [
        "complexity unknown",
        "complexity below 3",
        "complexity above 5",
    ]


def test_without_a_range_unlabelled_instructions_stay() -> None:
    assert kept_texts("complexity", "a", "b") == ["a", "b"]


def pool_of(*categories: str) -> list[Instruction]:
    return [instruction(f"{n}", category=c) for n, c in enumerate(categories)]


def test_quotas_keep_the_first_of_each_category_and_no_other_category() -> None:
    pool = pool_of("coding", "advice", "coding", "", "coding", "editing")
    kept, drops = chosen("category-quotas", pool, categories={"coding": 2, "advice": 1})
    assert [i.text for i in kept] == ["0", "1", "2"]
    assert [d.reason for d in drops] == [
        "category without a quota: (none)",
        "quota full: coding",
        "category without a quota: editing",
    ]


def test_a_pool_too_small_for_its_quotas_says_which_and_what_to_do() -> None:
    quotas = {"coding": 3, "advice": 1, "editing": 2}
    with pytest.raises(ConfigError) as error:
        chosen("category-quotas", pool_of("coding", "advice", ""), categories=quotas)
    told = str(error.value)
    assert "('coding': found 1, wanted 3; 'editing': found 0, wanted 2)" in told
    assert "coding 1, advice 1, (none) 1" in told
    assert "label: true" in told


def test_the_limit_keeps_the_first() -> None:
    kept, drops = chosen("limit", [instruction(t) for t in "abc"], limit=2)
    assert [i.text for i in kept] == ["a", "b"]
    assert [d.reason for d in drops] == ["over the limit"]


# All together


def test_selectors_run_in_the_order_of_the_config() -> None:
    pool = [instruction(t) for t in ("a", "A", "b")]
    for order, kept in ((("limit", "exact-duplicates"), 1), (("exact-duplicates", "limit"), 2)):
        config = SelectionConfig(selectors=order, limit=2)
        assert len(select(pool, config, SELECTORS.__getitem__)[0]) == kept


def test_a_plugins_selector_may_yield_what_it_keeps() -> None:
    def every_second(pool: Sequence[Instruction], _: SelectionConfig) -> Any:
        return (i for i in pool[::2]), (Drop("selection", i.key, "odd") for i in pool[1::2])

    def none(_: Sequence[Instruction], __: SelectionConfig) -> Any:
        return iter(()), iter(())

    pool = [instruction(f"text number {n}") for n in range(6)]
    found = {**SELECTORS, "second": every_second, "none": none}
    chosen = SelectionConfig(selectors=("limit", "second", "limit"), limit=5)
    kept, drops = select(pool, chosen, found.__getitem__)
    assert list(kept) == pool[:5:2]
    assert [drop.reason for drop in drops] == ["over the limit", "odd", "odd"]
    with pytest.raises(DataError, match="no instruction is left of 6"):
        select(pool, SelectionConfig(selectors=("none",)), found.__getitem__)


_READ_BY = {
    "limit": ("limit", 2),
    "categories": ("category-quotas", {"x": 1}),
    "min_complexity": ("complexity", 2),
    "max_complexity": ("complexity", 9),
}


@pytest.mark.parametrize("setting", _READ_BY)
def test_a_setting_is_refused_where_its_selector_is_left_out_and_no_plugins_may_read_it(
    setting: str,
) -> None:
    selector, value = _READ_BY[setting]
    others = tuple(name for name in SELECTORS if name != selector)
    settings = {setting: value, "label": True}
    with pytest.raises(ValidationError, match=f"{setting}: .* Add {selector} to selectors"):
        SelectionConfig(selectors=others, **settings)
    for names in ((selector,), (*others, "mine")):
        assert getattr(SelectionConfig(selectors=names, **settings), setting) == value


def test_all_selectors_are_listed_by_default() -> None:
    assert set(SelectionConfig().selectors) == set(SELECTORS)


def test_with_no_selector_everything_stays() -> None:
    pool = [instruction("a"), instruction("a")]
    kept, drops = select(pool, SelectionConfig(selectors=()), SELECTORS.__getitem__)
    assert (kept, list(drops)) == (pool, [])


def test_nothing_left_is_told_with_counts_by_reason() -> None:
    config = SelectionConfig(label=True, min_complexity=9)
    pool = [instruction("Say yes.", complexity=1), instruction("say yes.", complexity=1)]
    with pytest.raises(DataError) as error:
        select(pool, config, SELECTORS.__getitem__)
    assert "left of 2 (exact duplicate 1, complexity below 9 1)" in str(error.value)


def test_an_empty_pool_is_told() -> None:
    with pytest.raises(DataError, match="none came in"):
        select([], SelectionConfig(), SELECTORS.__getitem__)


WORDS = st.lists(st.sampled_from(["a", "B", "b", "list", "of", "2", "?"]), min_size=1, max_size=8)
POOLS = st.lists(
    st.builds(
        instruction,
        WORDS.map(" ".join),
        category=st.sampled_from(["coding", "advice", ""]),
        complexity=st.integers(0, 10),
    ),
    max_size=12,
)


def in_order(part: Sequence[Instruction], whole: Sequence[Instruction]) -> bool:
    rest = iter(whole)
    return all(any(one is other for other in rest) for one in part)


@pytest.mark.parametrize("name", sorted(SELECTORS))
@given(pool=POOLS)
@settings(max_examples=40)
def test_kept_and_dropped_make_up_the_pool_in_its_order(name: str, pool: list[Instruction]) -> None:
    categories = {c: max(1, n // 2) for c, n in Counter(i.category for i in pool).items() if c}
    config = SelectionConfig(
        label=True, min_complexity=3, max_complexity=8, limit=5, categories=categories
    )
    kept, drops = map(list, SELECTORS[name](pool, config))
    assert Counter(i.key for i in kept) + Counter(d.key for d in drops) == Counter(
        i.key for i in pool
    )
    assert in_order(kept, pool)
    again, dropped = SELECTORS[name](pool, config)
    assert ([*again], [*dropped]) == ([*kept], [*drops])


@pytest.mark.parametrize("name", ["exact-duplicates", "near-duplicates"])
@given(pool=POOLS)
@settings(max_examples=40)
def test_a_second_deduplication_finds_nothing(name: str, pool: list[Instruction]) -> None:
    once, _ = chosen(name, pool)
    assert chosen(name, once) == (once, [])


@given(pool=POOLS)
@settings(max_examples=40)
def test_near_duplicates_are_dropped_only_for_one_that_is_kept(pool: list[Instruction]) -> None:
    kept, _ = chosen("near-duplicates", pool)
    for one in pool:
        assert any(jaccard(shingles(one.text), shingles(k.text)) >= 0.8 for k in kept)


@given(POOLS, st.dictionaries(st.sampled_from(["coding", "advice"]), st.integers(1, 3), min_size=1))
def test_quotas_are_met_exactly_or_refused(pool: list[Instruction], quotas: dict[str, int]) -> None:
    there = Counter(i.category for i in pool)
    if any(there[name] < wanted for name, wanted in quotas.items()):
        with pytest.raises(ConfigError):
            chosen("category-quotas", pool, categories=quotas)
    else:
        kept, _ = chosen("category-quotas", pool, categories=quotas)
        assert Counter(i.category for i in kept) == Counter(quotas)
