"""Lists: what they are narrowed to, how they are paged, and the counts beside each filter."""

from contextlib import contextmanager
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.view.queries import (
    DIMENSIONS,
    Filter,
    count,
    find_item,
    items,
    position,
)
from tests.helpers import viewed_runs as runs
from tests.helpers.viewed_folders import opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("viewed") / "run"
    pairs = runs.write_run(root)
    runs.label(root, {pairs[0].key: "better", pairs[-1].key: "worse", pairs[-2].key: "tie"})
    with opened(root) as folder:
        yield folder


@contextmanager
def everything(folder):
    with folder.connect() as db:
        yield db, items(db, Filter(), limit=1000)


def values(item):
    """What an item is under each filter."""
    prefers = {"right": 1, "wrong": -1}.get(item.outcome, 0)
    return {
        "judge": item.judge,
        "on": item.on,
        "subset": item.subset,
        "outcome": item.outcome,
        "forced": "yes" if item.forced else "no",
        "mixed": "yes" if item.mixed else "no",
        "people": {None: ""}.get(item.people, "agree" if item.people == prefers else "disagree"),
        "changed": {None: "", 1: "gained", -1: "lost", 0: "same"}[item.changed],
    }


CHOSEN = {
    "judge": ("", "iter-01", "iter-02", "absent"),
    "on": ("", "train", "test"),
    "subset": ("", "modified-instruction"),
    "outcome": ("", "right", "flips", "wrong"),
    "mixed": ("", "yes", "no"),
    "people": ("", "agree", "disagree"),
    "changed": ("", "gained", "lost", "same"),
}


@given(st.fixed_dictionaries({name: st.sampled_from(v) for name, v in CHOSEN.items()}))
def test_lists_and_counts_are_those_of_looking_at_every_item(folder, chosen):
    wanted = Filter(**chosen)
    with everything(folder) as (db, every):
        fits = lambda item, but="": all(  # noqa: E731
            values(item)[name] == value for name, value in chosen.items() if value and name != but
        )
        assert items(db, wanted, limit=1000) == [item for item in every if fits(item)]
        counted = count(db, wanted)
    assert counted.total == sum(map(fits, every))
    for name in DIMENSIONS:
        here = [values(item)[name] for item in every if fits(item, but=name)]
        expected = {value: here.count(value) for value in set(here) if value}
        assert {v: n for v, n in counted.counts[name].items() if n} == expected


def test_pages_go_on_where_the_one_before_ended_and_back(folder):
    with everything(folder) as (db, every):
        wanted = Filter(on="test")
        narrowed = [item for item in every if item.on == "test"]
        first = items(db, wanted, limit=5)
        second = items(db, wanted, after=first[-1].id, limit=5)
        assert [*first, *second] == narrowed[:10]
        assert items(db, wanted, before=second[0].id, limit=5) == first
        assert position(db, wanted, second[0].id) == 6


def test_an_item_is_found_by_what_its_address_says(folder):
    with everything(folder) as (db, every):
        for item in every:
            assert find_item(db, item.judge, item.on, item.key) == item
        assert find_item(db, "iter-01", "test", "absent") is None


def test_a_filter_is_the_address_that_it_makes():
    for judge, q in product(("", "iter-01"), ("", "a & b = ü")):
        wanted = Filter(judge=judge, q=q, outcome="right")
        from urllib.parse import parse_qsl

        assert Filter.of(dict(parse_qsl(wanted.to_query()))) == wanted


def test_labels_that_people_add_count_at_once(folder):
    with everything(folder) as (db, every):
        before = count(db, Filter(people="agree")).total
    right = next(item for item in every if item.outcome == "right" and item.people is None)
    runs.label(folder.root, {right.key: "better"})
    with everything(folder) as (db, every):
        more = [i for i in every if i.key == right.key and i.outcome == "right"]
        assert count(db, Filter(people="agree")).total == before + len(more)
