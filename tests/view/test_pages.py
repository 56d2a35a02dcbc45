"""The pages: what they show, their addresses, and keys and looks in a real browser."""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ste_plugin.cli.viewing import _load
from ste_plugin.errors import ConfigError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.view.pages import STATIC, view_routes
from ste_plugin.view.prompts import format_finder
from tests.helpers import viewed_runs as runs
from tests.helpers.browser import PHONE, axe_problems, open_page, serving
from tests.helpers.plugin_files import installed_plugin
from tests.helpers.viewed_folders import opened

HOSTILE = "<script>document.title='owned'</script><b onclick=x>&\u202e"


@contextmanager
def client_of(*folders):
    routes = view_routes(folders, format_finder(plugin_manager()))
    with TestClient(Starlette(routes=routes)) as client:
        yield client


def text_of(page):
    """The words of a page, on one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_a_pair_shows_both_orders_all_samples_thinking_and_the_rebuilt_prompt(tmp_path):
    pairs = runs.write_run(tmp_path)
    address = f"/pair?of=iter-01&set=train&pair={pairs[0].key}"
    with opened(tmp_path) as folder, client_of(folder) as client:
        page = text_of(client.get(address).text)
    for words in (
        pairs[0].instruction,
        pairs[0].better,
        pairs[0].worse,
        "Better answer shown as A: right",
        "Better answer shown as B: wrong",
        "Sample 2: right",
        "Thinking, 10 characters Which one?",
        "in sample 1; the other one does not.",
        "Rebuilt by the run&#39;s judge format",
        "Which answer serves the instruction better?",
        "iter-01 for iter-02 on train right",
    ):
        assert words in page


def test_a_measured_pair_shows_the_prompt_that_lm_eval_logged(tmp_path):
    pairs = runs.write_run(tmp_path)
    address = f"/pair?of=iter-02&set=test&pair={pairs[-1].key}"
    with opened(tmp_path) as folder, client_of(folder) as client:
        page = text_of(client.get(address).text)
    assert "As lm-eval sent it. &lt;|user|&gt;Which answer serves" in page
    assert "to the second; the other one does not." in page


def test_a_prompt_that_another_version_of_the_format_sent_is_not_shown(tmp_path):
    pairs = runs.write_run(tmp_path)
    runs.replace_json(
        tmp_path / "iter-01/dataset/manifest.json", {"judge_format": {"version": "brief-0"}}
    )
    address = f"/pair?of=iter-01&set=train&pair={pairs[0].key}"
    with opened(tmp_path) as folder, client_of(folder) as client:
        page = text_of(client.get(address).text)
    assert "The prompt cannot be rebuilt: it was sent by version brief-0 of the format" in page


def test_prompts_are_rebuilt_by_the_format_of_an_installed_plugin(tmp_path, monkeypatch):
    runs.write_run(tmp_path / "run", 4)
    record = yaml.safe_load((tmp_path / "run/run.yaml").read_text())
    record["config"]["judging"]["format"] = "terse"
    (tmp_path / "run/run.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(ConfigError, match="no 'terse'.*install the plugin that has it"):
        format_finder(_load([]))(tmp_path / "run")
    body = """
    from ste_plugin.judging.builtin import FORMATS

    @hookimpl
    def ste_judge_formats():
        return {"terse": FORMATS["brief"]}
    """
    site = installed_plugin(tmp_path / "site", body, "acme_of_the_view")
    monkeypatch.syspath_prepend(site)
    assert format_finder(_load([]))(tmp_path / "run") is FORMATS["brief"]


def test_a_row_of_several_answers_is_shown_without_orders(tmp_path):
    runs.write_choices(tmp_path / "judge/ste_rewardbench2", [1.0, 0.25])
    with opened(tmp_path) as folder, client_of(folder) as client:
        assert "Question 1?" in client.get("/?outcome=wrong").text
        page = text_of(client.get("/pair?of=judge&set=ste_rewardbench2&pair=Focus/0").text)
    for words in ("Good 0.", "Bad. Worse. Worst.", "Judged: right", "Best of four: Question 0?"):
        assert words in page


def test_pairs_whose_logged_replies_are_gone_say_so(tmp_path):
    pairs = runs.write_run(tmp_path)
    for path in (tmp_path / "iter-01/eval/test/lm-eval").iterdir():
        path.unlink()
    address = f"/pair?of=iter-01&set=test&pair={pairs[-1].key}"
    with opened(tmp_path) as folder, client_of(folder) as client:
        page = text_of(client.get(address).text)
    assert pairs[-1].instruction in page
    assert "is gone: lm-eval&#39;s samples are not there" in page


def test_next_and_previous_stay_within_the_filter(tmp_path):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder, client_of(folder) as client:
        rows = re.findall(
            r'href="(/pair\?[^"]*)"', client.get("/?judge=iter-01&outcome=flips").text
        )
        addresses = [row.replace("&amp;", "&") for row in rows]
        page = client.get(addresses[1]).text
    assert f"2 of {len(rows)}" in page
    assert f'data-key="k ArrowLeft" href="{rows[0]}"' in page
    assert f'data-key="j ArrowRight" href="{rows[2]}"' in page
    assert "judge=iter-01&amp;outcome=flips" in rows[0]


def test_two_judges_are_set_side_by_side_with_the_paired_test_above(tmp_path):
    runs.write_run(tmp_path, 24, 12)
    query = "first=iter-01&second=iter-02&on=test"
    with opened(tmp_path) as folder, client_of(folder) as client:
        page = client.get(f"/compare?{query}").text
        narrowed = client.get(f"/compare?{query}&show=only-second").text
        (row, *_) = re.findall(r'href="(/compare/pair\?[^"]*)"', narrowed)
        pair = text_of(client.get(row.replace("&amp;", "&")).text)
    words = text_of(page)
    assert "iter-02 gets 5 right that iter-01 does not, and loses 0" in words
    assert "1 only the first is right 0 2 only the second is right 5" in words
    assert "3 both are right 6 4 neither is right 1" in words
    assert page.count("/compare/pair?") == 12
    assert narrowed.count("/compare/pair?") == 5
    assert "Only the second is right" in pair
    assert "friendlier to the first;" in pair
    assert "follows the question to the second;" in pair


def test_two_judges_are_searched_for_words_of_questions_and_of_either(tmp_path):
    runs.write_run(tmp_path, 24, 12)
    query = "first=iter-01&second=iter-02&on=test"
    with opened(tmp_path) as folder, client_of(folder) as client:
        folder.start_words()
        folder.wait_for_words()

        def kinds(words):
            page = text_of(client.get(f"/compare?{query}&q={words}").text)
            return [int(n) for n in re.findall(r"(?:right|wrong) (\d+)", page)][:4]

        of_question, of_second, of_nobody = map(kinds, ("bread", "follows", "zebra"))
        row = re.search(
            r'href="(/compare/pair[^"]*)"', client.get(f"/compare?{query}&q=bread").text
        )
        pair = client.get(row[1].replace("&amp;", "&")).text
    assert sum(of_question) == 2
    assert of_second[1] == 5
    assert of_nobody == [0, 0, 0, 0]
    assert "q=bread" in row[1]
    assert "bread" in pair


def test_what_was_sampled_for_a_round_is_by_the_judge_before_it(tmp_path):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder, client_of(folder) as client:
        page = text_of(client.get("/?on=train").text)
        gated = {"judged_by": {"iteration": 0}}
        replace_json(tmp_path / "iter-02/dataset/manifest.json", gated)
        later = text_of(client.get("/?on=train").text)
    assert "iter-00 for iter-01 on train" in page
    assert "iter-01 for iter-02 on train" in page
    assert "iter-00 for iter-02 on train" in later


def test_only_judges_of_the_same_pairs_are_offered_and_another_choice_is_told(tmp_path):
    runs.write_run(tmp_path)
    shutil.rmtree(tmp_path / "iter-02/eval")
    with opened(tmp_path) as folder, client_of(folder) as client:
        page = client.get("/compare?first=iter-00")
        other = client.get("/compare?first=iter-00&second=iter-01+for+iter-02&on=train")
        absent = client.get("/compare?first=iter-00&second=iter-01&on=dev")
    second = re.search(r'<select name="second">(.*?)</select>', page.text, re.S)[1]
    assert re.findall(r"<option[^>]*>([^<]*)", second) == ["iter-01"]
    assert (other.status_code, absent.status_code) == (200, 200)
    told = "iter-00 and iter-01 for iter-02 were not asked about the same pairs: here is iter-01."
    assert told in text_of(other.text)
    assert "iter-00 and iter-01 were not both asked about dev." in text_of(absent.text)


def test_judges_of_another_folder_are_compared_by_pairs(tmp_path):
    pairs = runs.write_run(tmp_path / "run")
    runs.write_evaluation(tmp_path / "evals/big/test", dict.fromkeys(pairs[8:], "AB"), " by big")
    address = "/compare?first=iter-00&second=evals:big&on=test"
    with (
        opened(tmp_path / "run") as run,
        opened(tmp_path / "evals") as evals,
        client_of(run, evals) as client,
    ):
        page = text_of(client.get(address).text)
    assert "evals:big gets 8 right that iter-00 does not" in page
    assert "by big; the other one does not." in page


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/pair?of=iter-09&set=test&pair=x", "No judgment by iter-09 on test of a pair x."),
        (
            "/compare?first=iter-09",
            "No judge 'iter-09' here. There are: iter-00, iter-01,",
        ),
        ("/compare/pair?first=iter-01&second=iter-02&pair=x", "asked about a pair x."),
    ],
)
def test_an_address_of_what_is_not_there_says_so(tmp_path, address, words):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder, client_of(folder) as client:
        answer = client.get(address)
    assert answer.status_code == 404
    assert words in text_of(answer.text).replace("&#39;", "'")


@pytest.mark.parametrize("query", ["after=x", "before=-1", "after=99999999999999999", "outcome=x"])
def test_an_address_with_nonsense_is_an_empty_list_or_the_whole(tmp_path, query):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder, client_of(folder) as client:
        assert client.get(f"/?{query}").status_code == 200


def test_a_round_that_comes_is_shown_once_it_is_read(tmp_path):
    runs.write_run(tmp_path / "run")
    (tmp_path / "run/iter-02").rename(tmp_path / "later")
    with opened(tmp_path / "run") as folder, client_of(folder) as client:
        assert "iter-02" not in client.get("/").text
        (tmp_path / "later").rename(tmp_path / "run/iter-02")
        folder.refresh()
        assert "iter-02" in client.get("/").text


def test_a_file_that_is_replaced_meanwhile_is_not_read_at_old_places(tmp_path):
    pairs = runs.write_run(tmp_path)
    address = f"/pair?of=iter-01&set=train&pair={pairs[0].key}"
    with opened(tmp_path) as folder:
        runs.write_judgments(tmp_path / "iter-01", dict.fromkeys(pairs[:8], ("B", "A")))
        with client_of(folder) as client:
            (tmp_path / "run.yaml").rename(tmp_path / "gone")  # so that it is not made again
            assert "changed since it was indexed" in client.get(address).text


def test_an_index_damaged_while_it_is_used_is_made_again(tmp_path):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder, client_of(folder) as client:
        path: Path = folder.index.path
        size = path.stat().st_size
        path.unlink()
        path.write_bytes(b"x" * size)
        assert "40 judged pairs" in client.get("/").text


def test_an_index_removed_with_its_folder_while_it_is_used_is_made_again(tmp_path):
    runs.write_run(tmp_path)
    with opened(tmp_path) as folder, client_of(folder) as client:
        shutil.rmtree(folder.index.path.parent)  # as `ste forget` does
        assert "40 judged pairs" in client.get("/").text


def test_damaged_lines_are_told_above_the_list(tmp_path):
    runs.write_run(tmp_path)
    runs.damage(tmp_path / "iter-02/judgments.jsonl", 2)
    with opened(tmp_path) as folder, client_of(folder) as client:
        page = client.get("/").text
    assert "iter-02/judgments.jsonl: 1 line cannot be read, the first is line 3." in page


def test_hostile_texts_are_shown_and_do_nothing(tmp_path):
    pairs = runs.write_run(tmp_path, instruction=HOSTILE, better=HOSTILE + "1")
    with opened(tmp_path) as folder, client_of(folder) as client:
        for address in ("/?on=train", f"/pair?of=iter-01&set=train&pair={pairs[0].key}"):
            page = client.get(address).text
            assert "<script>document" not in page
            assert "&lt;script&gt;document.title=" in page
            assert "\u202e" not in page


def test_it_is_used_by_keyboard_alone_and_has_no_barriers(tmp_path, browser):
    runs.write_run(tmp_path, 24, 12, instruction=HOSTILE)
    with opened(tmp_path) as folder:
        routes = view_routes([folder], format_finder(plugin_manager()))
        with serving(routes, [STATIC]) as url:
            with open_page(browser, url) as page:
                go(page, "j", "j", "k", "Enter")
                assert page.url.count("/pair?of=iter-00") == 1
                assert "1 of 60" in page.inner_text("main")
                assert axe_problems(page) == []
                go(page, "ArrowRight")
                assert "2 of 60" in page.inner_text("main")
                go(page, "u")
                page.keyboard.press("/")
                page.keyboard.type("friendlier -seed")
                go(page, "Enter")
                assert "q=friendlier+-seed" in page.url
                assert axe_problems(page) == []
                page.goto(url.partition("?")[0] + "compare?first=iter-01&second=iter-02&on=test")
                go(page, "2")
                assert "show=only-second" in page.url
                assert axe_problems(page) == []
                go(page, "j", "Enter")
                assert page.inner_text("h1") == "Only the second is right"
                assert axe_problems(page) == []
            with open_page(browser, url, PHONE, dark=True) as page:
                assert axe_problems(page) == []
                assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
                assert page.title() == "60 judged pairs · " + tmp_path.name


def go(page, *keys):
    """Press keys, the last of which leads to another page."""
    for key in keys[:-1]:
        page.keyboard.press(key)
    with page.expect_navigation():
        page.keyboard.press(keys[-1])
