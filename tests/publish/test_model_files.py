"""Which of a judge's files go with it."""

import json

from ste_plugin.judging.calibration import NAME, calibrate, read_calibration, write_calibration
from ste_plugin.publish.files import CARD, Repository
from ste_plugin.publish.folder import write_folder
from ste_plugin.publish.model_files import collect_model


def test_what_a_judge_was_calibrated_by_goes_with_its_weights(tmp_path):
    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "trainer_state.json").write_text("{}")
    margins = [4.0 * (-1 if n % 4 == 0 else 1) for n in range(80)]
    write_calibration(folder, calibrate(margins, "verdict-1"))
    files, left_out = collect_model(folder, "", lambda value: value)
    assert set(files) == {"config.json", NAME}
    assert left_out == ("trainer_state.json",)
    write_folder(tmp_path / "out", (Repository("model", {**files, CARD: b"A judge."}),))
    assert read_calibration(tmp_path / "out" / "model") == read_calibration(folder)
