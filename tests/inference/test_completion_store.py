"""The open files of completions: indexed once, and anew where others have written to them."""

from ste_plugin.engines.base import Completion
from ste_plugin.inference.completion_store import (
    CompletionStore,
    CompletionStores,
    find_completions,
    part_path,
)


def answered(store: CompletionStore, *numbers: int) -> None:
    with store.open_appender() as appender:
        for number in numbers:
            appender.add(Completion(f"{number:016x}-0", f"Fig {number}.", "stop", 1, 1))


def test_a_file_that_is_opened_again_is_not_indexed_again(tmp_path):
    stores, path = CompletionStores(), tmp_path / "pairs.completions.jsonl"
    store = stores.open(path)
    answered(store, 1, 2)
    assert stores.open(path) is store
    assert store.get(f"{2:016x}-0").text == "Fig 2."


def test_what_others_append_is_found(tmp_path):
    stores, path = CompletionStores(), tmp_path / "pairs.completions.jsonl"
    answered(stores.open(path), 1)
    answered(CompletionStore(path), 2)
    assert stores.open(path).holds(2, 0)


def test_a_closed_file_is_indexed_anew(tmp_path):
    stores, path = CompletionStores(), tmp_path / "pairs.completions.jsonl"
    store = stores.open(path)
    answered(store, 1)
    stores.close()
    assert stores.open(path) is not store
    assert stores.open(path).holds(1, 0)


def test_parts_are_read_as_one_and_each_is_written_by_its_own(tmp_path):
    path = tmp_path / "judging.completions.jsonl"
    answered(CompletionStore(path), 1)
    for part in (1, 2):
        answered(CompletionStore(path, f"{part}-of-2"), 1 + part)
    store = CompletionStore(path)
    assert [store.get(f"{n:016x}-0").text for n in (1, 2, 3)] == ["Fig 1.", "Fig 2.", "Fig 3."]
    assert (store.prompt_tokens, store.size) == (3, path.stat().st_size)
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "judging.completions.jsonl",
        "judging.part-1-of-2.completions.jsonl",
        "judging.part-2-of-2.completions.jsonl",
    ]


def test_of_two_answers_in_parts_the_first_counts_with_its_tokens(tmp_path):
    path = tmp_path / "judging.completions.jsonl"
    answered(CompletionStore(path, "1-of-2"), 7)
    one, two = (part_path(path, f"{n}-of-2") for n in (1, 2))
    two.write_bytes(one.read_bytes())
    store = CompletionStore(path)
    assert (store.prompt_tokens, store.holds(7, 0)) == (1, True)
    assert find_completions(tmp_path) == [path]


def test_the_last_line_of_anothers_part_is_left_as_it_is_and_ones_own_is_mended(tmp_path):
    path = tmp_path / "judging.completions.jsonl"
    one = CompletionStore(path, "1-of-2")
    answered(one, 1, 2)
    cut = one.path.read_bytes()[:-5]
    one.path.write_bytes(cut)
    assert not CompletionStore(path).holds(2, 0)
    assert one.path.read_bytes() == cut
    assert CompletionStore(path, "1-of-2").size == cut.rindex(b"\n") + 1
    assert one.path.read_bytes() == cut[: cut.rindex(b"\n") + 1]


def test_a_part_that_grows_is_found(tmp_path):
    stores, path = CompletionStores(), tmp_path / "judging.completions.jsonl"
    assert not stores.open(path).holds(1, 0)
    other = CompletionStore(path, "1-of-2")
    answered(other, 1)
    assert stores.open(path).holds(1, 0)
    answered(other, 2)
    assert stores.open(path).holds(2, 0)


def test_what_a_part_takes_back_is_its_own(tmp_path):
    path = tmp_path / "judging.completions.jsonl"
    answered(CompletionStore(path), 1)
    part = CompletionStore(path, "1-of-2")
    answered(part, 2)
    size = part.size
    answered(part, 3)
    part.remove_from(size)
    assert [part.holds(n, 0) for n in (1, 2, 3)] == [True, True, False]
