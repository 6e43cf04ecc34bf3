"""What a run is set up with, and whether one may go on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dsg.apps.snapshot_choice import stored_config
from dsg.config import load_config
from dsg.engine.resume import check_same_run, describe
from dsg.engine.snapshots import Meta, Snapshot
from dsg.errors import UserError
from dsg.models.detector.build import build_detector
from dsg.models.dsg.build import build_model
from dsg.pipeline.splits import flip_of, load_examined, load_split, load_splits
from tests.datasets.files import write_dataset
from tests.shared import ROOT
from tests.small_trained import write_snapshot
from tests.tiny import CONFIGS, make_tiny_shapes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set with all its images."""
    place = write_dataset(tmp_path / "own")
    (place / "images").mkdir()
    for number in range(20):
        cv2.imwrite(str(place / "images" / f"{number:02d}.jpg"), np.zeros((80, 100, 3), np.uint8))
    return place


def test_exact_boxes_reach_mirror_images(folder: Path) -> None:
    boxes = {}
    for exact in ("True", "False"):
        config = load_config(CONFIGS, ["EXACT_BOXES", exact])
        record = load_split(config, str(folder), "train", 0, flip="swap_lr").records[-1]
        assert record.flipped
        boxes[exact] = record.boxes
    np.testing.assert_array_equal(boxes["True"] - boxes["False"], len(boxes["True"]) * [[1, 0, 1, 0]])


@pytest.mark.parametrize("rule", ["rr", "dsg"])
def test_a_split_to_test_on_is_the_one_that_was_not_trained_on(folder: Path, rule: str) -> None:
    config = load_config(CONFIGS, ["DATA.SPLIT_RULE", rule, "RNG_SEED", "5"])
    training, validation = load_splits(config, str(folder))
    examined = load_examined(config, str(folder), "validation")
    assert [(one.name, one.flipped) for one in examined.records] == [
        (one.name, one.flipped) for one in validation.records
    ]
    images = {(one.name, one.flipped) for one in training.records}
    assert not images & {(one.name, one.flipped) for one in examined.records}


def test_a_snapshot_is_tested_on_data_split_as_in_its_training(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "a.npz", "DATA.SPLIT_RULE", "dsg", "RNG_SEED", "5")
    today = load_config(CONFIGS, ["DATA.DIR", str(tmp_path), "DATA.MAX_IMAGES", "7"])
    found = stored_config(snapshot, today)
    assert (found.data.split_rule, found.rng_seed) == ("dsg", 5)
    assert (found.data.dir, found.data.max_images) == (str(tmp_path), 7)


def test_a_snapshot_is_tested_as_the_variant_that_was_trained(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "a.npz", "VARIANT", "dsg_br")
    today = load_config(CONFIGS, ["VARIANT", "dsg_br"])
    assert stored_config(snapshot, today, ["VARIANT", "dsg_br"]).box_source == "feature"
    with pytest.raises(UserError, match="VARIANT two_step: .* was trained as dsg_br"):
        stored_config(snapshot, today, ["VARIANT", "two_step"])


def test_a_snapshot_is_tested_with_the_anchors_of_its_training(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "a.npz", "ANCHOR_SCALES", "[2.5, 7]")
    today = load_config(CONFIGS, ["ANCHOR_SCALES", "auto"])
    for pairs in ([], ["ANCHOR_SCALES", "auto:2", "ANCHOR_RATIOS", "auto"]):
        found = stored_config(snapshot, today, pairs)
        assert (found.anchor_scales, found.anchor_ratios) == ((2.5, 7), (0.7, 1, 1.4))


def test_anchors_are_chosen_before_a_model_is_built() -> None:
    detector = [ROOT / "experiments/cfgs/models/detector_mini.yml"]
    for build, files, sizes in ((build_model, CONFIGS, (3, 2)), (build_detector, detector, (3,))):
        with pytest.raises(UserError, match="ANCHOR_RATIOS auto: only training chooses"):
            build(load_config(files, ["ANCHOR_RATIOS", "auto"]), *sizes)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["TRAIN.USE_FLIPPED", "False"], "none"),
        (["TRAIN.FLIP_PREDICATES", "False"], "released"),
        (["TRAIN.FLIP_PREDICATES", "True"], "swap_lr"),
    ],
)
def test_options_say_how_training_mirrors(tmp_path: Path, pairs: list[str], expected: str) -> None:
    data = make_tiny_shapes(tmp_path, train=20, test=1)
    config = load_config(CONFIGS, ["DATA.DIR", str(data), *pairs])
    assert flip_of(config) == expected
    training = load_splits(config, "shapes")[0]
    originals = {one.name: one for one in training.records if not one.flipped}
    mirrored = [one for one in training.records if one.flipped]
    assert len(mirrored) == (0 if expected == "none" else len(originals))
    left, right = (training.vocabulary.predicates.index(word) for word in ("left", "right"))
    other_side = np.arange(len(training.vocabulary.predicates))
    if expected == "swap_lr":
        other_side[[left, right]] = right, left
    for one in mirrored:
        triples = originals[one.name].triples
        assert {*map(tuple, one.triples.tolist())} == {
            (s, int(other_side[r]), o) for s, r, o in triples.tolist()
        }


def test_going_on_takes_the_options_that_the_run_began_with(folder: Path, tmp_path: Path) -> None:
    config = load_config(CONFIGS, ["EXACT_BOXES", "True"])
    data = load_split(config, str(folder), "train", 0)
    about = describe(config, data, 4)

    def saved(options: dict) -> Snapshot:
        meta = Meta(
            net="mini",
            epoch=1,
            step=5,
            config=options,
            records=len(data),
            images_per_step=4,
            objects=about["objects"],
            predicates=about["predicates"],
        )
        return Snapshot(tmp_path / "run_iter_1.npz", {}, {}, meta)

    check_same_run(saved(about["config"]), about)
    check_same_run(saved({**about["config"], "TRAIN.EPOCHS": 99, "GONE.SINCE": 1}), about)
    # Of a version that called the backbone of dsg NET, as it called baselines.
    unnamed = {key: v for key, v in about["config"].items() if key not in ("MODEL", "BACKBONE")}
    check_same_run(saved({"NET": "mini", **unnamed}), about)
    with pytest.raises(UserError, match="BACKBONE was res18, is mini"):
        check_same_run(saved({"NET": "res18", **unnamed}), about)
    with pytest.raises(UserError, match="MODEL was ss, is dsg"):
        check_same_run(saved({"NET": "ss", **unnamed}), about)
    # Four images a step on one GPU, where it were two on each of two.
    halves = {**about["config"], "TRAIN.IMS_PER_BATCH": 2}
    check_same_run(saved(halves), about)
    with pytest.raises(UserError, match="IMS_PER_BATCH was 2"):
        check_same_run(saved(halves), {**about, "images_per_step": 8})
    with pytest.raises(UserError, match="EXACT_BOXES was False, is True"):
        check_same_run(saved({**about["config"], "EXACT_BOXES": False}), about)
    # Of a version that did not have the option, and did as its default says.
    with pytest.raises(UserError, match="EXACT_BOXES was False, is True"):
        check_same_run(saved({key: v for key, v in about["config"].items() if key != "EXACT_BOXES"}), about)
