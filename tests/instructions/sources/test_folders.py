"""The order of the files of a folder."""

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.instructions.sources.folders import natural_order

names = st.text(st.sampled_from("aB-_.0123456789é٣²"), max_size=8)


@given(st.lists(st.integers(0, 10**12), unique=True), st.integers(0, 14))
def test_numbered_names_are_in_the_order_of_their_numbers(numbers: list[int], width: int) -> None:
    found = sorted((f"part-{n:0{width}}.jsonl" for n in numbers), key=natural_order)
    assert found == [f"part-{n:0{width}}.jsonl" for n in sorted(numbers)]


@given(st.lists(names, unique=True), st.randoms(use_true_random=False))
def test_names_have_one_order_however_they_are_listed(listed: list[str], random: object) -> None:
    shuffled = listed.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sorted(shuffled, key=natural_order) == sorted(listed, key=natural_order)
