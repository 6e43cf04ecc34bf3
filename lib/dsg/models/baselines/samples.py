"""Examples for the baselines: an image, a query, and the two maps that are to be found. NumPy only.

A sample is a query <s, r, o> of an image; its maps mark the cells of all subjects, and of all objects, of
that query. Training draws samples, as published; testing asks an image all its queries at once. Keys of a
batch (B images, Q queries, 196 cells):

    image           uint8 [B, 224, 224, 3], B, G, R; or
    features        float32 [B, 14, 14, C], where they are kept
    queries         int32 [B, Q, 3]; query_valid bool [B, Q]
    subject_maps    float32 [B, Q, 196], 0 or 1; object_maps the same
    index           int32 [B]: of the sample (training) or of the image (testing)
    name            string [B]: the image's
    seed            int32 [B, 2]: for random draws in the model
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dsg.datasets import Dataset, ImageRecord
from dsg.metrics.raster import MAP_SIZE, boxes_to_mask, union_masks
from dsg.pipeline.examples import Arrays

IMAGE_SIZE = 224
CELLS = MAP_SIZE * MAP_SIZE
HIDDEN = {"none": (), "subject": (0,), "object": (2,), "both": (0, 2)}  # columns of a query


@dataclass(frozen=True, eq=False)
class SampleIndex:
    """Which image and which of its queries each of S samples is: int32 [S] each."""

    image: np.ndarray
    query: np.ndarray

    @staticmethod
    def of(dataset: Dataset) -> SampleIndex:
        """The samples of a data set, image by image."""
        counts = [len(record.queries) for record in dataset.records]
        image = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        query = np.concatenate([np.zeros(0, np.int32), *(np.arange(n, dtype=np.int32) for n in counts)])
        return SampleIndex(image, query)

    def __len__(self) -> int:
        return len(self.image)


def shrink(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] -> [224, 224, 3], whatever its shape: each pixel is the one that its centre falls on.

    So did the release's image library; a photo loses its proportions.
    """
    height, width = image.shape[:2]
    rows, columns = (
        ((np.arange(IMAGE_SIZE) + 0.5) * side / IMAGE_SIZE).astype(np.int64) for side in (height, width)
    )
    return np.ascontiguousarray(image[rows][:, columns])


def target_maps(
    record: ImageRecord, queries: np.ndarray | slice = slice(None)
) -> tuple[np.ndarray, np.ndarray]:
    """Subject and object maps of some queries, float32 [Q, 196] each, boxes drawn as in `rr`."""
    size = np.array([record.width, record.height] * 2, np.float64)
    masks = boxes_to_mask(record.boxes / size, MAP_SIZE, "rr")
    subject, object_ = (
        union_masks(selected[queries], masks).reshape(-1, CELLS).astype(np.float32)
        for selected in (record.subject_masks, record.object_masks)
    )
    return subject, object_


def question(
    record: ImageRecord, index: int, seen: Arrays, queries: np.ndarray | slice, asked: np.ndarray
) -> Arrays:
    """One example: some queries of an image, worded as `asked` int32 [Q, 3], and their maps.

    Args:
        record: of the image.
        index: what `index` of the batch is to say.
        seen: `image` or `features` of the image.
        queries: which of the record's queries.
        asked: the queries, of which parts may be hidden.
    """
    subject, object_ = target_maps(record, queries)
    return {
        **seen,
        "queries": asked.astype(np.int32),
        "query_valid": np.ones(len(asked), bool),
        "subject_maps": subject,
        "object_maps": object_,
        "index": np.array(index, np.int32),
        "name": np.array(record.name.encode("utf-8", "replace"), object),
        "seed": np.zeros(2, np.int32),
    }


def hide(queries: np.ndarray, columns: tuple[int, ...], unknown: int) -> np.ndarray:
    """The queries with category `unknown` instead of what is hidden: column 0 the subject, 2 the object."""
    hidden = queries.copy()
    hidden[:, list(columns)] = unknown
    return hidden


def hide_at_random(queries: np.ndarray, rate: float, unknown: int, rng: np.random.Generator) -> np.ndarray:
    """Subject and object of each query hidden with this rate each, independently."""
    hidden = queries.copy()
    for column in (0, 2):
        hidden[rng.random(len(queries)) < rate, column] = unknown
    return hidden
