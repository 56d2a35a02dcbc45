"""What counts as the words of a text, however they are marked up and broken into lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.instructions.selection.shingles import WordHashes
from ste_plugin.text.words import words_of

WORDS = st.sampled_from(
    ["What", "is", "the", "well-known", "cos(x)", "snake_case", "2", "“Zoë”?", "它", "C++,", "a"]
)
PROMPTS = st.lists(WORDS, min_size=1, max_size=20)
AROUND = st.sampled_from(["**", "*", "_", "__", "`", "~~", "***", "_**"])
BEFORE_A_LINE = st.sampled_from(["", "> ", "- ", "* ", "> - ", "  + ", ">"])
BEFORE_ALL = st.sampled_from(["", "# ", "### ", "> ## "])


@st.composite
def marked_up(draw: st.DrawFn) -> tuple[str, str]:
    """A prompt, and the same with Markdown's marks, line breaks and words hyphenated at them."""
    lines, line = list[str](), ""
    words = draw(PROMPTS)
    for word in words:
        mark = draw(AROUND) if draw(st.booleans()) else ""
        if word.isascii() and word.isalpha() and len(word) > 3 and draw(st.booleans()):
            lines.append(f"{line} {mark}{word[:2]}-")
            line = f"{word[2:]}{mark[::-1]}"
        else:
            line = f"{line} {mark}{word}{mark[::-1]}".lstrip()
        if draw(st.booleans()):
            lines.append(line)
            line = ""
    first, *rest = (each.strip() for each in [*lines, line] if each.strip())
    lines = [draw(BEFORE_ALL) + first, *(draw(BEFORE_A_LINE) + each for each in rest)]
    fence = draw(st.sampled_from(["", "```", "~~~"]))
    body = "\n".join(lines)
    return " ".join(words), f"{fence}text\n{body}\n{fence}\n" if fence else body


@given(marked_up())
def test_marking_up_a_prompt_changes_none_of_its_words(case: tuple[str, str]):
    prompt, marked = case
    assert words_of(marked) == words_of(prompt)
    one, other = (WordHashes().of([text])[1].tolist() for text in case)
    assert one == other


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the `x`-axis of **Zoë**'s _(own)_ ~~plan~~", "the xaxis of zoë's own plan"),
        ("请**解释**`天空`。", "请 解 释 天 空"),
        ("the post-  \r\n  war pre\u2010\nwar e-mail", "the postwar prewar email"),
        ("say why. ### Input: 2 ### Output:", "say why input 2 output"),
        ("Title\n=====\n---\n```python\nx\n```", "title x"),
    ],
)
def test_marks_around_words_and_hyphens_in_them_do_not_count(text: str, words: str):
    assert words_of(text) == words.split()


@pytest.mark.parametrize("text", ["2 * 3 - 5", "2**3", "a ___ b", "5-3", "~ 7", "x_1"])
def test_signs_that_say_something_do_count(text: str):
    assert words_of(text) == text.split()


@given(st.text(alphabet="ab*_`~-># \n", max_size=40))
def test_a_text_of_words_is_never_left_without_one(text: str):
    assert bool(words_of(f"{text} a"))
    assert all(words_of(text))
