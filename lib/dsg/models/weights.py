"""What a new training run starts from: ImageNet weights of its trunk, or what WEIGHTS names: such weights, a
snapshot of a DSG or of a detector, another program's detector, or the released checkpoint.

All or nothing: a model is filled when a file fits, and is as it was otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dsg.checkpoints.tf1 import LoadReport, names_in_checkpoint, read_checkpoint
from dsg.checkpoints.tf1_names import release_name
from dsg.config import Config, from_values, stored_values
from dsg.config.names import DETECTOR, PYRAMIDS
from dsg.datasets.records import Vocabulary
from dsg.engine.snapshots import Snapshot, holds_snapshot, load_snapshot
from dsg.errors import UserError
from dsg.models.fine_tuning import CATEGORIES, OF_MASKS, PREDICATES, Words, sizes_of, start_from, words_of
from dsg.models.foreign_weights import (
    CLASSES,
    TF_FASTER_RCNN_RATIOS,
    TF_FASTER_RCNN_SCALES,
    Foreign,
    name_in_detector,
    read_foreign,
)
from dsg.models.weight_choice import body_of, chosen_weights
from dsg.runtime.weight_files import ARCHIVE, CHECKPOINT
from dsg.runtime.words import plain

Convert = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
RPN_OUTPUTS = ("rpn/classes/", "rpn/boxes/")  # what they say depends on the anchors
# what COCO calls the classes that VOC spells otherwise
COCO_WORDS = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def load_initial_weights(
    model: Any,
    config: Config,
    folder: str | Path = "data",
    vocabulary: Vocabulary | None = None,
    convert: Convert = lambda values: values,
) -> LoadReport:
    """Fills a new model with what `config.weights` names, or with the ImageNet weights kept for its backbone.

    Of a snapshot or another program's detector all is taken that has the model's names and shapes, rows and
    columns of words by word, and never the optimiser's state (`dsg.models.fine_tuning`); a DSG takes the
    trunk, the region proposals and the box head of a detector. The outputs of the region proposal network are
    taken where the anchors are the same.

    Args:
        model: a `DSG` or `Detector` of `config`, or a trunk.
        config: BACKBONE, WEIGHTS, DATA.DIR, PIXEL_MEANS, the anchors and RESNET.* are read.
        folder: holds `imagenet_weights/` and `weights/`, searched before DATA.DIR.
        vocabulary: of the model, for what was trained with words.
        convert: what a detector's weights are in the model's layout, by the model's names.

    Returns:
        What was filled; a report without names where weights stay random (mini, or WEIGHTS none).

    Raises:
        UserError: the weights are not there, damaged or hostile, or not those of this net.
    """
    file = chosen_weights(config, Path(folder))
    if file is None:
        return LoadReport(f"{config.backbone} starts from random weights")
    words = vocabulary or Vocabulary((), ())
    if file.kind == ARCHIVE and holds_snapshot(file.path):
        return _start_from_snapshot(model, config, load_snapshot(file.path), words, convert)
    if file.kind == CHECKPOINT and any(name.startswith("gpi/") for name in names_in_checkpoint(file.path)):
        return _start_from_released(model, config, file.path, words)
    shapes = {name_in_detector(name): tuple(v.shape) for name, v in model.named_variables().items()}
    foreign = read_foreign(file, shapes, config)
    if foreign.detector:
        return _start_from_detector(model, config, foreign, words, file.kind == CHECKPOINT, convert)
    return _fill(model, foreign)


def _fill(model: Any, imagenet: Foreign) -> LoadReport:
    """A report whose names are the model's."""
    report = imagenet.report
    report.matched = []
    for name, variable in model.named_variables().items():
        value = imagenet.values.get(name_in_detector(name))
        if value is not None and value.shape == tuple(variable.shape):
            variable.assign(value)
            report.matched.append(name)
    report.missing = []
    return report


def _start_from_snapshot(
    model: Any, config: Config, snapshot: Snapshot, vocabulary: Vocabulary, convert: Convert
) -> LoadReport:
    meta, path = snapshot.meta, snapshot.path
    trained = from_values(stored_values(meta.config))
    if meta.config and body_of(trained) != body_of(config):
        differ = f"{meta.net}, here {config.net}"
        if trained.backbone == config.backbone:
            differ = f"RESNET.LAYOUT {trained.resnet.layout}, here {config.resnet.layout}"
        raise UserError(f"{path}: its trunk does not fit; it is of another network ({differ})")
    known = Vocabulary(tuple(meta.objects), tuple(meta.predicates), tuple(meta.mask_objects))
    values, notes = dict(snapshot.variables), []
    if trained.model == DETECTOR:  # one vocabulary, whatever is learned of it
        known = dataclasses.replace(known, mask_objects=known.objects)
    if meta.config and _anchors(trained) != _anchors(config):
        notes.append(_without_rpn_outputs(values, "its anchors differ"))
    try:
        values = _by_model_names(model, values)
        values = convert(values) if trained.model == DETECTOR else values
        report = start_from(model, str(path), values, words_of(vocabulary, known, sizes_of(known)))
    except UserError as error:
        raise UserError(f"{error} ({meta.net}, here {config.net})") from None
    if trained.model != config.model:
        notes.append(_taken(report))
    report.notes += notes
    return report


