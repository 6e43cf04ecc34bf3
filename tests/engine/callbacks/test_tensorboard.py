"""What is written for TensorBoard can be read back."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import tensorflow as tf

from dsg.engine.callbacks.tensorboard import Summaries
from dsg.engine.step import StepReport


@pytest.mark.parametrize("folder", ["file/tensorboard", "not \udce9 unicode"])
def test_training_goes_on_where_they_cannot_be_written(folder, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING, "dsg"):
        summaries = Summaries(tmp_path / folder)
        summaries.add_step(7, StepReport({"total": 1.5}, 2.0, True), 0.25, 4.0)
        summaries.close()
    assert "TensorBoard entries cannot be written" in caplog.text


def test_scalars_and_pictures(tmp_path):
    summaries = Summaries(tmp_path)
    summaries.add_step(7, StepReport({"total": 1.5}, 2.0, True), 0.25, 4.0)
    summaries.add_validation(8, {"subject_iou": 0.5}, {"validation_0": np.full((4, 6, 3), 9, np.uint8)})
    summaries.close()
    (file,) = tmp_path.iterdir()
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            tensor = tf.make_ndarray(value.tensor)
            found[value.tag] = (event.step, value.metadata.plugin_data.plugin_name, tensor)
    assert found["loss/total"] == (7, "scalars", 1.5)
    assert found["train/learning_rate"] == (7, "scalars", 0.25)
    assert found["validation/subject_iou"] == (8, "scalars", 0.5)
    step, plugin, (width, height, png) = found["validation_0"]
    assert (step, plugin, width, height) == (8, "images", b"6", b"4")
    assert (tf.io.decode_png(png).numpy() == 9).all()
