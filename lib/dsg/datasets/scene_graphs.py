"""`load_graphs`: from a name and a split to images with their scene graphs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from dsg.datasets.catalogue import ImageFolders
from dsg.datasets.detection import InstanceDataset, load_instances
from dsg.datasets.formats.coco_instances import annotation_file, read_coco
from dsg.datasets.formats.segmentations import Segmentation
from dsg.datasets.formats.vg150 import GraphImage, read_vg150
from dsg.datasets.formats.vg150_triplets import ZERO_SHOT, read_zero_shot, zero_shot_triplets
from dsg.datasets.instance_layouts import find_instances
from dsg.datasets.records import Dataset, Vocabulary
from dsg.datasets.scene_graph_layout import (
    AUXILIARY,
    IMAGES,
    TRUE_MASKS,
    GraphSource,
    auxiliary_folder,
    find_graphs,
)
from dsg.errors import UserError

SPLITS = ("train", "validation", "test")
MOST_TEST_BOXES = 40
"""Images of the test split with more are left out, as in the release."""
MOST_OUTSIDE = 0.1  # of boxes, by their centres


@dataclass(frozen=True, eq=False)
class GraphDataset(Dataset):
    """A split of a data set of scene graphs; categories and predicates are numbered from 0."""

    records: Sequence[GraphImage]  # type: ignore[assignment]
    zero_shot: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    """int32 [Z, 3]: subject's category, object's, predicate; in the test split and never in training."""
    auxiliary: InstanceDataset | None = None
    """Other images, with the masks that objects are grounded by; `with_auxiliary` adds them."""

    def amount(self) -> str:
        """What the images hold, in words."""
        relations = sum(len(record.relations) for record in self.records)
        boxes = sum(len(record.boxes) for record in self.records)
        objects, predicates = len(self.vocabulary.objects), len(self.vocabulary.predicates)
        return (
            f"{boxes:,} objects of {objects} categories, {relations:,} relations of {predicates} predicates"
        )

    def summary(self, examples: int = 3) -> str:
        """As of every data set; then that of the masks."""
        masks = [] if self.auxiliary is None else [f"masks: {self.auxiliary.summary(examples)}"]
        return "\n".join([super().summary(examples), *masks])


def load_graphs(
    name: str | os.PathLike[str],
    split: str,
    *,
    data_dir: str | os.PathLike[str] = Path("data"),
    need_relations: bool = True,
    most_boxes: int | None = MOST_TEST_BOXES,
    max_images: int | None = None,
) -> GraphDataset:
    """The images of a split with their graphs, in the order of its file.

    Images without boxes are left out. With `need_relations` also images without relations, and in training
    relations between boxes that do not overlap. Validation is the first tenth of the train images that are
    left, at most 5,000, counted before the relations of training are chosen.

    Args:
        name: vg150, shapes150, or a folder with the files of one (`dsg.datasets.scene_graph_layout`).
        split: train, validation or test.
        data_dir: folder of the data sets, or the data set's own folder.
        need_relations: as the scene-graph stage needs them; False: as the detector's stage does.
        most_boxes: of the test split, images with more are left out; 0 and None: all are kept.
        max_images: only the first images of the split (0 and None: all).

    Raises:
        UserError: the data set or a file of it is missing, damaged or does not belong to the others; no image
            is left; an argument has an unknown value.

    Example:

        dataset = load_graphs("shapes150", "train")
        print(dataset.summary())  # shapes150 train: 1,4.. images, ... relations of 16 predicates
    """
    split = {"val": "validation"}.get(split, split)
    if split not in SPLITS:
        raise UserError(f"split: unknown value {split!r}; it is one of {', '.join(SPLITS)}")
    source = find_graphs(name, Path(data_dir))
    graphs = read_vg150(source.files, split, need_relations=need_relations, validation_images=None)
    skipped = {reason: [(image, "") for image in images] for reason, images in graphs.skipped.items()}
    images = graphs.images
    _check_places(images, source)
    if split == "test" and most_boxes:
        reason = f"more than {most_boxes} boxes"
        crowded = [(image.name, f"{len(image.boxes)}") for image in images if len(image.boxes) > most_boxes]
        skipped.update({reason: crowded} if crowded else {})
        images = [image for image in images if len(image.boxes) <= most_boxes]
        if not images:
            raise UserError(f"{source.files.graphs}: no image of {split} is left; all have {reason}")
    folders = ImageFolders(source.folder, None, split, IMAGES)
    records = [
        dataclasses.replace(image, path=folders.path(image.name)) for image in images[: max_images or None]
    ]
    triplets, note = _zero_shot(source, len(graphs.objects), len(graphs.predicates))
    vocabulary = Vocabulary(graphs.objects, graphs.predicates)
    return GraphDataset(
        *(source.label, split, source.folder, vocabulary, records, skipped),
        notes=(note,),
        zero_shot=triplets,
    )


def with_auxiliary(
    dataset: GraphDataset,
    *,
    mask_data: str = "",
    data_dir: str | os.PathLike[str] = Path("data"),
    max_images: int | None = None,
    needed: bool = True,
) -> GraphDataset:
    """The data set with the images and masks of the same split of its auxiliary set, whose categories its
    vocabulary then has.

    Args:
        dataset: from `load_graphs`.
        mask_data: a folder or name as of `load_instances`; empty: as the data set's layout has it.
        data_dir: folder of the data sets.
        max_images: only the first images (0 and None: all).
        needed: False: where there is none, the data set stays as it is.

    Raises:
        UserError: the masks are needed and missing, or damaged.
    """
    place = mask_data or auxiliary_folder(dataset.folder)
    try:
        find_instances(place, Path(data_dir))
    except UserError:
        if not needed:
            return dataset
        if mask_data or os.path.isdir(place):
            raise
        raise UserError(
            f"{dataset.folder}: no masks to learn from: neither {AUXILIARY}/ nor {place} is there; name a "
            "data set in COCO's layout by GROUNDING.MASK_DATA, or learn without by GROUNDING.JOINT False"
        ) from None
    auxiliary = load_instances(place, dataset.split, data_dir=data_dir, max_images=max_images)
    names = auxiliary.vocabulary.objects
    vocabulary = dataclasses.replace(dataset.vocabulary, mask_objects=names)
    return dataclasses.replace(dataset, auxiliary=auxiliary, vocabulary=vocabulary)


def graphs_of(dataset: Dataset) -> Sequence[GraphImage]:
    """The records of a data set that `load_graphs` gave."""
    return cast("Sequence[GraphImage]", dataset.records)


def has_true_masks(dataset: GraphDataset) -> bool:
    """Whether there is a true mask of each box, as generated data have it."""
    return annotation_file(dataset.folder / TRUE_MASKS, _file_split(dataset)).is_file()


def true_masks(dataset: GraphDataset) -> dict[str, list[Segmentation]]:
    """The true masks of each image, in the order of its boxes: to measure with, and for nothing that learns.

    Raises:
        UserError: the data set has none (only generated ones do), or not one for each box.
    """
    folder, split = dataset.folder / TRUE_MASKS, _file_split(dataset)
    if not has_true_masks(dataset):
        raise UserError(f"{folder}: no true masks; only generated data sets such as shapes150 have them")
    known = {image.name: image for image in read_coco(folder, split).images}
    result = {}
    for record in graphs_of(dataset):
        image = known.get(record.name)
        same = image is not None and np.array_equal(image.classes - 1, record.labels)
        masks = [mask for mask in image.segmentations if mask is not None] if image is not None else []
        if not same or len(masks) != len(record.boxes):
            raise UserError(f"{folder}: image {record.name!r}: not a mask for each box; generate them again")
        result[record.name] = masks
    return result


def _file_split(dataset: GraphDataset) -> str:
    """The split whose file of true masks has this one's."""
    return "test" if dataset.split == "test" else "train"


