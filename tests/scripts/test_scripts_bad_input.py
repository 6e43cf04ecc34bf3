"""What a user may have on disk, each through the script that a user runs: one training on a data set that
holds every fault, files of the wrong format, and TensorFlow 1 checkpoints, good and bad.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.scripts.test_scripts import World, one_line
from tests.shared import ROOT
from tests.tiny import OPTIONS, PLAIN, make_tiny_shapes

SHORT = {"TRAIN.EPOCHS": "1", "TRAIN.USE_FLIPPED": "False", "TEST.PICTURES": "0"}
PAIRS = [word for pair in {**OPTIONS, **SHORT}.items() for word in pair]
IMAGES = Path("shapes") / "CLEVR_v1.0" / "images"
HTML = b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A sound data set of 20 train images and 2 test images."""
    folder = tmp_path_factory.mktemp("world")
    return World(make_tiny_shapes(folder / "data", train=20, test=2), folder / "output")


def change_json(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def mention(y1: float, y2: float, x1: float, x2: float, category: int = 0) -> dict[str, Any]:
    return {"category": category, "bbox": [y1, y2, x1, x2]}


def relation(subject: dict[str, Any], predicate: int = 0) -> dict[str, Any]:
    return {"predicate": predicate, "subject": subject, "object": mention(5, 20, 5, 20)}


def spoil_records(folder: Path, names: list[str]) -> None:
    """One fault of each kind in the records of the first images."""
    here = mention(1, 9, 1, 9)
    relations = [
        relation(mention(1, 9, 1, 9, category=999)),
        relation(here, predicate=99),
        relation(mention(1, 9, 200, 300)),
        relation(mention(30, 10, 1, 9)),
    ]

    def annotations(content: dict[str, list[Any]]) -> None:
        for name, bad in zip(names, relations):
            content[name].append(bad)
        content[names[4]] = []
        content["without_size.png"] = [relation(here)]
        content[names[10]] = [relation(mention(1, 60, 0, 1))]  # the image of one column
        content[names[10]][0]["object"] = mention(30, 64, 0, 1)

    change_json(folder / "annotations_train.json", annotations)
    change_json(
        folder / "train_image_metadata.json", lambda sizes: sizes[names[10]].update(width=1, height=64)
    )


def spoil_images(folder: Path, names: list[str]) -> None:
    """Images that cannot be read, and three that can although they are unusual."""
    (folder / names[5]).unlink()
    whole = (folder / names[6]).read_bytes()
    (folder / names[6]).write_bytes(whole[: len(whole) // 2])
    (folder / names[7]).write_bytes(HTML)
    grey, colour, thin = (cv2.imread(str(folder / name)) for name in names[8:11])
    cv2.imwrite(str(folder / names[8]), grey[..., 0])
    cv2.imwrite(str(folder / names[9]), np.dstack([colour, np.full(colour.shape[:2], 128, np.uint8)]))
    cv2.imwrite(str(folder / names[10]), thin[:, :1])


def test_a_run_on_every_fault_at_once(tmp_path: Path, untraced: None) -> None:
    """Each is counted and named with its reason; what only looks odd is used."""
    data = make_tiny_shapes(tmp_path / "data", train=20, test=1)
    names = sorted(path.name for path in (data / IMAGES / "train").iterdir())
    spoil_records(data / "shapes", names)
    spoil_images(data / IMAGES / "train", names)
    place = World(data, tmp_path / "output")
    done = place.script("train.sh", "cpu", "shapes", "mini", "faulty", *PAIRS, *PLAIN)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    skipped = [line.strip() for line in done.stdout.splitlines() if "skipped" in line]
    records = {
        "category out of range": names[0],
        "predicate out of range": names[1],
        "box outside the image": names[2],
        "box inverted": names[3],
        "image without relationships": names[4],
        "image without a size": "without_size.png",
    }
    for reason, name in records.items():
        assert any(line.startswith(f"skipped, {reason}: 1 ({name}") for line in skipped), (reason, skipped)
    images = {names[5]: "no such image", names[6]: "truncated", names[7]: "not an image"}
    for name, reason in images.items():
        (line,) = [line for line in skipped if f"{name}: " in line and "images skipped" not in line]
        assert line.startswith("skipped: ") and reason in line
    assert any("images skipped: 3, the first: " in line for line in skipped)
    assert not any(name in line for line in skipped for name in names[8:11])


@pytest.mark.parametrize(
    ("file", "content", "parts"),
    [
        ("annotations_train.json", [], ["a JSON list, not an object"]),
        ("annotations_train.json", {"info": {"year": 2017}}, ["image 'info'", "a list of relationships"]),
        ("train_image_metadata.json", "sizes", ["train_image_metadata.json", "a JSON string"]),
        ("objects.json", {"cat": 0}, ["objects.json", "not a JSON list of names"]),
        ("predicates.json", [1, 2], ["predicates.json", "not a JSON list of names"]),
    ],
)
def test_json_of_another_format(world: World, file: str, content: Any, parts: list[str]) -> None:
    path = world.data / "shapes" / file
    before = path.read_text()
    try:
        path.write_text(json.dumps(content))
        one_line(world.script("train.sh", "cpu", "shapes", "mini", "odd", *PAIRS), file, *parts)
    finally:
        path.write_text(before)


def pretrained(world: World) -> Path:
    """Where the released checkpoint is looked for, without its endings."""
    folder = world.data / "pretrained"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    return folder / "dsg_pretrained.ckpt"


def test_a_git_lfs_pointer_for_the_released_checkpoint(world: World) -> None:
    prefix = pretrained(world)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 610500788\n"
    for ending in (".index", ".data-00000-of-00001"):
        Path(f"{prefix}{ending}").write_text(pointer)
    done = world.script("test.sh", "cpu", "shapes", "mini", "dsg_pretrained", *PAIRS)
    one_line(done, "dsg_pretrained.ckpt", "is a Git LFS pointer", "git lfs pull")


def test_a_checkpoint_of_another_network(world: World) -> None:
    import tensorflow as tf

    prefix = pretrained(world)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=["resnet_v1_101/conv1/weights"],
        shape_and_slices=[""],
        tensors=[np.zeros((7, 7, 3, 64), np.float32)],
    )
    done = world.script("test.sh", "cpu", "shapes", "mini", "dsg_pretrained", *PAIRS)
    one_line(done, "dsg_pretrained.ckpt", "lacks", "not a checkpoint of mini as configured")


def test_a_checkpoint_of_the_release_is_tested(world: World, untraced: None) -> None:
    """A whole ResNet-50 with small heads, its weights the recipe's, written as TensorFlow 1 does."""
    from dsg.config import load_config
    from dsg.datasets.shapes.scene import OBJECTS, PREDICATES
    from dsg.models.dsg.build import build_model
    from dsg.parity.models import write_recipe_checkpoint

    files = [ROOT / "experiments" / "cfgs" / name for name in ("shapes.yml", "res50.yml")]
    model = build_model(load_config(files, PAIRS), len(OBJECTS), len(PREDICATES))
    write_recipe_checkpoint(model, pretrained(world))
    done = world.script("test.sh", "cpu", "shapes", "res50", "dsg_pretrained", *PAIRS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"{len(model.named_variables())} variables matched, 0 missing, 0 unused" in done.stdout
    folder = world.output / "res50" / "shapes_train" / "dsg_pretrained" / "test" / "dsg_pretrained"
    results = json.loads((folder / "results.json").read_text())
    assert results["images"] == 2 and results["queries"] > 0
    pretrained(world)  # leaves no hundreds of megabytes behind
