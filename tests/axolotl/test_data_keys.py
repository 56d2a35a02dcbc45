"""Every key of axolotl's schema is judged: does it feed the trainer, or keep our rows from it?"""

from pathlib import Path

import pytest

from ste_plugin.axolotl.data_keys import DROPPED, HARMLESS, REFUSED, SET

WITHOUT_DATA = Path(__file__).with_name("keys_without_data.txt").read_text().split()
"""Keys of axolotl 0.19 to 0.21 that were looked at, and have nothing to do with data."""


@pytest.fixture(scope="module")
def schema() -> set[str]:
    from axolotl.utils.schemas.config import AxolotlInputConfig

    return set(AxolotlInputConfig.model_fields)


@pytest.mark.slow
def test_no_key_of_axolotl_feeds_a_trainer_unseen(schema):
    judged = {*SET, *DROPPED, *REFUSED, *HARMLESS, *WITHOUT_DATA}
    assert sorted(schema - judged) == [], (
        "axolotl has keys that nobody looked at: does any feed the trainer, or keep rows from it? "
        "Put those into ste_plugin/axolotl/data_keys.py, the others into keys_without_data.txt."
    )


@pytest.mark.slow
def test_what_is_set_or_left_out_is_a_key_of_axolotl(schema):
    assert {*SET, *DROPPED} <= schema


def test_every_key_is_judged_once():
    listed = [*SET, *DROPPED, *REFUSED, *HARMLESS, *WITHOUT_DATA]
    assert len(listed) == len(set(listed))
