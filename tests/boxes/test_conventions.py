"""torchvision's codec of boxes."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dsg.boxes.conventions import TORCHVISION, TORCHVISION_RPN, decode_classes
from dsg.boxes.transform import BoxCoder
from tests.golden import golden
from tests.golden.compare import error

UNITS = golden("torchvision_units")


@pytest.mark.parametrize(("case", "coder"), [("rpn", TORCHVISION_RPN), ("roi", TORCHVISION)])
def test_torchvisions_codec(case: str, coder: BoxCoder) -> None:
    boxes, truth = tf.constant(UNITS["box_coder/proposals"]), tf.constant(UNITS["box_coder/gt"])
    assert error(coder.encode(boxes, truth), UNITS[f"box_coder/{case}/encoded"]) < 1e-5
    decoded = decode_classes(coder, boxes, tf.constant(UNITS[f"box_coder/{case}/codes"]))
    assert error(decoded, UNITS[f"box_coder/{case}/decoded"]) < 1e-5
    assert np.isclose(coder.log_limit, UNITS[f"box_coder/{case}/clip"])


def test_boxes_may_end_where_the_image_does() -> None:
    clipped = TORCHVISION.clip(tf.constant(UNITS["clip/boxes"]), tf.constant(UNITS["clip/size"]))
    assert error(clipped, UNITS["clip/clipped"]) == 0
