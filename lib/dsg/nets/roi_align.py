"""RoIAlign: the mean of bilinear samples in each bin of a box, from one map or from a pyramid of maps."""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.kernels.bilinear import sample


def roi_align(
    features: tf.Tensor,
    boxes: tf.Tensor,
    image: tf.Tensor,
    size: int,
    scale: tf.Tensor | float,
    *,
    points: int = 2,
    aligned: bool = False,
) -> tf.Tensor:
    """Crops of `size` x `size` bins, each the mean of `points` x `points` samples.

    A sample up to one cell outside the map has the value at its border, one farther out is 0.

    Args:
        features: [B, h, w, C].
        boxes: float32 [M, 4] in pixels; no gradient flows into them.
        image: int32 [M], which of the B images each box lies in.
        size: bins a side.
        scale: cells for each pixel.
        points: samples a side of a bin.
        aligned: pixel centres lie at halves: boxes move by half a cell and may have any size. Without it, as
            in the first RoIAlign and in torchvision's detectors, a box is at least a cell wide and high.

    Returns:
        [M, size, size, C] in the type of `features`.
    """
    low, extent = _low_and_extent(boxes, scale, aligned)
    step = extent / float(size * points)  # between two samples
    # A border repeated by a cell gives samples beside the map its border's values; sample() gives 0 beyond.
    # There are float32 kernels only.
    bordered = repeat_border(tf.cast(features, tf.float32))
    first = low + 0.5 * step + 1.0
    last = first + (size * points - 1) * step
    cells = _cells(features)
    relative = tf.concat([(first / cells)[:, ::-1], (last / cells)[:, ::-1]], -1)  # y1 x1 y2 x2
    crops = sample(bordered, relative, image, size * points)
    if points > 1:
        crops = tf.nn.avg_pool2d(crops, points, points, "VALID")
    return tf.cast(crops, features.dtype)


def dense_roi_align(
    features: tf.Tensor,
    boxes: tf.Tensor,
    image: tf.Tensor,
    size: tuple[int, int],
    scale: float,
    *,
    points: int = 0,
    aligned: bool = False,
) -> tf.Tensor:
    """`roi_align` as two products of matrices a box, for maps of few channels such as masks: float32.

    Args:
        size: bins (rows, columns).
        points: samples a side of a bin; 0: about one for each cell, ceil(side / bins) by box and axis.
    """
    low, extent = _low_and_extent(boxes, scale, aligned)
    features = tf.cast(features, tf.float32)

    def crop(box: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        start, sides, number = box
        rows = _bin_weights(start[1], sides[1], size[0], tf.shape(features)[1], points)
        columns = _bin_weights(start[0], sides[0], size[1], tf.shape(features)[2], points)
        return tf.einsum("ih,hwc,jw->ijc", rows, features[number], columns)

    signature = tf.TensorSpec([*size, features.shape[-1]], tf.float32)
    return tf.map_fn(crop, (low, extent, image), fn_output_signature=signature)


def adaptive_roi_align(
    features: tf.Tensor, boxes: tf.Tensor, image: tf.Tensor, size: int, scale: tf.Tensor | float
) -> tf.Tensor:
    """`roi_align`, aligned, with as many samples a side of a bin as it has cells, rounded up.

    The numbers differ by box and axis. Boxes with equal numbers of samples are cropped together.

    Args:
        features, boxes, image, size, scale: see `roi_align`.

    Returns:
        float32 [M, size, size, C].
    """
    low, extent = _low_and_extent(boxes, scale, aligned=True)
    counts = tf.maximum(tf.cast(tf.math.ceil(extent / float(size)), tf.int32), 1)
    step = extent / tf.cast(counts * size, tf.float32)
    bordered = repeat_border(tf.cast(features, tf.float32))
    cells = _cells(features)
    first = low + 0.5 * step + 1.0
    last = first + tf.cast(counts * size - 1, tf.float32) * step
    relative = tf.concat([(first / cells)[:, ::-1], (last / cells)[:, ::-1]], -1)
    most = tf.reduce_max(counts) + 1
    groups, group = tf.unique(counts[:, 0] * most + counts[:, 1])

    def crop_group(number: tf.Tensor, crops: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.cast(tf.where(tf.equal(group, number)), tf.int32)
        own = rows[:, 0]
        across, down = groups[number] // most, groups[number] % most
        points = (down * size, across * size)
        samples = sample(bordered, tf.gather(relative, own), tf.gather(image, own), points)
        bins = tf.reshape(samples, [-1, size, down, size, across, features.shape[-1]])
        return number + 1, tf.tensor_scatter_nd_update(crops, rows, tf.reduce_mean(bins, [2, 4]))

    crops = tf.zeros([tf.shape(boxes)[0], size, size, features.shape[-1]])
    return tf.while_loop(lambda number, _: number < tf.size(groups), crop_group, (tf.constant(0), crops))[1]


def _cells(features: tf.Tensor) -> tf.Tensor:
    """Cells from the first to the last of a map [B, h, w, C] with repeated borders, x before y: float32 [2].

    A slice of the shape by a stride of -1 would be shorter, but TensorFlow's graph optimizer fails on it.
    """
    height, width = tf.shape(features)[1], tf.shape(features)[2]
    return tf.cast(tf.stack([width, height]), tf.float32) + 1.0


def _low_and_extent(boxes: tf.Tensor, scale: tf.Tensor | float, aligned: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Where boxes start and how far they reach, in cells, [M, 2] each, x before y."""
    cells = tf.stop_gradient(boxes) * scale - (0.5 if aligned else 0.0)
    extent = cells[:, 2:] - cells[:, :2]
    return cells[:, :2], extent if aligned else tf.maximum(extent, 1.0)


def repeat_border(features: tf.Tensor) -> tf.Tensor:
    """A map [B, h, w, C] with each border repeated by a cell: [B, h + 2, w + 2, C]."""
    return tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")


def _bin_weights(low: tf.Tensor, extent: tf.Tensor, size: int, cells: tf.Tensor, points: int) -> tf.Tensor:
    """What each cell of an axis adds to each bin: float32 [size, cells]."""
    count = points or tf.maximum(tf.cast(tf.math.ceil(extent / size), tf.int32), 0)
    number = tf.cast(tf.range(count), tf.float32)
    inside_bin = (number + 0.5) / tf.cast(count, tf.float32)
    place = low + (tf.range(size, dtype=tf.float32)[:, None] + inside_bin) * (extent / size)  # [size, count]
    last = tf.cast(cells, tf.float32)
    counts = (place >= -1.0) & (place <= last)
    place = tf.clip_by_value(place, 0.0, last - 1.0)
    distance = tf.abs(place[..., None] - tf.range(last))  # [size, count, cells]
    weight = tf.maximum(1.0 - distance, 0.0) * tf.cast(counts, tf.float32)[..., None]
    return tf.reduce_sum(weight, 1) / tf.maximum(tf.cast(count, tf.float32), 1.0)
