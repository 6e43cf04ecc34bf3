"""Word vectors for the names of `shapes150`, in GloVe's place: names of one shape are near each other, and so
are those of like colours.

A vector is the sum of two parts at right angles and a little noise: one of the shape, a random direction, and
one of the colour, its red, green and blue, less MIDDLE, along three directions. The dot product of two names
of one shape is SHAPE**2 larger than that of the same colours with two shapes, but for the noise, so that the
softmax over them leaves names of the same shape, most of them of like colours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsg.datasets.shapes.scene import COLOURS, OTHER_COLOURS, SHAPES

WIDTH = 50  # numbers a word; GloVe's narrowest vectors have as many
SHAPE, COLOUR, NOISE = 4.0, 4.0, 0.3  # lengths; of the colour per unit of light
MIDDLE = 0.4  # of red, green and blue: colours on different sides of it are unlike
START = "start"  # the word with which the release's decoder begins


def shape_word_vectors(names: Sequence[str], seed: int) -> np.ndarray:
    """A vector for each name `<colour>_<shape>`: float32 [N, WIDTH]. The same name has the same vector,
    whatever the others are.
    """
    directions, _ = np.linalg.qr(np.random.default_rng([seed, WIDTH]).standard_normal((WIDTH, WIDTH)))
    rows = []
    for name in names:
        colour, _, shape = name.rpartition("_")
        rgb = np.array({**COLOURS, **OTHER_COLOURS}[colour]) / 255
        noise = np.random.default_rng([seed, *name.encode()]).standard_normal(WIDTH) * NOISE / np.sqrt(WIDTH)
        of_colour = COLOUR * (rgb - MIDDLE) @ directions[3:6]
        rows.append(SHAPE * directions[SHAPES.index(shape)] + of_colour + noise)
    return np.array(rows, np.float32)


def words_text(names: Sequence[str], seed: int) -> str:
    """GloVe's text file: a word and its numbers a line; of the names and of START, which is like none."""
    start = np.random.default_rng([seed, *START.encode()]).standard_normal(WIDTH).astype(np.float32)
    words = zip([*names, START], [*shape_word_vectors(names, seed), start])
    return "".join(" ".join([word, *(f"{number:.5f}" for number in vector)]) + "\n" for word, vector in words)
