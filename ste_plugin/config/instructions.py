"""Settings of what comes in: sources of instructions, privacy, selection."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ste_plugin.config.base import HomePath, PathText, Positive, Strict

PersonalData = Literal["email", "phone", "card", "iban", "ip", "key", "name"]

Measure = Literal["exact", "near-duplicate", "8-grams", "13-grams"]
"""How an instruction can repeat a benchmark's prompt, the strictest first."""

READERS_OF_FILES = ("jsonl", "csv", "parquet")
_READ_BY = {
    "limit": "limit",
    "categories": "category-quotas",
    "min_complexity": "complexity",
    "max_complexity": "complexity",
}
"""Setting of a selection → the selector that does what it says."""


class SourceConfig(Strict):
    """Where instructions come from and how they are read."""

    reader: str = "jsonl"
    """Kind of file: jsonl, csv, parquet, hub, or a plugin's."""
    path: PathText = Field(examples=["instructions.jsonl"])
    """A file, a folder or a pattern, as data/*.jsonl.gz, relative to the config; for `hub`, a data
    set's name. Several files are read in natural order: part-2 before part-10."""
    form: Literal["plain", "wildchat", "sharegpt", "openai", "alpaca"] = "plain"
    """How a row holds its instruction. `plain` has a column `instruction`; the others are named
    after the data sets that are kept so. Where another than the user speaks first in a
    conversation, the row is left out and counted."""
    turns: Literal["first", "last", "all"] = "first"
    """What of a conversation is an instruction. `first`: what the user says first, below the words
    of the system. `last`: the whole conversation up to the user's last turn. `all`: an instruction
    for each turn of the user, with what came before."""
    system: Literal["keep", "drop", "refuse"] = "keep"
    """Whether a system turn that asks for something counts. `drop`: the conversation is read as if
    it had none. `refuse`: it is left out and counted."""
    tools: Literal["keep", "refuse"] = "refuse"
    """What to do about calls of tools before the turn that is asked. `keep`: they and their results
    are words of the assistant. `refuse`: the conversation is left out from there on and
    counted."""
    columns: dict[str, str] = Field(default_factory=dict)
    """The form's column → the file's, as {instruction: prompt}; so those a judge format shows."""
    where: dict[str, str | bool | int | float] = Field(default_factory=dict)
    """Keep only rows with these values, as {language: English, toxic: false}."""
    split: str = "train"
    """Split of a hub data set, or of a folder that holds several."""
    subset: str | None = None
    """Subset of a hub data set that has several, as main of gsm8k."""
    limit: Positive | None = None
    """Read no more than this many instructions; by default all."""
    on_bad_line: Literal["error", "skip"] = "error"
    """What to do about a line that cannot be read. `skip` leaves it out and counts it."""

    @model_validator(mode="after")
    def _has_turns(self) -> "SourceConfig":
        for name in ("turns", "system", "tools"):
            found = getattr(self, name)
            default = type(self).model_fields[name].default
            if found != default and self.form in ("plain", "alpaca"):
                raise ValueError(
                    f"found {name}: {found} with form {self.form}, whose rows hold a single text; "
                    "expected a form of conversations. Set form: openai, sharegpt or wildchat, or "
                    f"remove {name}"
                )
        return self

    @model_validator(mode="after")
    def _has_subsets(self) -> "SourceConfig":
        if self.subset is not None and self.reader in READERS_OF_FILES:
            raise ValueError(
                f"found subset: {self.subset} with reader: {self.reader}; expected it of a hub "
                "data set alone. Set reader: hub, or remove subset"
            )
        return self


class PrivacyConfig(Strict):
    """What is taken out of instructions as they are read, before anything else sees them.

    Placeholders such as `<EMAIL>` and `<PHONE_2>` stand in for what is found. Needs
    `pip install 'ste-plugin[privacy]'`.
    """

    scrub: tuple[PersonalData, ...] = ()
    """What to replace, of [email, phone, card, iban, ip, key, name]; by default nothing. `key`
    means keys, tokens and passwords; `name` needs spaCy and a model of it."""
    phone_regions: tuple[str, ...] = ("US",)
    """Countries whose numbers are known without +, as [US, GB, DE]. With + those of all are."""
    name_model: HomePath = "en_core_web_sm"
    """Name or folder of the spaCy model that finds names."""


class SelectionConfig(Strict):
    """Which instructions are kept; by default all but duplicates."""

    label: bool = False
    """Let the generator label category, complexity and expected length."""
    selectors: tuple[str, ...] = (
        "exact-duplicates",
        "near-duplicates",
        "complexity",
        "category-quotas",
        "limit",
    )
    """What to apply, in this order. Each does nothing until its setting below asks for
    something."""
    near_duplicate_threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Similarity from which two instructions count as one. It is the Jaccard similarity of their
    word 3-grams; in scripts without spaces, of their character 3-grams."""
    categories: dict[str, Positive] = Field(default_factory=dict)
    """Category → how many to keep, as {coding: 500}. Fewer in the pool is an error; other
    categories are dropped. Categories come with the instructions, or by `label`."""
    min_complexity: Annotated[int, Field(ge=1, le=10)] = 1
    """Least complexity to keep; needs `label`."""
    max_complexity: Annotated[int, Field(ge=1, le=10)] = 10
    """Greatest complexity to keep; needs `label`."""
    limit: Positive | None = None
    """Keep at most this many in all."""
    keep_out: tuple[Annotated[PathText, Field(min_length=1)], ...] = ()
    """Benchmarks and files whose prompts no instruction may repeat, as [ste_rewardbench,
    mine.jsonl]. What `evaluation` measures on is always kept out where it can be read; what is
    named here has to be readable."""
    keep_out_by: tuple[Measure, ...] = ("exact", "near-duplicate", "8-grams")
    """Which repetition drops an instruction, of [exact, near-duplicate, 8-grams, 13-grams]. What is
    left out of the list is counted and listed, and stays."""

    @model_validator(mode="after")
    def _needs_labels(self) -> "SelectionConfig":
        if self.min_complexity > self.max_complexity:
            raise ValueError(
                f"found min_complexity {self.min_complexity} above max_complexity "
                f"{self.max_complexity}; expected the smaller number first. Swap them"
            )
        if (self.min_complexity, self.max_complexity) != (1, 10) and not self.label:
            raise ValueError(
                "found a range of complexity without labels; expected both. Set label: true"
            )
        return self

    @model_validator(mode="after")
    def _is_read(self) -> "SelectionConfig":
        fields = type(self).model_fields
        if not set(self.selectors) <= set(fields["selectors"].default):
            return self  # a plugin's selector may read any setting
        for name, selector in _READ_BY.items():
            found = getattr(self, name)
            default = fields[name].get_default(call_default_factory=True)
            if found != default and selector not in self.selectors:
                raise ValueError(
                    f"found {name}: {found} with selectors [{', '.join(self.selectors)}], none of "
                    f"which reads it; expected {selector} among them. Add {selector} to "
                    f"selectors, or remove the setting {name}"
                )
        return self
