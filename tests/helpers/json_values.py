"""What JSON can hold, drawn by hypothesis."""

from hypothesis import strategies as st

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5
)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Lone surrogates, too."""