def _check_places(images: Sequence[GraphImage], source: GraphSource) -> None:
    """Refuse boxes many of which lie outside: the sizes are then those of other images."""
    centres = [(image.boxes[:, :2] + image.boxes[:, 2:]) / 2 for image in images]
    outside = [
        (centre < 0).any(1) | (centre > [image.width, image.height]).any(1)
        for centre, image in zip(centres, images)
    ]
    count, total = sum(int(one.sum()) for one in outside), sum(map(len, outside))
    if count > MOST_OUTSIDE * total:
        image = next(image for image, one in zip(images, outside) if one.any())
        raise UserError(
            f"{source.files.image_data}: {count:,} of {total:,} boxes of {source.files.graphs.name} lie "
            f"outside their images, such as one of {image.name} ({image.width} x {image.height}); the two "
            "must list the same images in the same order"
        )


def _zero_shot(source: GraphSource, objects: int, predicates: int) -> tuple[np.ndarray, str]:
    """The zero-shot triplets of the file if there is one, else of the splits; and a line on them."""
    counted = zero_shot_triplets(source.files.graphs)
    if not source.zero_shot.is_file():
        return counted, f"{len(counted):,} zero-shot triplets, counted in the splits (no {ZERO_SHOT})"
    triplets = read_zero_shot(source.zero_shot, objects, predicates)
    given, own = {tuple(row) for row in triplets.tolist()}, {tuple(row) for row in counted.tolist()}
    note = f"{len(triplets):,} zero-shot triplets of {ZERO_SHOT}"
    if given != own:
        note += (
            f"; the splits have {len(own):,}, of which {len(own - given):,} are not in the file, and "
            f"{len(given - own):,} of the file are not theirs"
        )
    return triplets, note
