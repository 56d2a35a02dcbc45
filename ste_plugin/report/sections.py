"""The sections of a report: the package's own and those of plugins, through one hook."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ste_plugin.report.certainty_section import certainty_sections
from ste_plugin.report.follow_section import follow_sections
from ste_plugin.report.kept_out_section import kept_out_sections
from ste_plugin.report.making_sections import making_sections
from ste_plugin.report.parts import Paragraph, Section
from ste_plugin.report.read_run import RunFigures
from ste_plugin.report.result_sections import result_sections
from ste_plugin.report.trust_sections import trust_sections
from ste_plugin.text.redaction import redact

if TYPE_CHECKING:
    import pluggy

_ANCHOR = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def built_in_sections(run: RunFigures) -> list[Section]:
    """Return the sections that every report has."""
    sections = (
        result_sections,
        follow_sections,
        trust_sections,
        certainty_sections,
        kept_out_sections,
        making_sections,
    )
    return [section for make in sections for section in make(run)]


def collect_sections(run: RunFigures, plugins: "pluggy.PluginManager") -> list[tuple[str, Section]]:
    """Return (name of the plugin, section) of all plugins, the built-ins' first.

    A plugin that fails, or returns something else, has a section that says so.
    """
    found: list[tuple[str, Section]] = []
    taken: set[str] = set()
    for implementation in plugins.hook.ste_report_sections.get_hookimpls():
        name = implementation.plugin_name
        try:
            sections = list(_sections_of(implementation, run))
        except Exception as error:  # whatever a plugin raises: the figures must still be seen
            sections = [failure(name, error)]
        for section in sections:
            found.append((name, replace(section, anchor=_free(section.anchor, taken))))
    return found


def _sections_of(implementation: Any, run: RunFigures) -> Iterator[Section]:
    """Yield what a plugin returns. Raises: TypeError or ValueError for anything but sections."""
    for section in implementation.function(*[run][: len(implementation.argnames)]):
        if not isinstance(section, Section):
            raise TypeError(f"found {section!r}; expected ste_plugin.report.parts.Section")
        if not _ANCHOR.fullmatch(section.anchor):
            raise ValueError(
                f"section {section.title!r}: anchor {section.anchor!r}; expected lower-case "
                "letters, digits and hyphens"
            )
        yield section


def failure(plugin: str, error: Exception) -> Section:
    """Return the section that tells of a plugin whose own could not be made."""
    told = redact(f"The plugin {plugin} could not make its section: {error!r}")
    return Section("A plugin failed", "plugin-failed", [Paragraph(told, "bad")])


def _free(anchor: str, taken: set[str]) -> str:
    """Return an anchor that no section has yet."""
    names = [anchor, *(f"{anchor}-{number}" for number in range(2, len(taken) + 3))]
    free = next(name for name in names if name not in taken)
    taken.add(free)
    return free
