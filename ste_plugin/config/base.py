"""What all settings share: strictness, and the kinds of values that occur more than once."""

import os
import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]


def _folder_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,79}", value):
        raise ValueError(
            f"found {value[:80]!r}; expected a name for a folder: letters, digits and _ . + -, "
            "80 at most"
        )
    return value


FolderName = Annotated[str, AfterValidator(_folder_name)]

_Path = TypeVar("_Path", str, Path)
_VARIABLE = re.compile(r"\$(?:[A-Z_][A-Z0-9_]*|\{\w+\})")
"""As shells have variables; in other letters it may be a file's own name."""


def _without_variables(path: _Path) -> _Path:
    """Refuse variables: a run keeps its settings, and resumes where another value may hold."""
    if found := _VARIABLE.search(str(path)):
        raise ValueError(
            f"found {str(path)[:80]!r}; expected a path without variables: no shell fills them in "
            f"here. Write the value of {found[0]} in its place; ~ is your home folder"
        )
    return path


def _at_home(path: _Path) -> _Path:
    """Return a path with the home folder for ~, where there is such a user."""
    return type(path)(os.path.expanduser(path))  # noqa: PTH111 - Path's raises where there is none


PathText = Annotated[str, AfterValidator(_without_variables)]
"""A path as it is written, which is what its reader calls the file; the reader knows ~."""
HomePath = Annotated[str, AfterValidator(_without_variables), AfterValidator(_at_home)]
"""A path, or a name that may be one, as whatever uses it can take it."""
RunFolder = Annotated[Path, AfterValidator(_without_variables), AfterValidator(_at_home)]


class Strict(BaseModel):
    """Unknown keys fail; a config does not change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
