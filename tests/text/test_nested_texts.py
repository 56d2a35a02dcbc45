"""Texts anywhere in a JSON value are found and changed in one order."""

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.text.nested_texts import texts_in, with_texts

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_texts_put_back_in_their_order_make_the_same_value(value):
    found = iter(list(texts_in(value)))
    assert with_texts(value, lambda _: next(found)) == value
    assert next(found, None) is None


@given(VALUES)
def test_every_text_is_changed_and_nothing_else(value):
    changed = with_texts(value, lambda text: f"<{text}>")
    assert list(texts_in(changed)) == [f"<{text}>" for text in texts_in(value)]
