"""Grounded models on annotated images: the settings in which boxes, or boxes and labels, are given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dsg.config import Config
from dsg.config.grounding import PREDCLS, SGDET
from dsg.datasets.formats.vg150 import GraphImage
from dsg.datasets.records import Vocabulary
from dsg.errors import UserError
from dsg.models.grounding.scene import GroundedGraph
from dsg.models.grounding.trained import Given, TrainedGrounding
from dsg.pipeline.images import read_image

ATTENDED = 100  # relations of an image whose regions are known


class GroundedNetwork(NamedTuple):
    """A network to show, and what it is given of each image."""

    label: str
    trained: TrainedGrounding
    setting: str


class Seen(NamedTuple):
    """An image of the split with the graph that a network gives it."""

    record: GraphImage
    image: np.ndarray  # uint8 [H, W, 3] RGB
    graph: GroundedGraph


def network_of(label: str, model: Any, config: Config, words: Vocabulary, setting: str) -> GroundedNetwork:
    """A network that was loaded for a data set of these words; an empty setting is that of its training.

    Raises:
        UserError: it is a detector alone.
    """
    if model.graph is None:
        raise UserError(f"{label}: the detector of a scene graph, without the graph")
    model.fold()
    return GroundedNetwork(label, TrainedGrounding(model, config, words), setting or config.grounding.setting)


def seen(network: GroundedNetwork, record: GraphImage) -> Seen:
    """What a network says of an image.

    Raises:
        UserError: the image cannot be read.
    """
    image = read_image(record.path)
    given = None
    if network.setting != SGDET:
        given = [Given(record.boxes, record.labels if network.setting == PREDCLS else None)]
    [graph] = network.trained.graphs([image], given, attended=ATTENDED)
    return Seen(record, image[:, :, ::-1], graph)
