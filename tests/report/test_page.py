"""The page that people look at: what stands in it, and that it is one file that does nothing."""

import base64
import hashlib
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.run_audit import keep
from ste_plugin.lm_eval_tasks.figures import SPREAD
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.report.page import write_report
from ste_plugin.review.agreement import Agreement
from ste_plugin.review.coefficients import Coefficient
from ste_plugin.review.rates import Estimate as Rate
from ste_plugin.review.results import Results, StrategyRate, to_json
from ste_plugin.storage.jsonl import read_json, replace_json
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers.browser import PHONE, axe_problems, open_page
from tests.helpers.measured_runs import judged_pairs, measured, measured_run

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></svg><b>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202egnp.exe\u0000",
    "x" * 150,
)


class Elements(HTMLParser):
    """What a page is made of: its elements and their attributes, and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def count(page: Elements, kind: str) -> int:
    return sum(tag == kind for tag, _ in page.elements)


def page_of(root: Path, *plugins: Path) -> str:
    return write_report(RunLayout(root), plugin_manager(plugins)).read_text()


def figure(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def test_every_round_stands_in_the_page_with_its_interval(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.65, 0.8))
    page = page_of(root)
    for path in root.glob("iter-*/eval/*/results.json"):
        overall = read_json(path)["overall"]
        low, high = overall["acc_pc_interval"]
        expected = f'{figure(overall["acc_pc"])} <span class="interval">{figure(low)} to '
        assert f"{expected}{figure(high)}</span>" in page, path


def test_every_metric_of_the_results_stands_in_the_page(tmp_path):
    root = measured_run(tmp_path)
    metrics = read_json(root / "iter-02/eval/test/results.json")["overall"]
    names = [name for name in metrics if not name.endswith(("_bias", *SPREAD))]
    page = page_of(root)
    assert len(names) > 10
    assert [name for name in names if f">{name}</th>" not in page] == []


def test_beside_a_figure_stands_how_many_pairs_it_is_of_and_in_the_caption_what_the_others_are(
    tmp_path,
):
    root = measured_run(tmp_path)
    pairs = judged_pairs(50, 0.9, 1)
    pairs[10:30] = [replace(pair, votes=(0, 0, 1)) for pair in pairs[10:30]]
    pairs[30:] = [replace(pair, fits=False) for pair in pairs[30:]]
    for number in range(3):
        measured(root / f"iter-{number:02d}/eval/people", pairs)
    page = page_of(root)
    words = "people: 50 pairs (20 without a better answer, 20 not asked about), both orders."
    assert words in page
    assert "right in both orders, 10 pairs" in page
    assert "right in both orders, 50 pairs" not in page


def test_results_of_before_that_do_not_say_how_many_pairs_count_are_still_shown(tmp_path):
    root = measured_run(tmp_path)
    for path in root.glob("iter-*/eval/test/results.json"):
        results = read_json(path)
        for figures in (results["overall"], *results["subsets"].values()):
            for name in [name for name in figures if name.endswith("_n")]:
                del figures[name]
        replace_json(path, results)
    page = page_of(root)
    assert "right in both orders, 80 pairs" in page
    assert "test: 80 pairs, both orders." in page


def test_the_page_loads_nothing_runs_nothing_and_leads_nowhere(tmp_path):
    page = page_of(measured_run(tmp_path))
    found = Elements(page).elements
    loading = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    assert {tag for tag, _ in found} & loading == set()
    named = {name for _, attributes in found for name in attributes}
    assert {n for n in named if n.startswith("on") or n in ("src", "style", "srcset")} == set()
    links = [attributes["href"] for tag, attributes in found if tag == "a"]
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert len(ids) == len(set(ids))
    assert "url(" not in page
    assert "@import" not in page


def test_its_policy_allows_its_own_style_and_nothing_else(tmp_path):
    page = page_of(measured_run(tmp_path))
    style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_names_from_data_are_words_and_never_markup(tmp_path):
    root = measured_run(tmp_path, subsets=HOSTILE, judge=f"{{model: '{HOSTILE[0]}'}}")
    (tmp_path / "tame").mkdir()
    tame = measured_run(tmp_path / "tame", subsets=tuple(f"s{i}" for i in range(len(HOSTILE))))
    page = page_of(root)
    shown, expected = Elements(page), Elements(page_of(tame))
    drawn = {"line", "polygon", "polyline", "circle", "text"}  # as many as the figures need
    for kind in {tag for tag, _ in shown.elements} - drawn:
        assert count(shown, kind) == count(expected, kind), kind
    for name in HOSTILE[:5]:
        assert name in shown.text
    assert not set("\u202e\x00") & set(page)
    assert "\\u202egnp.exe\\u0000" in page


def test_the_same_run_makes_the_same_bytes(tmp_path):
    root = measured_run(tmp_path, sets={"dev": 20, "test": 30, "ste_llmbar": 20})
    assert page_of(root) == page_of(root)


def test_a_run_of_which_nothing_is_measured_says_so(tmp_path):
    page = Elements(page_of(measured_run(tmp_path, skills=(), best=None))).text
    assert "No judge was measured yet." in page
    assert "0 of 1 iterations are done" in page


def test_a_half_done_run_shows_what_there_is_and_what_is_missing(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.8), iterations=4, best=None)
    (root / "iter-02").mkdir()
    page = page_of(root)
    overall = read_json(root / "iter-01/eval/test/results.json")["overall"]
    assert figure(overall["acc_pc"]) in page
    assert "Not finished: 1 of 4 iterations are done." in page


def test_a_round_that_is_measured_on_some_pairs_only_has_its_figures_there(tmp_path):
    root = measured_run(tmp_path, skills=(0.5, 0.8), best=None)
    for file in (root / "iter-01/eval/test").iterdir():
        file.unlink()
    (root / "iter-01/done.json").unlink()
    page = page_of(root)
    overall = read_json(root / "iter-01/eval/dev/results.json")["overall"]
    assert figure(overall["acc_pc"]) in page


def test_one_strategy_and_benchmarks_alone_make_a_page(tmp_path):
    root = measured_run(tmp_path, sets={"ste_llmbar": 40}, subsets=("modified-instruction",))
    page = Elements(page_of(root)).text
    assert "of the ste_llmbar pairs" in page
    assert "No pairs were held out" in page
    assert "by kind of pair" not in page


def test_what_judges_were_not_kept_of_is_told_and_does_not_hide_the_figures(tmp_path):
    root = measured_run(tmp_path)
    for file in root.glob("iter-00/eval/*/judged.jsonl"):
        file.unlink()
    page = Elements(page_of(root)).text
    assert "judged.jsonl: no such file" in page
    assert figure(read_json(root / "iter-02/eval/test/results.json")["overall"]["acc_pc"]) in page


PLUGIN = """
from ste_plugin.hookspecs import hookimpl
from ste_plugin.report.parts import Column, Estimate, Paragraph, Section, Table

