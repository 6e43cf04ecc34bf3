"""`check_graphs`: a data set of scene graphs looked through, with its masks and word vectors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from dsg.apps.checks.anchors import anchor_lines
from dsg.apps.checks.detection import check_instances
from dsg.apps.checks.findings import LEFT_OUT, NOTE, UNUSABLE, Findings
from dsg.apps.checks.graph_statistics import graph_statistics
from dsg.apps.checks.images import check_images
from dsg.apps.checks.names import listed
from dsg.apps.checks.plots import plot_graphs
from dsg.apps.checks.report import Check
from dsg.apps.checks.salvage import Picture
from dsg.config import Config
from dsg.datasets import Vocabulary
from dsg.datasets.formats.vg150 import GraphImage
from dsg.datasets.scene_graph_layout import EMBEDDINGS, NAME_WIDTH, GraphSource, find_graphs
from dsg.datasets.scene_graphs import (
    MOST_TEST_BOXES,
    SPLITS,
    GraphDataset,
    graphs_of,
    load_graphs,
    with_auxiliary,
)
from dsg.errors import UserError
from dsg.models.grounding.words import read_name_vectors


def check_graphs(
    name: str,
    data_dir: Path = Path("data"),
    *,
    images: bool = True,
    sample: int = 0,
    net: str = "",
    config: Config | None = None,
) -> Check:
    """Everything that is wrong with a data set of scene graphs, and its statistics; arguments as of
    `check_dataset`.

    Raises:
        UserError: there is no such data set, or a file of it is missing.
    """
    source, findings = find_graphs(name, data_dir), Findings()
    datasets: dict[str, GraphDataset] = {}
    for split in SPLITS:
        try:
            datasets[split] = load_graphs(
                name, split, data_dir=data_dir, need_relations=False, most_boxes=None
            )
        except UserError as error:
            detail = " ".join(str(error).split())
            findings.add(UNUSABLE, "the split cannot be loaded", f"{split} split", detail=detail)
            continue
        for reason, cases in datasets[split].skipped.items():
            for image, _ in cases:
                findings.add(LEFT_OUT, f"image with {reason}", f"{split} split", image)
        for record in graphs_of(datasets[split]):
            _check_image(record, split, findings)
    vocabulary = next((data.vocabulary for data in datasets.values()), Vocabulary((), ()))
    statistics = {split: graph_statistics(graphs_of(data), vocabulary) for split, data in datasets.items()}
    if "train" in statistics:
        _check_use("categories", statistics["train"].categories, vocabulary.objects, findings)
        _check_use("predicates", statistics["train"].predicates, vocabulary.predicates, findings)
    masks = _check_masks(datasets.get("train"), data_dir, images, sample, findings)
    _check_vectors(source, vocabulary.objects, masks, findings)
    read = {
        split: check_images(split, list(map(_picture, graphs_of(data))), findings, sample)
        for split, data in datasets.items()
        if images
    }
    anchors = tuple(anchor_lines(net, config, datasets)) if config is not None else ()
    return Check(
        *(source.label, source.folder, findings, statistics, vocabulary, read, plot_graphs),
        anchors=anchors,
    )


def _check_image(record: GraphImage, split: str, findings: Findings) -> None:
    place = (f"{split} split", record.name)
    count, relations = len(record.boxes), record.relations
    if split == "test" and count > MOST_TEST_BOXES:
        reason = f"image with more than {MOST_TEST_BOXES} objects (GROUNDING.MOST_BOXES)"
        findings.add(LEFT_OUT, reason, *place, detail=str(count))
    if not len(relations):
        findings.add(NOTE, "image without relations: only the detector learns from it", *place)
    if count == 1:
        findings.add(NOTE, "image with one object, which has no pair", *place)
    size = np.array([record.width, record.height] * 2)
    outside = (record.boxes[:, 2:] <= 0).any(1) | (record.boxes[:, :2] >= size[:2]).any(1)
    for row in np.flatnonzero(outside).tolist():
        findings.add(NOTE, "box outside its image", *place, f"object {row}")
    for row in np.flatnonzero((record.boxes[:, 2:] <= record.boxes[:, :2]).any(1) & ~outside).tolist():
        findings.add(NOTE, "box without an area", *place, f"object {row}")
    for subject, object_, _ in relations[relations[:, 0] == relations[:, 1]].tolist():
        findings.add(NOTE, "relation of an object with itself", *place, f"objects {subject}, {object_}")
    repeated = len(relations) - len(np.unique(relations, axis=0))
    if repeated:
        findings.add(NOTE, "repeated relations", *place, detail=str(repeated))


def _check_use(kind: str, counts: np.ndarray, names: tuple[str, ...], findings: Findings) -> None:
    unused = [name for name, count in zip(names, counts) if not count]
    if unused:
        findings.add(NOTE, f"{kind} that are not in train", "train split", detail=listed(unused))


def _check_masks(
    training: GraphDataset | None, data_dir: Path, images: bool, sample: int, findings: Findings
) -> tuple[str, ...]:
    """What is wrong with the masks; the categories that have them."""
    if training is None:
        return ()
    try:
        dataset = with_auxiliary(training, data_dir=data_dir)
    except UserError as error:
        findings.add(NOTE, "no masks to learn from", "auxiliary", detail=" ".join(str(error).split()))
        return ()
    assert dataset.auxiliary is not None
    check = check_instances(str(dataset.auxiliary.folder), data_dir, images=images, sample=sample)
    for finding in check.findings.cases():
        findings.add(**{**dataclasses.asdict(finding), "file": f"masks: {finding.file}"})
    return dataset.vocabulary.mask_objects


def _check_vectors(
    source: GraphSource, names: tuple[str, ...], masks: tuple[str, ...], findings: Findings
) -> None:
    """Word vectors of both vocabularies, which are multiplied with each other."""
    if not source.has_name_vectors and source.glove(NAME_WIDTH) is not None:
        return  # they are computed from it
    widths = []
    for of_masks, words in ((False, names), (True, masks)):
        try:
            vectors = read_name_vectors(source.name_vectors(masks=of_masks), len(words)) if words else None
        except UserError as error:
            detail = " ".join(str(error).split())
            findings.add(NOTE, "no word vectors: masks cannot be transferred", EMBEDDINGS, detail=detail)
            continue
        if vectors is not None:
            widths.append(vectors.shape[1])
    if len(set(widths)) > 1:
        detail = f"{widths[0]} numbers a name, {widths[1]} for the masks"
        findings.add(UNUSABLE, "word vectors of different widths", EMBEDDINGS, detail=detail)


def _picture(record: GraphImage) -> Picture:
    return Picture(record.name, record.path, (record.width, record.height))
