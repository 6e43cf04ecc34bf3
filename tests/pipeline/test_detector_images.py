"""torchvision's way to bring images, boxes and masks to the network's size."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.boxes.resampling import resize_bilinear
from dsg.pipeline.detector_images import image_batch, network_size, resize_masks, scale_boxes
from tests.golden import golden
from tests.golden.compare import error

UNITS = golden("torchvision_units")


def test_sizes() -> None:
    for height, width, shorter, longer, *rest in UNITS["transform/sizes"].tolist():
        size = network_size(height, width, shorter, longer)
        padded = tuple(-(-side // 32) * 32 for side in size)
        assert (*size, *padded) == tuple(rest), (height, width, shorter, longer)


@pytest.mark.parametrize("case", range(4))
def test_an_image_its_boxes_and_masks(case: int) -> None:
    key = f"transform/{case}"
    image = UNITS[f"{key}/image"].transpose(1, 2, 0)
    batch = image_batch([image], *UNITS[f"{key}/min_max"].tolist())
    size = UNITS[f"{key}/image_size"]
    assert np.array_equal(batch.sizes[0], size)
    assert error(batch.images.transpose(0, 3, 1, 2), UNITS[f"{key}/batch"]) < 1e-6
    boxes = scale_boxes(UNITS[f"{key}/boxes"], image.shape[:2], size)
    assert error(boxes, UNITS[f"{key}/boxes_out"]) < 1e-6
    assert np.array_equal(resize_masks(UNITS[f"{key}/masks"], *size), UNITS[f"{key}/masks_out"])


def test_a_batch_is_padded_to_its_largest() -> None:
    rng = np.random.default_rng(0)
    images = [rng.random((h, w, 3), np.float32) for h, w in ((40, 60), (70, 35))]
    batch = image_batch(images, 32, 64)
    assert batch.images.shape == (2, 64, 64, 3) and batch.sizes.tolist() == [[32, 48], [64, 32]]
    assert not batch.images[0, 32:].any() and not batch.images[1, :, 32:].any()
    alone = image_batch(images[:1], 32, 64).images[0]
    assert np.array_equal(batch.images[0, :32, :48], alone[:32, :48])


def test_a_resize_by_hand() -> None:
    row = np.array([[0.0, 4.0]], np.float32)
    assert np.allclose(resize_bilinear(row, 1, 4), [[0, 1, 3, 4]])
