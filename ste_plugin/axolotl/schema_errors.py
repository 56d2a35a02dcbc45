"""Everything that axolotl's schema finds wrong with a config, where it stops at the first."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError, model_validator

_REFUSALS = (ValueError, NotImplementedError, ImportError, DeprecationWarning)


def every_error(schema: Any, data: dict[str, Any], first: Exception) -> list[str]:
    """Return axolotl's own words for all that is wrong: `first`, then what it hides.

    A validator of the whole config that refuses it ends the validation: of the others, and of the
    keys one by one.
    """
    found = [*_words(first), *_before(schema, data)]
    try:
        valid = without_validators(schema).model_validate(data)
    except Exception as error:  # some of axolotl's raise what pydantic does not catch
        return list(dict.fromkeys([*found, *_words(error)]))
    return list(dict.fromkeys([*found, *_after(schema, valid)]))


def without_validators(schema: Any) -> Any:
    """Return a schema that looks at the keys one by one, and not at the config as a whole."""

    def passed(_: Any, data: Any) -> Any:
        return data

    names = schema.__pydantic_decorators__.model_validators
    nothing = {n: model_validator(mode="before")(classmethod(passed)) for n in names}  # type: ignore[arg-type]
    return type(schema)(schema.__name__, (schema,), {"__module__": __name__, **nothing})


def _words(error: Exception) -> list[str]:
    if not isinstance(error, ValidationError):
        return [str(error)]
    return [
        ": ".join([*map(str, e["loc"]), e["msg"].removeprefix("Value error, ")])
        for e in error.errors()
    ]


def _validators(schema: Any, mode: str) -> Iterator[str]:
    for name, validator in schema.__pydantic_decorators__.model_validators.items():
        if validator.info.mode == mode:
            yield name


def _before(schema: Any, data: dict[str, Any]) -> Iterator[str]:
    """Yield what the validators refuse that see the config as it was written."""
    data = dict(data)
    for name in _validators(schema, "before"):
        try:
            data = getattr(schema, name)(data) or data
        except _REFUSALS as error:
            yield str(error)
        except Exception:  # it relies on what another has refused
            continue


def _after(schema: Any, valid: Any) -> Iterator[str]:
    """Yield what the validators refuse that see the config once its keys are right."""
    for name in _validators(schema, "after"):
        try:
            getattr(schema, name)(valid)
        except _REFUSALS as error:
            yield str(error)
        except Exception:  # it relies on what another has refused
            continue
