"""All that axolotl's schema refuses is told at once, where it stops at the first."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from ste_plugin.axolotl.schema_errors import every_error


class Part(BaseModel):
    rate: float = 0.1

    @model_validator(mode="before")
    @classmethod
    def check_one(cls, data: Any) -> Any:
        if data.get("one"):
            raise ValueError("one goes with nothing")
        return data


class Schema(Part):
    steps: int = 1
    size: int = 1

    @model_validator(mode="before")
    @classmethod
    def check_two(cls, data: Any) -> Any:
        if data.get("two"):
            raise NotImplementedError("two is not there yet")
        return data

    @model_validator(mode="after")
    def check_sizes(self) -> "Schema":
        if self.size > self.steps:
            raise ValueError("size is above steps")
        return self

    @model_validator(mode="after")
    def check_rate(self) -> "Schema":
        if self.rate > 1:
            raise ValueError("rate is above 1")
        return self


def errors(**data: Any) -> list[str]:
    with pytest.raises((ValidationError, NotImplementedError)) as caught:
        Schema.model_validate(data)
    return every_error(Schema, data, caught.value)


def test_keys_are_looked_at_where_the_whole_is_refused():
    told = errors(one=True, steps="many", size="big")
    assert told[0] == "one goes with nothing"
    assert [t.partition(":")[0] for t in told[1:]] == ["steps", "size"]


def test_every_validator_of_the_whole_is_heard():
    assert {*errors(one=True, two=True)} == {"one goes with nothing", "two is not there yet"}
    assert errors(size=3, rate=2) == ["size is above steps", "rate is above 1"]


def test_what_is_right_is_not_named():
    assert errors(one=True, steps=3, size=2) == ["one goes with nothing"]
