"""Texts of strangers are shown as they are, and do nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Route

from ste_plugin.web.pages import Pages, visible
from tests.helpers.browser import PHONE, axe_problems, open_page, serving

TEMPLATE = """{% extends "base.html" %}
{% block title %}{{ texts[0] }}{% endblock %}
{% block body %}
<main><h1>Texts</h1>
{% for text in texts %}<p class="text" title="{{ text }}">{{ text | visible }}</p>{% endfor %}
<p id="after">here</p></main>
{% endblock %}
"""
HOSTILE = [
    "</title><script>document.body.remove()</script>",
    '"><img src="http://evil.example/x.png" onerror="document.body.remove()">',
    "<style>*{display:none !important}</style><link rel=stylesheet href=//evil.example/a.css>",
    '<base href="//evil.example"><meta http-equiv=refresh content="0;url=//evil.example">',
    "</p></main></body><iframe src=javascript:document.body.remove()></iframe>",
    "{{ 7 * 7 }} {% raw %} ${7*7} {{texts.__class__}}",
    "read \u202edorw\u202c this\u2066 \x1b[31m red \x00 null \ud800 half",
    "Z" + "\u0334\u030d" * 400,
    "wide" * 5000,
]


@pytest.fixture
def hostile_page(tmp_path):
    (tmp_path / "texts.html").write_text(TEMPLATE)
    pages = Pages(tmp_path)
    with serving([Route("/", lambda _: pages.show("texts.html", texts=HOSTILE))]) as url:
        yield url


@pytest.mark.parametrize("dark", [False, True])
def test_hostile_texts_neither_script_nor_style_nor_leave_the_page(browser, hostile_page, dark):
    with open_page(browser, hostile_page, PHONE, dark=dark) as page:
        shown = page.locator(".text").all_inner_texts()
        assert shown[:6] == HOSTILE[:6]
        assert "readU+202EdorwU+202CthisU+2066U+001B[31m" in "".join(shown[6].split())
        assert page.locator("script, style, iframe, base, p img").count() == 0
        assert page.locator("#after").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert axe_problems(page) == []


@given(st.text(st.characters(), max_size=50))
def test_every_text_stays_text(text):
    shown = visible(text)
    assert "<" not in shown.replace('<span class="mark">', "").replace("</span>", "")
    shown.encode()  # no half of a surrogate pair is left


def test_the_middle_of_a_text_that_nobody_reads_is_left_out_and_told():
    shown = visible("a" * 1_000_000 + "z")
    assert "… 900,001 characters are not shown …" in shown
    assert len(shown) < 101_000
    assert shown.endswith("az")
