"""The open files of completions: indexed once, and anew where others have written to them."""

from ste_plugin.engines.base import Completion
from ste_plugin.inference.completion_store import CompletionStore, CompletionStores


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
