"""How Sphinx builds the site (`make docs`). The pages are plain Markdown, and need no site."""

from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
DECISIONS = sorted(p.stem for p in (HERE / "decisions").glob("*.md") if p.stem != "index")

NAVIGATION = {
    "Tutorial": ["tutorial/demo", "tutorial/your-data"],
    "How to": [
        "how-to/axolotl-config",
        "how-to/preferences",
        "how-to/given-pairs",
        "how-to/conversations",
        "how-to/lm-eval",
        "how-to/labelled-pairs",
        "how-to/judged-tasks",
        "how-to/judge-as-reward",
        "how-to/follow-a-policy",
        "how-to/inspect",
        "how-to/review",
        "how-to/trust",
        "how-to/audit",
        "how-to/judge-in-python",
        "how-to/cascade",
        "how-to/serve",
        "how-to/served-judges",
        "how-to/decision-judges",
        "how-to/thinking-models",
        "how-to/judge-formats",
        "how-to/ratings",
        "how-to/report",
        "how-to/publish",
        "how-to/probes",
        "how-to/gates",
        "how-to/contamination",
        "how-to/view",
        "how-to/plugins",
        "how-to/privacy",
        "how-to/scale",
        "how-to/batches-and-arrays",
        "how-to/several-nodes",
        "how-to/ray-cluster",
    ],
    "Reference": [
        "reference/settings",
        "reference/sources",
        "reference/recipes",
        "reference/tasks",
        "reference/figures",
        "reference/commands",
        "reference/exit-codes",
        "reference/files",
        "reference/servers",
        "reference/hooks",
        "reference/chat-templates",
    ],
    "Explanation": [
        "explanation/method",
        "explanation/sampling",
        "explanation/both-orders",
        "explanation/what-is-kept-out",
        "explanation/study",
        "explanation/open-questions",
    ],
    "Decisions": ["decisions/index", *(f"decisions/{name}" for name in DECISIONS)],
}
"""Part → its pages, in the order of reading. A page in no part, or a part's page missing, fails."""

project = "ste-plugin"
extensions = ["myst_parser"]
exclude_patterns = ["generate"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "ste-plugin"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False


def add_navigation(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put the parts behind the first page, whose own text is then nothing but Markdown."""
    if page == "index":
        trees = (
            "\n".join(["```{toctree}", ":hidden:", f":caption: {part}", "", *pages, "```"])
            for part, pages in NAVIGATION.items()
        )
        source[0] += "\n\n" + "\n\n".join(trees)


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("source-read", add_navigation)