@hookimpl
def ste_report_sections(run):
    rows = [[r.name, Estimate(0.125, (0.1, 0.15))] for r in run.rounds]
    table = Table([Column("round"), Column("helpfulness", "number")], rows)
    return [Section("Ours", "ours", [Paragraph("Of <b>us</b>\\ud800: `x < 1`."), table])]
"""


def plugin(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hooks.py"
    path.write_text(text)
    return path


def test_a_plugin_adds_a_section_whose_markup_is_shown_not_obeyed(tmp_path):
    page = page_of(measured_run(tmp_path), plugin(tmp_path, PLUGIN))
    section = re.search(r'<section id="ours".*?</section>', page, re.S)[0]
    assert "Of &lt;b&gt;us&lt;/b&gt;\\ud800: <code>x &lt; 1</code>." in section
    assert section.count("0.125") == 3
    assert '<a href="#ours">Ours</a>' in page


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise RuntimeError('out of <b>cheese</b>')", "out of <b>cheese</b>"),
        ("return ['text']", "expected ste_plugin.report.parts.Section"),
        ("return [Section('A', 'Not An Anchor', [])]", "expected lower-case letters"),
        (
            "return [Section('A', 'a', [Table([Column('x')], [['1', '2']])])]",
            "a row of 2 cells in a table of 1 columns",
        ),
        ("return [Section('A', 'a', ['just words'])]", "could not make its section"),
        ("return None", "could not make its section"),
    ],
)
def test_a_plugin_that_fails_is_told_of_in_the_page_and_stops_nothing(tmp_path, body, told):
    before = PLUGIN[: PLUGIN.index("    rows")]
    root = measured_run(tmp_path)
    page = Elements(page_of(root, plugin(tmp_path, f"{before}    {body}\n")))
    assert "A plugin failed" in page.text
    assert told in page.text
    assert figure(read_json(root / "iter-02/eval/test/results.json")["overall"]["acc_pc"]) in (
        page.text
    )


def test_two_sections_of_one_anchor_are_told_apart(tmp_path):
    text = PLUGIN.replace('"ours"', '"costs"')
    found = Elements(page_of(measured_run(tmp_path), plugin(tmp_path, text)))
    ids = [a["id"] for tag, a in found.elements if tag == "section"]
    assert ids.count("costs") == ids.count("costs-2") == 1


def test_a_plugins_section_stands_behind_the_built_in_ones(tmp_path):
    found = Elements(page_of(measured_run(tmp_path), plugin(tmp_path, PLUGIN)))
    ids = [a["id"] for tag, a in found.elements if tag == "section"]
    assert len(ids) > 4
    assert ids[-1] == "ours"


def test_what_an_audit_found_stands_with_its_cure_failed_ones_first(tmp_path):
    root = measured_run(tmp_path)
    fine = Finding("probes", "swapped", "test", 0.02, (0.0, 0.05), 0.1, 80, False, "It holds.")
    bad = Finding(
        "shortcuts", "length", "all", 0.81, (0.7, 0.9), 0.6, 99, True, "Longer wins.", "Match it."
    )
    keep(RunLayout(root), 2, {"probes": [fine], "shortcuts": [bad]})
    page = Elements(page_of(root)).text
    assert "of 2 figures 1 breaks its threshold" in page
    assert "length (all): Longer wins. What to do: Match it." in page
    assert page.index("shortcuts: length") < page.index("probes: swapped")


def test_findings_of_the_shipped_round_come_before_those_of_later_ones(tmp_path):
    root = measured_run(tmp_path, best=1)
    for number in (1, 2):
        name = f"checked in {number}"
        found = Finding("probes", name, "test", 0.5, None, None, 9, False, "So it is.")
        keep(RunLayout(root), number, {"probes": [found]})
    page = page_of(root)
    assert page.index("checked in 1") < page.index("<details><summary>Iteration 2: 0 of 1")
    assert page.index("<summary>Iteration 2: 0 of 1") < page.index("checked in 2")


def test_a_gate_that_is_broken_is_told_at_the_top_and_in_its_section(tmp_path):
    root = measured_run(tmp_path, best=0)
    for number in (1, 2):
        broken = ["position_bias: 0.31, beyond 0.2"]
        replace_json(root / f"iter-0{number}/gates.json", {"passed": False, "broken": broken})
    page = Elements(page_of(root)).text
    assert "Every iteration breaks a gate, so the seed is kept." in page
    assert (
        "Iteration 1 is not shipped, and judges nothing. position_bias: 0.31, beyond 0.2." in page
    )


def test_what_people_said_stands_beside_its_interval(tmp_path):
    root = measured_run(tmp_path)
    rate, none = Rate(0.8, (0.71, 0.87)), Coefficient(None, None, None, "one category")
    people = Agreement(40, 40, 80, rate, None, Coefficient(0.62, (0.4, 0.8), 0.5), none)
    strategy = StrategyRate(20, 20, 16, 3, 1, rate, Rate(0.15, (0.05, 0.36)))
    said = Results(
        labels={"Ada": 40, "<b>Bo</b>": 38},
        of_other_pairs=2,
        strategies={"other-instruction": strategy},
        people=people,
        pairs_of_people={},
        judge=people,
        judge_with={},
        judge_iteration=2,
        reasoning={"all": rate},
        people_on_reasoning=None,
    )
    replace_json(root / "review/agreement.json", to_json(said))
    page = Elements(page_of(root)).text
    assert "Labels by <b>Bo</b> (38), Ada (40)." in page
    assert "2 labels are of pairs that this run does not have." in page
    assert "Two people say the same of 80.0% of the pairs" in page
    assert "judge of iteration 2 with a person" in page
    assert page.count("0.800 0.710 to 0.870") == 4
    assert page.count("0.620 0.400 to 0.800") == 2
    assert "the run ships" not in page
    replace_json(root / "report.json", read_json(root / "report.json") | {"best": 1})
    other = "The judge that they are held against is iteration 2; the run ships iteration 1:"
    assert other in Elements(page_of(root)).text


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_it_without_overflow_and_axe_finds_nothing(tmp_path, browser, dark):
    sets = {"dev": 20, "test": 30, "ste_llmbar": 20}
    root = measured_run(tmp_path, sets=sets, subsets=HOSTILE[:3] + HOSTILE[-1:])
    write_report(RunLayout(root), plugin_manager())
    url = RunLayout(root).report_page.as_uri()
    for size in (PHONE, {"width": 1280, "height": 800}):
        with open_page(browser, url, size, dark=dark) as page:
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) == 0
            assert axe_problems(page) == []
            assert page.locator("svg.panel").count() > 3
