"""Both orders of a pair in every batch, whatever rows come in which order to how many processes."""

import pytest
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler

from ste_plugin.axolotl.both_orders import (
    BETTER_IS,
    PAIR,
    PairSampler,
    pair_columns,
    rows_of_pairs,
)

ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), max_size=40)


def dataset(rows: list[tuple[int, int]]) -> dict[str, list[int]]:
    return {PAIR: [pair for pair, _ in rows], BETTER_IS: [letter for _, letter in rows]}


@given(ROWS)
def test_every_row_is_in_one_pair_or_left_out(rows):
    found = dataset(rows)
    pairs, single = rows_of_pairs(found[PAIR], found[BETTER_IS])
    assert sorted([*(i for both in pairs for i in both), *single]) == list(range(len(rows)))
    for first, second in pairs:
        assert (rows[first], rows[second]) == ((rows[first][0], 0), (rows[first][0], 1))
    # what is left out has its pair in one order alone
    assert len({rows[i][0] for i in single} & {rows[i][0] for i in single if rows[i][1]}) == len(
        {rows[i][0] for i in single if rows[i][1]} - {rows[i][0] for i in single if not rows[i][1]}
    )


@given(ROWS, st.sampled_from([2, 4, 6]), st.integers(1, 4), st.booleans(), st.integers(0, 3))
def test_batches_of_every_process_hold_whole_pairs(rows, size, processes, drop_last, epoch):
    sampler = PairSampler(dataset(rows), seed=3)
    sampler.set_epoch(epoch)
    batches = BatchSampler(sampler, size, drop_last)
    for process in range(processes):
        shard = BatchSamplerShard(batches, num_processes=processes, process_index=process)
        for batch in shard:
            assert len(batch) % 2 == 0
            for first, second in zip(batch[::2], batch[1::2], strict=True):
                assert rows[first][0] == rows[second][0]
                assert (rows[first][1], rows[second][1]) == (0, 1)


def test_pairs_are_drawn_anew_in_each_epoch_alike_everywhere_or_kept_as_they_come():
    rows = [(pair, letter) for pair in range(20) for letter in (1, 0)]
    first, second = (PairSampler(dataset(rows), seed=3) for _ in range(2))
    assert list(first) == list(second)
    second.set_epoch(1)
    assert list(first) != list(second)
    assert sorted(first) == sorted(second) == list(range(40))
    assert list(PairSampler(dataset(rows), seed=None))[:4] == [1, 0, 3, 2]


@pytest.mark.parametrize("letter", ["A", "B"])
def test_a_pair_has_one_number_in_both_orders_that_fits_a_tensor(letter):
    found = pair_columns({"pair": "f" * 64, "better_is": letter})
    assert found[PAIR] == pair_columns({"pair": "f" * 64, "better_is": "A"})[PAIR] < 2**63
    assert found[BETTER_IS] == "AB".index(letter)
