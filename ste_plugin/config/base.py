"""What all settings share: strictness, and the kinds of values that occur more than once."""

import re
from typing import Annotated

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


class Strict(BaseModel):
    """Unknown keys fail; a config does not change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
