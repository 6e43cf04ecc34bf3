"""What is measured on: models with the weights of the parity recipe, and images and annotations made up on
the spot.

Nothing here is loaded from anywhere, and everything follows from a seed, so that a benchmark runs and
repeats on any machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from dsg.checkpoints.tf1_names import release_name
from dsg.config import Config
from dsg.datasets import Dataset, ImageRecord, Vocabulary, load_dataset
from dsg.datasets.roidb import build_record
from dsg.datasets.shapes.generator import generate_shapes
from dsg.models.dsg.build import build_model
from dsg.models.dsg.model import DSG
from dsg.models.dsg.regions import RegionEncoder
from dsg.parity.recipe import recipe_value
from dsg.pipeline.batch import Batch
from dsg.pipeline.examples import Example, preprocess, to_batch

JPEG_QUALITY = 92


def recipe_model(config: Config, entities: int, predicates: int) -> DSG:
    """The model of `config` with the weights of the reference cases: random, but signals keep their size."""
    model = build_model(config, entities, predicates)
    for name, variable in model.named_variables().items():
        theirs = release_name(name, config.backbone)
        if theirs is not None:
            variable.assign(recipe_value(theirs, variable.shape))
    return model


def sharing(model: DSG, config: Config) -> DSG:
    """A model of `config`, another precision or size of relation crops, with the variables of `model`."""
    regions = RegionEncoder(
        model.regions.entity,
        model.regions.relation,
        stride=config.feature_stride,
        size=config.pooling_size,
        relation_size=config.relation_pooling_size,
        max_pool=config.resnet.max_pool,
    )
    return DSG(config, {**model.parts, "regions": regions})


def photograph(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3] with detail at every scale, as a photograph has; it costs a decoder time."""
    image = np.zeros((height, width, 3), np.float32)
    cells = 4
    while cells < max(height, width):
        coarse = rng.normal(0, 1, (max(2, cells * height // width), cells, 3)).astype(np.float32)
        image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * (40.0 / cells**0.4)
        cells *= 2
    return np.clip(image + 110, 0, 255).astype(np.uint8)


def photograph_record(
    rng: np.random.Generator,
    path: Path,
    size: tuple[int, int],
    vocabulary: Vocabulary,
    objects: int,
    queries: int,
) -> ImageRecord:
    """The record of an image of `size` (width, height): so many boxes, if the queries name them all."""
    width, height = size
    entities = []
    for category in rng.choice(len(vocabulary.objects), objects, replace=objects > len(vocabulary.objects)):
        sides = rng.uniform(0.1, 0.5, 2) * (width, height)
        x, y = rng.uniform(0, 1, 2) * (width - sides[0], height - sides[1])
        box = [int(y), int(y + sides[1]), int(x), int(x + sides[0])]
        entities.append({"category": int(category), "bbox": box})
    relationships = []
    for number in range(queries):  # by twos through all boxes, then again with other partners
        subject = 2 * number % objects
        partner = (subject + 1 + number // objects % (objects - 1)) % objects
        predicate = number % len(vocabulary.predicates)
        relationships.append(
            {"predicate": predicate, "subject": entities[subject], "object": entities[partner]}
        )
    legacy = np.random.RandomState(0)
    return build_record(path.name, path, size, relationships, vocabulary, legacy, _never)


def photograph_dataset(
    folder: Path, count: int, size: tuple[int, int], vocabulary: Vocabulary, objects: int, queries: int
) -> Dataset:
    """`count` JPEG files in `folder`, with their records."""
    records = []
    for number in range(count):
        rng = np.random.default_rng(number)
        path = folder / f"{number:06}.jpg"
        cv2.imwrite(str(path), photograph(rng, size[1], size[0]), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        records.append(photograph_record(rng, path, size, vocabulary, objects, queries))
    return Dataset("photographs", "train", folder, vocabulary, records)


def photograph_batch(
    config: Config,
    size: tuple[int, int],
    vocabulary: Vocabulary,
    objects: int,
    queries: int,
    *,
    training: bool = True,
) -> Batch:
    """One image as it comes out of the input pipeline, of training (anchor targets included) or of a test."""
    rng = np.random.default_rng(0)
    image = photograph(rng, size[1], size[0])
    record = photograph_record(rng, Path("generated"), size, vocabulary, objects, queries)
    arrays: Any = to_batch([preprocess(Example(image, record), config, rng if training else None)])
    return Batch(**{key: tf.convert_to_tensor(value) for key, value in arrays.items()})  # type: ignore[typeddict-item]


def shapes_dataset(folder: Path, count: int, size: tuple[int, int]) -> Dataset:
    """`count` generated scenes, made in `folder`."""
    generate_shapes(folder, train=count, test=1, size=size, workers=1, progress=False)
    return load_dataset(str(folder), "trainval")


def vocabulary(entities: int, predicates: int) -> Vocabulary:
    """So many categories and predicates, numbered."""
    return Vocabulary(
        tuple(f"object {n}" for n in range(entities)), tuple(f"predicate {n}" for n in range(predicates))
    )


def _never(reason: str, position: int, detail: str) -> None:
    raise AssertionError(f"a made-up relationship was refused: {reason}, {detail}")
