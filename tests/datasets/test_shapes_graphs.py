"""`shapes150`: its files say what its scenes are; few predicates are frequent; training never has some
triplets of the test split; masks are what is seen; the same seed gives the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import math
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dsg.apps.generation import absent_graphs
from dsg.apps.main import main
from dsg.datasets.detection import load_instances
from dsg.datasets.formats.segmentations import decode
from dsg.datasets.formats.vg150 import GraphImage
from dsg.datasets.formats.vg150_triplets import read_zero_shot
from dsg.datasets.scene_graphs import graphs_of, load_graphs, true_masks
from dsg.datasets.shapes.graph_generator import generate_graphs
from dsg.datasets.shapes.graph_words import START, WIDTH, shape_word_vectors
from dsg.datasets.shapes.graphs import (
    FREQUENT,
    GRAPH_OBJECTS,
    MASK_OBJECTS,
    OTHER,
    Graph,
    annotate,
    held_out,
    make_graph_view,
)
from dsg.datasets.shapes.predicates import LIKING, PREDICATES, holding
from dsg.datasets.shapes.render import draw, look
from dsg.datasets.shapes.scene import Camera, Scene, Solid
from dsg.errors import UserError
from dsg.models.grounding.words import read_glove, read_name_vectors

SETTINGS: dict[str, Any] = {"seed": 0, "size": [192, 128], "objects": [4, 8]}
SMALL: dict[str, Any] = {"size": (96, 64), "objects": (3, 5), "progress": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data") / "shapes150"
    return generate_graphs(place, train=60, test=20, masks=8, workers=1, progress=False)


def images_of(folder: Path, *splits: str) -> list[GraphImage]:
    return [
        image for split in splits for image in graphs_of(load_graphs(folder, split, need_relations=False))
    ]


def triplets_of(image: GraphImage) -> set[tuple[int, int, int]]:
    relations = image.relations.tolist()
    return {(int(image.labels[s]), int(image.labels[o]), predicate) for s, o, predicate in relations}


@pytest.mark.parametrize("kind, splits", [("train", ("validation", "train")), ("test", ("test",))])
def test_the_files_read_back_are_the_scenes(folder: Path, kind: str, splits: tuple[str, ...]) -> None:
    images = images_of(folder, *splits)
    assert len(images) == {"train": 60, "test": 20}[kind]
    for number, image in enumerate(images):
        view, boxes, names = make_graph_view(kind, number, SETTINGS)
        graph = annotate(kind, number, view, boxes, names, SETTINGS)
        np.testing.assert_allclose(image.boxes, graph.boxes, atol=0.51 * 192 / 1024)
        assert [GRAPH_OBJECTS[label] for label in image.labels] == names
        np.testing.assert_array_equal(image.relations, graph.relations)
        assert (graph.boxes[:, :2] <= boxes[:, :2]).all() and (graph.boxes[:, 2:] >= boxes[:, 2:]).all()
        truth = holding(view, image.labels)
        assert all(truth[tuple(relation)] for relation in image.relations)
    picture = cv2.imread(str(images[-1].path))
    assert np.abs(picture.astype(int) - draw(view)).mean() < 4  # JPEG


def test_splits_are_vg150s(folder: Path) -> None:
    train, validation, test = (load_graphs(folder, split) for split in ("train", "validation", "test"))
    usable = [image.name for image in images_of(folder, "validation", "train") if len(image.relations)]
    names = [image.name for image in graphs_of(validation)]
    assert names == usable[: len(usable) // 10] and len(names) > 3
    kept = [image.name for image in graphs_of(train)]
    apart = [name for name, _ in train.skipped.get("no relation between boxes that overlap", ())]
    assert sorted(kept + apart) == usable[len(names) :]
    assert train.vocabulary.objects == GRAPH_OBJECTS and train.vocabulary.predicates == PREDICATES
    assert f"{len(test):,} images" in test.summary() and "zero-shot triplets" in test.summary()


@pytest.fixture(scope="module")
def pictures() -> dict[str, list[tuple[Graph, np.ndarray]]]:
    """Graphs of many pictures, which are not drawn, and which predicates hold in them."""
    result: dict[str, list[tuple[Graph, np.ndarray]]] = {}
    for kind, count in (("train", 300), ("test", 150)):
        graphs = result.setdefault(kind, [])
        for number in range(count):
            view, boxes, names = make_graph_view(kind, number, SETTINGS)
            graph = annotate(kind, number, view, boxes, names, SETTINGS)
            graphs.append((graph, holding(view, graph.labels)))
            assert 0 < len(graph.relations) <= 2 * len(names) * (len(names) - 1)
    return result


@pytest.fixture(scope="module")
def said(
    pictures: dict[str, list[tuple[Graph, np.ndarray]]],
) -> dict[str, list[tuple[int, int, int]]]:
    """Triplets (subject's label, object's, predicate) of these pictures."""
    return {
        kind: [
            (int(graph.labels[subject]), int(graph.labels[object_]), predicate)
            for graph, _ in graphs
            for subject, object_, predicate in graph.relations.tolist()
        ]
        for kind, graphs in pictures.items()
    }


def test_few_predicates_are_frequent_and_many_rare(said: dict) -> None:
    assert len(PREDICATES) >= 12
    counts = np.bincount([predicate for *_, predicate in said["train"]], minlength=len(PREDICATES))
    descending = np.sort(counts)[::-1] / counts.sum()
    assert PREDICATES[int(counts.argmax())] == "near"
    assert descending[0] > 0.3 and descending[:5].sum() > 0.7
    assert descending[len(descending) // 2 :].sum() < 0.1 and counts.min() > 0
    everyday = [PREDICATES.index(name) for name in ("near", "behind", "left of", "in front of", "right of")]
    assert sorted(np.argsort(counts)[-5:].tolist()) == sorted(everyday)


def test_who_sees_what_holds_can_tell_what_is_said(
    pictures: dict[str, list[tuple[Graph, np.ndarray]]],
) -> None:
    """Also of rare predicates: were they drawn blindly from what holds, no model could find them."""
    found: list[list[bool]] = [[] for _ in PREDICATES]
    for graph, truth in pictures["test"]:
        likely = (truth * [LIKING[name] for name in PREDICATES]).argmax(-1)
        for subject, object_, predicate in graph.relations.tolist():
            found[predicate].append(bool(likely[subject, object_] == predicate))
    recalls = [np.mean(each) for each in found if each]
    assert len(recalls) > 12 and np.mean(recalls) > 0.7 and np.mean(sum(found, [])) > 0.7


def test_only_a_few_of_the_pairs_are_annotated(folder: Path) -> None:
    shares = [
        len({tuple(pair) for pair in image.relations[:, :2].tolist()})
        / (len(image.boxes) * (len(image.boxes) - 1))
        for image in images_of(folder, "train", "test")
    ]
    assert 0.1 < np.mean(shares) < 0.4


def test_nobody_says_what_is_held_out_in_training(said: dict) -> None:
    held = held_out(SETTINGS["seed"])
    assert not any(held[triplet] for triplet in said["train"])
    tested = [triplet for triplet in said["test"] if held[triplet]]
    assert len(tested) > 0.03 * len(said["test"])
    assert not set(tested) & set(said["train"])


def test_zero_shot_triplets_are_those_of_the_splits(folder: Path) -> None:
    known = set().union(*map(triplets_of, images_of(folder, "validation", "train")))
    tested = set().union(*map(triplets_of, images_of(folder, "test")))
    counted = tested - known
    listed = read_zero_shot(folder / "zero_shot_triplets.npy", len(GRAPH_OBJECTS), len(PREDICATES))
    assert {tuple(row) for row in listed.tolist()} == counted and len(listed) == len(counted) > 5
    assert np.load(folder / "zero_shot_triplets.npy").min() >= 1  # from 1, as in the release
    np.testing.assert_array_equal(load_graphs(folder, "train").zero_shot, listed)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_true_masks_are_what_is_seen(folder: Path, split: str) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed (requirements-coco.txt)")
    dataset = load_graphs(folder, split, need_relations=False, max_images=3)
    masks = true_masks(dataset)
    first = {"train": 6, "validation": 0, "test": 0}[split]
    for number, image in enumerate(graphs_of(dataset)):
        view, _, _ = make_graph_view("test" if split == "test" else "train", first + number, SETTINGS)
        assert len(masks[image.name]) == len(image.boxes)
        for position, segmentation in enumerate(masks[image.name]):
            mask = decode(segmentation, image.height, image.width, image.name)
            quarters = (view.owner == position).reshape(image.height, 2, image.width, 2).sum((1, 3))
            np.testing.assert_array_equal(mask, quarters >= 2)


def test_true_masks_of_other_boxes_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "shapes150", ignore=shutil.ignore_patterns("*.jpg"))
    file = copy / "true_masks" / "annotations" / "instances_test.json"
    document = json.loads(file.read_text())
    del document["annotations"][0]
    file.write_text(json.dumps(document))
    with pytest.raises(UserError, match="true_masks: image '200000.jpg': not a mask for each box"):
        true_masks(load_graphs(copy, "test"))


def test_some_categories_have_masks_in_other_pictures_only_and_some_none(folder: Path) -> None:
    auxiliary = load_instances(folder / "auxiliary", "trainval", cache=False)
    assert auxiliary.vocabulary.objects == MASK_OBJECTS and len(auxiliary) == 8
    shared, novel = set(GRAPH_OBJECTS) & set(MASK_OBJECTS), set(GRAPH_OBJECTS) - set(MASK_OBJECTS)
    assert len(shared) == 15 and {name.partition("_")[0] for name in novel} == set(OTHER)
    assert {name.partition("_")[0] for name in set(MASK_OBJECTS) - shared} == set(OTHER.values())
    for number, record in enumerate(auxiliary.records):
        view, _, names = make_graph_view("masks_train", number, SETTINGS)
        assert [MASK_OBJECTS[label - 1] for label in record.classes] == names and record.path.is_file()
        assert len(names) == len(view.scene.solids)
        if importlib.util.find_spec("pycocotools"):  # which reads masks
            assert len(record.segmentations) == len(names)
    assert len(load_instances(folder / "auxiliary", "test", cache=False)) == 2
    seen = [GRAPH_OBJECTS[label] for image in images_of(folder, "train", "test") for label in image.labels]
    colours = [sum(name.startswith(colour) for name in seen) for colour in FREQUENT]
    assert colours[0] > 2 * colours[-1] > 0
    assert not (folder / "auxiliary" / "annotations" / "instances_test.json").exists()


def test_words_of_like_shapes_are_alike(folder: Path) -> None:
    names = read_name_vectors(folder / "embeddings" / "glove_mean_vg.npy", len(GRAPH_OBJECTS))
    masks = read_name_vectors(folder / "embeddings" / "glove_mean_coco.npy", len(MASK_OBJECTS))
    shape_of = np.array([name.rpartition("_")[2] for name in MASK_OBJECTS])
    for name, vector in zip(GRAPH_OBJECTS, names):
        exponentials = np.exp(masks @ vector)
        same = exponentials[shape_of == name.rpartition("_")[2]].sum() / exponentials.sum()
        assert same > 0.99
    nearest = MASK_OBJECTS[int(np.argmax(masks @ names[GRAPH_OBJECTS.index("yellow_cube")]))]
    assert nearest == "orange_cube"
    text = folder / "embeddings" / f"glove.shapes.{WIDTH}d.txt"
    read = read_glove(text, {*GRAPH_OBJECTS, START}, WIDTH)
    assert len(read) == len(GRAPH_OBJECTS) + 1
    np.testing.assert_allclose([read[name] for name in GRAPH_OBJECTS], names, atol=1e-5)
    one = shape_word_vectors(["red_cube"], 0)
    np.testing.assert_array_equal(one[0], names[GRAPH_OBJECTS.index("red_cube")])


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one = contents(generate_graphs(tmp_path / "one", train=12, test=4, masks=2, workers=1, **SMALL))
    again = contents(generate_graphs(tmp_path / "again", train=12, test=4, masks=2, workers=2, **SMALL))
    assert one == again
    few = contents(generate_graphs(tmp_path / "few", train=2, test=1, masks=1, workers=1, **SMALL))
    assert all(few[name] == one[name] for name in few if name.endswith(".jpg"))
    other = generate_graphs(tmp_path / "other", train=2, test=1, masks=1, seed=1, workers=1, **SMALL)
    assert contents(other)["images/100000.jpg"] != one["images/100000.jpg"]


def test_what_is_there_is_kept_and_other_settings_are_refused(tmp_path: Path) -> None:
    few = {"train": 2, "test": 1, "masks": 1, "workers": 1, **SMALL}
    folder = generate_graphs(tmp_path / "shapes150", **few)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    generate_graphs(folder, **few)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    with pytest.raises(UserError, match="other settings .*masks_train 1 instead of 5.*--force"):
        generate_graphs(folder, **{**few, "masks": 5})
    with pytest.raises(UserError, match="0 images with masks"):
        generate_graphs(tmp_path / "none", **{**few, "masks": 0})


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    place = tmp_path / "shapes150"
    assert absent_graphs("Shapes-150", tmp_path) == place and absent_graphs("vg150", tmp_path) is None
    words = ["shapes", str(place), "--graphs", "--train", "3", "--test", "2", "--masks", "1"]
    assert main([*words, "--size", "96", "64", "--objects", "3", "5", "--workers", "1"]) == 0
    assert "3 train and 2 test images" in capsys.readouterr().out
    assert json.loads((place / "shapes150.json").read_text())["masks_train"] == 1
    assert absent_graphs("shapes150", tmp_path) is None and absent_graphs("shapes150", place) is None
    for wrong in (["--graphs", "--palette", "other"], ["--masks", "3"]):
        assert main(["shapes", str(tmp_path / "other"), *wrong]) == 2
        assert wrong[-2] in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def scene_of(*solids: Solid) -> Scene:
    """Seen from (0, -8, 3), looking level along y."""
    axes = np.eye(3)
    camera = Camera(np.array([0.0, -8.0, 3.0]), axes[0], axes[2], axes[1], 150.0, 192, 128)
    lamps = np.array([[0.0, -20.0, 8.0], [-6.0, -3.0, 5.0], [-2.0, 6.0, 6.0]])
    return Scene(solids, camera, lamps, 1.0)


def test_predicates_of_a_scene_by_hand() -> None:
    front = Solid("red", "metal", "cube", 0.78, 0.0, -2.0, 0.1)
    behind = Solid("red", "rubber", "cube", 0.46, 0.1, -0.55, 0.1 + math.pi / 2)
    far = Solid("blue", "rubber", "sphere", 0.46, -3.5, 2.8, 0.0)
    view = look(scene_of(front, behind, far))
    truth = holding(view, np.array([0, 0, 1]))
    names = {
        (subject, object_): {PREDICATES[number] for number in np.flatnonzero(truth[subject, object_])}
        for subject in range(3)
        for object_ in range(3)
    }
    both = {"near", "touching", "aligned with", "matching"}
    assert names[0, 1] == both | {"in front of", "larger than", "hiding"}
    assert names[1, 0] == both | {*("behind", "smaller than", "hidden by", "mirrored in", "in shadow of")}
    assert names[0, 2] == {"in front of", "far from"}  # another shape is not compared
    assert names[1, 2] == {"right of"}
    assert not any(names[position, position] for position in range(3))
    level = dataclasses.replace(behind, x=1.9, y=-2.0)
    truth = holding(look(scene_of(front, level)), np.array([0, 1]))
    assert truth[0, 1, PREDICATES.index("beside")] and truth[1, 0, PREDICATES.index("beside")]
    assert not truth[..., PREDICATES.index("matching")].any()
