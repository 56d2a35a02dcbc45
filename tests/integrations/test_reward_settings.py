"""A reward's settings, out of the environment."""

import os

import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.integrations.reward_settings import settings_of_environment

JUDGE = {"STE_REWARD_JUDGE": "judge"}


def test_each_setting_is_read_as_what_it_is():
    found = settings_of_environment(
        JUDGE
        | {
            "STE_REWARD_OPTIONS": '{"max_attempts": 2}',
            "STE_REWARD_PLUGINS": os.pathsep.join(["a.py", "b.py"]),
            "STE_REWARD_OPPONENTS": " 6 ",
            "STE_REWARD_BY": "probability",
            "STE_REWARD_FORMAT": "",
            "STE_OTHER": "x",
        }
    )
    assert found.options == {"max_attempts": 2}
    assert [str(path) for path in found.plugins] == ["a.py", "b.py"]
    assert (found.opponents, found.by, found.format) == (6, "probability", None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "STE_REWARD_JUDGE is not set"),
        ({"STE_REWARD_JUDGE": " "}, "STE_REWARD_JUDGE is not set"),
        (JUDGE | {"STE_REWARD_BASEURL": "x"}, "Did you mean 'STE_REWARD_BASE_URL'?"),
        (JUDGE | {"STE_REWARD_OPPONENTS": "many"}, "opponents: found 'many'; expected a whole"),
        (JUDGE | {"STE_REWARD_OPPONENTS": "0"}, "opponents: found '0'; expected 1 or more"),
        (JUDGE | {"STE_REWARD_OPTIONS": "{"}, "options: found '{'; expected settings"),
        (JUDGE | {"STE_REWARD_BY": "vote"}, "by: found 'vote'; expected 'verdict' or"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_trained(given, message):
    with pytest.raises(ConfigError) as error:
        settings_of_environment(given)
    assert message in str(error.value)
