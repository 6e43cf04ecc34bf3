"""What a loaded split says, as a few checksums: whether a run continues on the data that it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from dsg.datasets.detection import InstanceDataset
from dsg.datasets.formats.instances import Instances
from dsg.datasets.formats.vg150 import GraphImage
from dsg.datasets.instance_table import StoredInstances, digest_of
from dsg.datasets.records import Dataset, ImageRecord
from dsg.datasets.scene_graphs import GraphDataset
from dsg.datasets.table.counting import rows_of
from dsg.datasets.table.stored import StoredRecords

Content = dict[str, str]


def content_of(dataset: Dataset) -> Content:
    """A checksum for each part, of the records in their order: the same for files that say the same, wherever
    they lie and however they are written.

    Returns:
        Of images, sizes, boxes and categories; then of relations, or of masks in a data set for detection;
        then of the images with masks that belong to one of scene graphs.
    """
    records = dataset.records
    if isinstance(dataset, GraphDataset):
        own = {part: _checksum(pieces) for part, pieces in _of_graphs(dataset.records).items()}
        masks = {} if dataset.auxiliary is None else content_of(dataset.auxiliary)
        return {**own, **{f"{part} of masks": digest for part, digest in masks.items()}}
    if isinstance(dataset, InstanceDataset):
        objects = dataset.records
        if isinstance(objects, StoredInstances):
            arrays = _of_instance_table(objects)
        else:
            arrays = _of_instances(objects)
    else:
        arrays = _of_table(records) if isinstance(records, StoredRecords) else _of_records(records)
    return {part: _checksum(pieces) for part, pieces in arrays.items()}


def changes(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The parts that differ; what an older snapshot does not tell counts as equal.

    Example:
        >>> changes({"images": "a", "boxes": "b"}, {"images": "a", "boxes": "c", "sizes": "d"})
        ['boxes']
    """
    return [part for part in now if part in before and before[part] != now[part]]


def _of_table(records: StoredRecords) -> dict[str, list[bytes]]:
    """Of all records at once, without making them."""
    table, images = records.table, records.images
    entities = rows_of(table.entity_start[images], table.entity_count[images])
    triples = rows_of(table.triple_start[images], table.triple_count[images])
    names = "\0".join(table.names[image] for image in images.tolist())
    return {
        "images": [names.encode("utf-8", "surrogatepass"), np.asarray(records.flipped, bool).tobytes()],
        "sizes": [_bytes(table.sizes[images], np.int64)],
        "boxes": [_bytes(table.boxes[entities], np.float32)],
        "categories": [
            _bytes(table.entity_count[images], np.int64),
            _bytes(table.categories[entities], np.int64),
        ],
        "relations": [_bytes(table.triple_count[images], np.int64), _bytes(table.triples[triples], np.int64)],
    }


def _of_records(records: Sequence[ImageRecord]) -> dict[str, list[bytes]]:
    return {
        "images": [f"{record.name}\0{record.flipped}".encode("utf-8", "surrogatepass") for record in records],
        "sizes": [_bytes(np.array([record.width, record.height]), np.int64) for record in records],
        "boxes": [_bytes(record.boxes, np.float32) for record in records],
        "categories": [_bytes(record.entities, np.int64) for record in records],
        "relations": [_bytes(record.triples, np.int64) for record in records],
    }


def _of_graphs(records: Sequence[GraphImage]) -> dict[str, list[bytes]]:
    return {
        "images": [record.name.encode("utf-8", "surrogatepass") for record in records],
        "sizes": [_bytes(np.array([record.width, record.height]), np.int64) for record in records],
        "boxes": [_bytes(record.boxes, np.float64) for record in records],
        "categories": [_bytes(record.labels, np.int64) for record in records],
        "relations": [_bytes(record.relations, np.int64) for record in records],
    }


def _of_instances(records: Sequence[Instances]) -> dict[str, list[bytes]]:
    marks = (np.stack([record.difficult, record.crowd], 1) for record in records)
    return {
        "images": [f"{record.name}\0{record.flipped}".encode("utf-8", "surrogatepass") for record in records],
        "sizes": [_bytes(np.array([record.width, record.height]), np.int64) for record in records],
        "boxes": [_bytes(record.boxes, np.float32) for record in records],
        "categories": [
            _bytes(record.classes, np.int64) + mark.tobytes() for record, mark in zip(records, marks)
        ],
        # Mirror images have the masks of their originals.
        "masks": [
            _bytes(np.array([digest_of(record.segmentations)]), np.uint64)
            for record in records
            if not record.flipped
        ],
    }


def _of_instance_table(records: StoredInstances) -> dict[str, list[bytes]]:
    """Of all records at once, without making them."""
    table, images = records.table, records.images
    counts = np.diff(table.starts)
    objects = rows_of(table.starts[images], counts[images])
    names = "\0".join(table.names[image] for image in images.tolist())
    return {
        "images": [names.encode("utf-8", "surrogatepass"), records.flipped.tobytes()],
        "sizes": [_bytes(table.sizes[images], np.int64)],
        "boxes": [_bytes(table.boxes[objects], np.float32), records.flipped.tobytes()],
        "categories": [
            _bytes(counts[images], np.int64),
            _bytes(table.labels[objects], np.int64),
            table.marks[objects].tobytes(),
        ],
        "masks": [_bytes(table.digests[images[~records.flipped]], np.uint64)],
    }


def _bytes(values: np.ndarray, dtype: type) -> bytes:
    return np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<")).tobytes()


def _checksum(pieces: Sequence[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.hexdigest()
