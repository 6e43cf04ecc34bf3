"""The mask of a pair of boxes: where in their union the relation shows (eq. 6 and 7).

Each box's mask is blurred by a Gaussian whose shape follows from what the two boxes are, and the two are
multiplied. P pairs, V categories, V + 1 scores a box, m cells a side of a mask.
"""

from __future__ import annotations

import tensorflow as tf

from dsg.nets.chunks import some
from dsg.nets.layers import GLOROT, Block, Dense

RADIUS = 3  # cells on each side of a kernel's centre
SMALLEST_DEVIATION = 1e-7
SMALLEST_RESIDUE = 1e-6  # of 1 - rho^2, which is 0 in float32 from a raw correlation of about 9 on
JOINT, PER_OBJECT = "joint", "per_object"
GAUSSIAN, AVERAGE, UNION, UNION_RELEASED = "gaussian", "average", "union", "union_released"
EDGE_MASKS = (GAUSSIAN, AVERAGE, UNION, UNION_RELEASED)
OWN_FRAME, UNION_FRAME = "own", "union"


def gaussian_kernels(parameters: tf.Tensor) -> tf.Tensor:
    """Kernels [..., 7, 7] (rows, columns) that sum to 1.

    Args:
        parameters: [..., 3]: logarithms of the variances along columns and along rows, and the correlation
            before its tanh.
    """
    deviations = tf.maximum(tf.exp(parameters[..., :2] / 2.0), SMALLEST_DEVIATION)
    across, down = deviations[..., 0, None, None], deviations[..., 1, None, None]
    correlation = tf.tanh(parameters[..., 2])[..., None, None]
    offsets = tf.range(-RADIUS, RADIUS + 1, dtype=parameters.dtype)
    column, row = offsets[None, :] / across, offsets[:, None] / down
    distance = column * column + row * row - 2.0 * correlation * column * row
    residue = tf.maximum(1.0 - correlation * correlation, SMALLEST_RESIDUE)
    kernel = tf.exp(-distance / (2.0 * residue))
    return kernel / tf.reduce_sum(kernel, [-2, -1], keepdims=True)


def blurred(masks: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """Masks [P, m, m, V], each convolved by its kernel [P, 7, 7]; beyond the border they are 0. P may be 0.

    All categories share a kernel, so pairs are the channels of one depthwise convolution, and categories its
    images.
    """
    count = tf.shape(masks)[0]
    masks, kernels = some(masks), some(kernels)
    images = tf.transpose(masks, [3, 1, 2, 0])  # [V, m, m, P]
    filters = tf.transpose(kernels, [1, 2, 0])[..., None]  # [7, 7, P, 1]
    result = tf.nn.depthwise_conv2d(images, filters, [1, 1, 1, 1], "SAME")
    return tf.transpose(result, [3, 1, 2, 0])[:count]


class GaussianShapes(Block):
    """Scores of the two boxes of each pair [P, V + 1] -> parameters [P, 2, 3] of their Gaussians.

    Args:
        scores: V + 1.
        net: joint: one linear layer on both, as released; per_object: each from its own scores, as in the
            paper.
    """

    def __init__(self, scores: int, net: str = JOINT) -> None:
        super().__init__()
        self._joint = net == JOINT
        if self._joint:
            self.gauss = Dense(2 * scores, 6, GLOROT)
        else:
            self.gauss_object = Dense(scores, 3, GLOROT)

    def call(self, subject: tf.Tensor, object_: tf.Tensor) -> tf.Tensor:
        if self._joint:
            return tf.reshape(self.gauss(tf.concat([subject, object_], -1)), [-1, 2, 3])
        return self.gauss_object(tf.stack([subject, object_], 1))


class EdgeMasks(Block):
    """Masks and scores of the boxes of pairs -> masks of the pairs [P, m, m, V].

    Args:
        scores: V + 1.
        kind: gaussian, or what the paper compares it with: average, union (the larger of the two), and
            union_released, which averages although it is called a union.
        net: of `GaussianShapes`.
        sigmoid: of the product, which as released then lies in 0.5..0.73.
    """

    def __init__(self, scores: int, kind: str = GAUSSIAN, net: str = JOINT, sigmoid: bool = True) -> None:
        super().__init__()
        self._kind, self._sigmoid = kind, sigmoid
        if kind == GAUSSIAN:
            self.shapes = GaussianShapes(scores, net)

    def call(self, masks: tuple[tf.Tensor, tf.Tensor], scores: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """`masks` and `scores` of subjects and of objects: [P, m, m, V] and [P, V + 1] each."""
        return self.meet(*masks, self.kernels(*scores))

    def kernels(self, subject: tf.Tensor, object_: tf.Tensor) -> tf.Tensor | None:
        """The kernels [P, 2, 7, 7] of pairs by the scores of their boxes; None where nothing is blurred."""
        return gaussian_kernels(self.shapes(subject, object_)) if self._kind == GAUSSIAN else None

    def meet(self, subject: tf.Tensor, object_: tf.Tensor, kernels: tf.Tensor | None = None) -> tf.Tensor:
        """The masks of pairs from those of subjects and of objects."""
        if self._kind == UNION:
            return tf.maximum(subject, object_)
        if kernels is None:
            return (subject + object_) / 2.0
        product = blurred(subject, kernels[:, 0]) * blurred(object_, kernels[:, 1])
        return tf.sigmoid(product) if self._sigmoid else product


def in_union_frame(masks: tf.Tensor, boxes: tf.Tensor, unions: tf.Tensor) -> tf.Tensor:
    """Masks of boxes' own grids, read at the cells of their union box's grid; 0 outside their box.

    The released model multiplies the two masks cell by cell although each lies in its own box's grid; with
    this they are first brought to one.

    Args:
        masks: [P, m, m, V].
        boxes: [P, 4], of the masks.
        unions: [P, 4], each around its box.
    """
    size = masks.shape[1]
    sides = tf.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
    low = (unions[:, :2] - boxes[:, :2]) / sides  # in units of the box
    extent = (unions[:, 2:] - unions[:, :2]) / sides
    # The centre of the union's cell i is at (i + 1/2) / m of the union; cell j of the mask has its centre at
    # (j + 1/2) / m of the box, and crop_and_resize reads at whole cells from the first to the last.
    first = (low + 0.5 * extent / size) * size - 0.5
    last = (low + (1.0 - 0.5 / size) * extent) * size - 0.5
    # A border of zeros: between the last cell and the box's edge a mask fades.
    bordered = tf.pad(masks, [[0, 0], [1, 1], [1, 1], [0, 0]])
    places = (tf.concat([first[:, ::-1], last[:, ::-1]], -1) + 1.0) / (size + 1.0)
    return tf.image.crop_and_resize(bordered, places, tf.range(tf.shape(masks)[0]), [size, size])
