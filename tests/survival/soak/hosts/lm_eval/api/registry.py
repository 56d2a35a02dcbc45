"""Where lm-eval finds the class of a model."""

from types import SimpleNamespace

from lm_eval import Model


def get_model(_: str) -> SimpleNamespace:
    return SimpleNamespace(create_from_arg_obj=Model)
