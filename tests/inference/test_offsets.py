"""Where completions are: a table that holds what was added, however much that is."""

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.inference.offsets import ABSENT, Offsets

KEYS = st.tuples(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**64 - 1]), st.integers(0, 40))


@given(st.dictionaries(KEYS, st.integers(0, 2**62), max_size=200), st.lists(KEYS))
def test_what_was_added_is_found_and_nothing_else(added, others):
    offsets = Offsets()
    for (prompt, sample), start in added.items():
        assert offsets.get(prompt, sample) == ABSENT
        assert offsets.add(prompt, sample, start)
        assert not offsets.add(prompt, sample, start + 1)
    for key in [*added, *others]:
        assert offsets.get(*key) == added.get(key, ABSENT)


def test_many_samples_of_many_prompts_are_found_as_the_table_grows():
    offsets = Offsets()
    keys = [(prompt << 40, sample) for prompt in range(400) for sample in range(15)]
    for start, key in enumerate(keys):
        offsets.add(*key, start)
    assert [offsets.get(*key) for key in keys] == list(range(6000))