def _start_from_released(model: Any, config: Config, prefix: Path, vocabulary: Vocabulary) -> LoadReport:
    """From the released checkpoint, which names no words: label layers of as many are the same."""
    names = {name: release_name(name, config.backbone) for name in model.named_variables()}
    trained, _ = read_checkpoint(prefix, {name: other for name, other in names.items() if other})
    sizes = {
        kind: len(trained[name]) if name in trained else 0
        for kind, name in ((CATEGORIES, "labels/entities/bias"), (PREDICATES, "labels/predicates/0/bias"))
    }
    return start_from(model, str(prefix), trained, words_of(vocabulary, None, sizes))


def _start_from_detector(
    model: Any,
    config: Config,
    foreign: Foreign,
    vocabulary: Vocabulary,
    tf_faster_rcnn: bool,
    convert: Convert,
) -> LoadReport:
    """From another program's detector."""
    values, notes, words = dict(foreign.values), [], _words_of_detector(foreign.classes, vocabulary)
    if tf_faster_rcnn:
        cell = len(values.get("rpn/boxes/bias", ())) // 4
        if (config.anchor_scales, config.anchor_ratios) != (
            TF_FASTER_RCNN_SCALES.get(cell),
            TF_FASTER_RCNN_RATIOS,
        ):
            notes.append(_without_rpn_outputs(values, "its anchors differ"))
    elif config.backbone not in PYRAMIDS:  # of a pyramid, a single map can have the body only
        values = {
            name: value for name, value in values.items() if name.startswith(("trunk/", "box_head/units/"))
        }
    values = convert(_by_model_names(model, values))
    report = start_from(model, foreign.report.source, values, words)
    report.unused = [*report.unused, *foreign.report.unused]
    report.bookkeeping = foreign.report.bookkeeping
    report.notes += [*notes, _taken(report)]
    return report


def _words_of_detector(count: int, vocabulary: Vocabulary) -> Words:
    """The words of a vocabulary among the classes of a detector that names none: as many are the same; else
    as many as VOC or COCO has are those.
    """
    names = CLASSES.get(count, ()) if count != len(vocabulary.objects) else ()
    if "airplane" in names:
        objects = tuple(COCO_WORDS.get(plain(name), name) for name in vocabulary.objects)
        vocabulary = dataclasses.replace(vocabulary, objects=objects)
    known = Vocabulary(names, (), names) if names else None
    return words_of(vocabulary, known, {CATEGORIES: count, PREDICATES: 0, OF_MASKS: count})


def _by_model_names(model: Any, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values by the model's names, some of them a detector's for the same part; and those of no use to it."""
    named, used = {}, set()
    for name in model.named_variables():
        known = name if name in values else name_in_detector(name)
        if known in values:
            named[name] = values[known]
            used.add(known)
    return {**named, **{name: value for name, value in values.items() if name not in used}}


def _without_rpn_outputs(values: dict[str, np.ndarray], why: str) -> str:
    for name in [name for name in values if name.startswith(RPN_OUTPUTS)]:
        del values[name]
    return f"the outputs of the region proposal network start from random values: {why}"


def _taken(report: LoadReport) -> str:
    """How much of each part was taken, such as `trunk 160 of 160`."""
    matched = [name.split("/")[0] for name in report.matched]
    missing = [name.split("/")[0] for name in report.missing]
    parts = dict.fromkeys([*matched, *missing])
    counts = {part: (matched.count(part), missing.count(part)) for part in parts}
    return "taken: " + ", ".join(f"{part} {n} of {n + lacking}" for part, (n, lacking) in counts.items())


def _anchors(config: Config) -> tuple[Any, ...]:
    """What the outputs of the region proposal network depend on; a pyramid's anchors are always the same."""
    if config.backbone in PYRAMIDS:
        return ()
    return config.feature_stride, config.anchor_scales, config.anchor_ratios
