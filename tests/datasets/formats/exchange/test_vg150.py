"""VG150's files, both ways."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dsg.datasets.formats.exchange import vg150
from dsg.datasets.scene_graphs import load_graphs
from dsg.errors import UserError
from tests.datasets.formats.exchange.annotations import made, without

pytest.importorskip("h5py", reason="h5py is not installed")


def test_round_trip(tmp_path) -> None:
    vg150.write(tmp_path / "a", made())
    again = vg150.read(tmp_path / "a")
    boxes, wanted = (
        np.array([thing.box for image in one.images for thing in image.things]) for one in (again, made())
    )
    np.testing.assert_allclose(boxes, wanted, atol=640 / 1024)  # whole numbers of 1024
    vg150.write(tmp_path / "b", again)
    assert vg150.read(tmp_path / "b") == again  # nothing more is lost
    same = [replace(image, things=made().images[k].things) for k, image in enumerate(again.images)]
    assert [thing.name for image in again.images for thing in image.things] == [
        thing.name for image in made().images for thing in image.things
    ]
    assert without(replace(again, images=same), splits=True) == without(made(), splits=True)


def test_the_loader_reads_it_with_the_first_number_1(tmp_path) -> None:
    vg150.write(tmp_path / "a", made())
    names = json.loads((tmp_path / "a" / "VG-SGG-dicts.json").read_text())
    assert names["label_to_idx"] == {"cup": 1, "table": 2, "person": 3}
    record = load_graphs(tmp_path / "a", "test", need_relations=False).records[0]
    assert record.name == "9.jpg" and record.labels.tolist() == [1]


def test_other_names_of_images_are_kept_beside(tmp_path) -> None:
    annotation = made()
    annotation.images[0] = replace(annotation.images[0], file="kitchen/a.png")
    vg150.write(tmp_path / "a", annotation)
    again = vg150.read(tmp_path / "a")
    assert [image.file for image in again.images] == ["kitchen/a.png", "9.jpg"]
    assert [image.key for image in again.images] == ["1", "2"]


def test_images_without_boxes_are_counted(tmp_path) -> None:
    annotation = made()
    annotation.images.append(replace(annotation.images[0], key="8", file="8.jpg", things=(), relations=()))
    vg150.write(tmp_path / "a", annotation)
    again = vg150.read(tmp_path / "a")
    assert len(again.images) == 2 and len(again.skipped["image without a box"]) == 1
    with pytest.raises(UserError, match="no image has a box"):
        vg150.write(tmp_path / "b", replace(annotation, images=annotation.images[2:]))
