"""Which names may be a model's id on a hub, and which can only be a path."""

import re

_MOST_CHARACTERS = 96
_ID = re.compile(r"(\w|\w[\w.-]*\w)(/(\w|\w[\w.-]*\w))?", re.ASCII)
_FILES = (".json", ".jsonl", ".yaml", ".yml", ".toml", ".git")


def may_be_hub_id(name: str) -> bool:
    """Return whether a hub takes a name as a model's: ORG/NAME or NAME, by huggingface_hub's rule.

    A name that ends as a file of settings does is none.
    """
    is_one = _ID.fullmatch(name) and "--" not in name and ".." not in name
    return bool(is_one) and len(name) <= _MOST_CHARACTERS and not name.endswith(_FILES)
