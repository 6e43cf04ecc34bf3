"""docs/your-own-data.md, typed from beginning to end: on photographs where they are, else on shapes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.shared import ROOT, shared_path
from tests.tiny import OPTIONS, PLAIN, make_tiny_shapes

TUTORIAL = ROOT / "docs" / "your-own-data.md"
# The network so small that the test is short.
TINY = [*(word for pair in {**OPTIONS, "TRAIN.EPOCHS": "1"}.items() for word in pair), *PLAIN]
IMAGES = 18  # of the photographs


def commands() -> list[str]:
    """What the tutorial types, without the last chapter, whose files are gigabytes."""
    text = TUTORIAL.read_text(encoding="utf-8").partition("\n## Visual Genome")[0]
    return re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)


def write_literal_sources(home: Path) -> None:
    """~/boxes.json and ~/relations.csv as they are shown, and ~/photos with pictures of their sizes."""
    text = TUTORIAL.read_text(encoding="utf-8")
    for kind, file in (("json", "boxes.json"), ("csv", "relations.csv")):
        (shown,) = re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        (home / file).write_text(shown)
    (home / "photos").mkdir()
    for image in json.loads((home / "boxes.json").read_text())["images"]:
        pixels = np.full((image["height"], image["width"], 3), 90, np.uint8)
        assert cv2.imwrite(str(home / "photos" / image["file_name"]), pixels)


def write_sources(home: Path, folder: Path, images: Path, limit: int) -> None:
    """~/photos, ~/boxes.json and ~/relations.csv from a data set."""
    annotations = json.loads((folder / "annotations_train.json").read_text())
    sizes = json.loads((folder / "train_image_metadata.json").read_text())
    objects = json.loads((folder / "objects.json").read_text())
    predicates = json.loads((folder / "predicates.json").read_text())
    boxes: dict[tuple, dict] = {}
    lines = ["subject,predicate,object"]
    names = [name for name in annotations if annotations[name]][:limit]
    (home / "photos").mkdir()
    for number, name in enumerate(names):
        shutil.copyfile(images / name, home / "photos" / name)
        for relation in annotations[name]:
            ids = []
            for role in ("subject", "object"):
                y1, y2, x1, x2 = relation[role]["bbox"]
                category = relation[role]["category"]
                entry = {"image_id": number, "category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1]}
                box = boxes.setdefault((number, category, x1, y1, x2, y2), {"id": len(boxes), **entry})
                ids.append(box["id"])
            lines.append(f"{ids[0]},{predicates[relation['predicate']]},{ids[1]}")
    content = {
        "images": [{"id": n, "file_name": name, **sizes[name]} for n, name in enumerate(names)],
        "annotations": list(boxes.values()),
        "categories": [{"id": n, "name": name} for n, name in enumerate(objects)],
    }
    (home / "boxes.json").write_text(json.dumps(content))
    (home / "relations.csv").write_text("\n".join(lines))


@pytest.fixture
def clone(tmp_path):
    """A clone with an output folder of its own, and an empty home."""
    clone = tmp_path / "clone"
    (tmp_path / "home").mkdir()
    program = clone / ".venv" / "bin" / "dsg"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dsg "$@"\n')
    program.chmod(0o755)
    for name in ("lib", "tools", "experiments", "data", "Makefile"):
        (clone / name).symlink_to(ROOT / name)
    return clone


def typed(clone: Path, command: str) -> str:
    """What a command prints that is typed in the clone."""
    environment = {
        **os.environ,
        "HOME": str(clone.parent / "home"),
        "PATH": f"{clone}/.venv/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "lib"),
        "DSG_PYTHON": sys.executable,
    }
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # which the programs set themselves
    environment.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))
    done = subprocess.run(["bash", "-c", command], cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert done.stderr == "" or "train.sh" not in command
    return done.stdout


def test_the_files_that_are_shown(clone):
    """What the tutorial shows of its files is enough for its next commands."""
    write_literal_sources(clone.parent / "home")
    convert, check = commands()[:2]
    assert "train: 2 images" in (converted := typed(clone, convert)) and "test: 1 images" in converted
    assert "photos-rr: usable" in typed(clone, check)


def test_the_tutorial(clone, tmp_path):
    home = tmp_path / "home"
    photos = shared_path("data", "coco_spatial")
    if photos.is_dir():
        write_sources(home, photos, photos / "images", IMAGES)
    else:
        shapes = make_tiny_shapes(tmp_path / "data", train=IMAGES) / "shapes"
        write_sources(home, shapes, shapes / "CLEVR_v1.0/images/train", IMAGES)
    programs = [command.split()[0].rpartition("/")[2] for command in commands()]
    assert programs == ["dsg", "dsg", "dsg", "train.sh", "dsg"]
    outputs = []
    for command in commands():
        words = f"{command} {' '.join(map(_quoted, TINY))}" if "train.sh" in command else command
        outputs.append(typed(clone, words))
    assert "train: " in outputs[0] and (home / "photos-rr" / "images").is_symlink()
    assert "photos-rr: usable" in outputs[1]
    assert (clone / "output/check/photos-rr/statistics.png").is_file()
    assert "anchors reach " in outputs[2]
    assert "all queries" in outputs[3]
    assert (clone / "output/mini/photos-rr_train/try/try_iter_0.npz").is_file()
    assert all(option in outputs[4] for option in ("--snapshot", "--image", "--query"))


def _quoted(word: str) -> str:
    return f"'{word}'"
