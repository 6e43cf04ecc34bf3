"""`load_graphs`: where the files of a data set of scene graphs are looked for, and what is said when they are
wrong.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from dsg.datasets.formats.vg150_triplets import read_zero_shot, write_zero_shot, zero_shot_triplets
from dsg.datasets.scene_graph_layout import find_graphs
from dsg.datasets.scene_graphs import graphs_of, load_graphs, true_masks, with_auxiliary
from dsg.errors import UserError
from tests.datasets.instance_files import coco_document, write_coco
from tests.shared import needs_shared, shared_path

LABELS = {"label_to_idx": {"cat": 1, "dog": 2}, "predicate_to_idx": {"near": 1, "on": 2}}


def write_graphs(folder: Path, with_attributes: bool = False, test_boxes: int = 2) -> Path:
    """Eleven train images, in each cat 0 near dog 1, and a test image: dog 1 on cat 0, and more boxes."""
    folder.mkdir(parents=True, exist_ok=True)
    ending = "-with-attri" if with_attributes else ""
    boxes = [2] * 11 + [test_boxes]
    first = np.cumsum([0, *boxes[:-1]])
    with h5py.File(folder / f"VG-SGG{ending}.h5", "w") as file:
        file["split"] = np.array([0] * 11 + [2])
        file["img_to_first_box"], file["img_to_last_box"] = first, first + boxes - 1
        file["img_to_first_rel"] = file["img_to_last_rel"] = np.arange(12)
        file["boxes_1024"] = np.tile([[200, 200, 100, 100]], (sum(boxes), 1))
        file["labels"] = np.array([1, 2] * 11 + [1, 2, *[1] * (test_boxes - 2)])[:, None]
        file["relationships"] = np.concatenate([[[row, row + 1] for row in first[:-1]], [[23, 22]]])
        file["predicates"] = np.array([1] * 11 + [2])[:, None]
    (folder / f"VG-SGG-dicts{ending}.json").write_text(json.dumps(LABELS))
    sizes = [{"image_id": 10 + number, "width": 512, "height": 512} for number in range(12)]
    (folder / "image_data.json").write_text(json.dumps(sizes))
    return folder


def test_images_are_found_where_visual_genome_has_them(tmp_path: Path) -> None:
    write_graphs(tmp_path / "VG150")
    for place, name in (("VG_100K", 11), ("VG_100K_2", 12)):
        folder = tmp_path / "VisualGenome" / "JPEGImages" / place
        folder.mkdir(parents=True)
        (folder / f"{name}.jpg").write_bytes(b"jpg")
    (tmp_path / "VG150" / "VG_100K").mkdir()
    (tmp_path / "VG150" / "VG_100K" / "13.jpg").write_bytes(b"jpg")
    records = graphs_of(load_graphs("vg150", "train", data_dir=tmp_path))
    assert [record.path.is_file() for record in records] == [True] * 3 + [False] * 7
    assert records[3].path == tmp_path / "VG150" / "images" / "14.jpg"  # where it is expected


@pytest.mark.parametrize("name", ["vg150", "VG_150", "own", "PATH"])
def test_by_name_or_folder(tmp_path: Path, name: str) -> None:
    folder = write_graphs(tmp_path / ("own" if name == "own" else "vg150"), with_attributes=name == "own")
    dataset = load_graphs(folder if name == "PATH" else name, "val", data_dir=tmp_path)
    assert [record.name for record in graphs_of(dataset)] == ["10.jpg"] and dataset.split == "validation"
    assert dataset.vocabulary.predicates == ("near", "on") and dataset.folder == folder
    summary = dataset.summary()
    assert "1 images, 2 objects of 2 categories, 1 relations of 2 predicates" in summary
    assert "1 zero-shot triplets, counted in the splits" in summary
    assert dataset.zero_shot.tolist() == [[1, 0, 1]]
    assert len(load_graphs("vg150", "train", data_dir=folder, max_images=4)) == 4  # its own folder as --data


def test_with_attributes_comes_first(tmp_path: Path) -> None:
    write_graphs(tmp_path)
    write_graphs(tmp_path, with_attributes=True)
    assert find_graphs(tmp_path, tmp_path).files.graphs.name == "VG-SGG-with-attri.h5"


def test_crowded_test_images_are_left_out(tmp_path: Path) -> None:
    folder = write_graphs(tmp_path / "own", test_boxes=41)
    with pytest.raises(UserError, match="no image of test is left; all have more than 40 boxes"):
        load_graphs(folder, "test")
    assert len(load_graphs(folder, "test", most_boxes=0)) == 1
    assert len(load_graphs(folder, "test", most_boxes=41)) == 1


def test_zero_shot_file_that_differs_is_said(tmp_path: Path) -> None:
    folder = write_graphs(tmp_path / "own")
    counted = zero_shot_triplets(folder / "VG-SGG.h5")
    write_zero_shot(folder / "zero_shot_triplets.npy", counted)
    assert load_graphs(folder, "test").notes == ("1 zero-shot triplets of zero_shot_triplets.npy",)
    write_zero_shot(folder / "zero_shot_triplets.npy", np.array([[0, 0, 0]]))
    dataset = load_graphs(folder, "test")
    assert dataset.zero_shot.tolist() == [[0, 0, 0]]
    assert (
        "the splits have 1, of which 1 are not in the file, and 1 of the file are not theirs"
        in (dataset.notes[0])
    )


@pytest.mark.parametrize(
    "content, message",
    [
        (np.array([[3, 1, 1]]), "numbers outside 1 to 2 categories and 2 predicates"),
        (np.array([[1, 1, 0]]), "numbers outside"),
        (np.ones((2, 2), int), r"is int64 \[2, 2\]; whole numbers"),
        (np.ones((2, 3)), "is float64"),
        (b"damaged", "not a readable array"),
        (None, "no such file"),
    ],
)
def test_zero_shot_files_that_are_wrong(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "zero_shot_triplets.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(UserError, match=message):
        read_zero_shot(path, 2, 2)


def test_masks_are_missed_where_they_are_needed(tmp_path: Path) -> None:
    dataset = load_graphs(write_graphs(tmp_path / "own"), "train")
    assert with_auxiliary(dataset, needed=False) is dataset
    assert with_auxiliary(dataset, mask_data=str(tmp_path / "lost"), needed=False) is dataset
    with pytest.raises(
        UserError, match="neither auxiliary/ nor .*coco is there; name .* GROUNDING.MASK_DATA"
    ):
        with_auxiliary(dataset)
    with pytest.raises(UserError, match="unknown data set '.*lost'"):
        with_auxiliary(dataset, mask_data=str(tmp_path / "lost"))
    write_coco(tmp_path / "coco", {"train": coco_document(10), "val": coco_document(2, first=20)})
    masked = with_auxiliary(dataset)
    assert masked.vocabulary.mask_objects == ("cat", "owl") and masked.auxiliary is not None
    assert masked.vocabulary.objects == dataset.vocabulary.objects and "masks: coco train" in masked.summary()


def test_sizes_of_other_images_are_refused(tmp_path: Path) -> None:
    folder = write_graphs(tmp_path / "own")
    sizes = json.loads((folder / "image_data.json").read_text())
    tall = [{**size, "width": 128, "height": 1024} for size in sizes]
    (folder / "image_data.json").write_text(json.dumps(tall))
    with pytest.raises(
        UserError, match="20 of 20 boxes of VG-SGG.h5 lie outside their images, such as one of"
    ):
        load_graphs(folder, "train")


def test_missing_data_sets_and_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="vg150' is missing.*fetch.*VG-SGG.h5.*with-attri"):
        load_graphs("vg150", "train", data_dir=tmp_path)
    with pytest.raises(UserError, match="shapes150' is missing.*dsg shapes .*shapes150 --graphs"):
        load_graphs("shapes150", "train", data_dir=tmp_path)
    with pytest.raises(UserError, match="unknown data set 'vg15'.*did you mean 'vg150'"):
        load_graphs("vg15", "train", data_dir=tmp_path)
    with pytest.raises(UserError, match="split: unknown value 'dev'; it is one of train, validation, test"):
        load_graphs("vg150", "dev", data_dir=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: no scene graphs; VG-SGG-with-attri.h5 or VG-SGG.h5"):
        load_graphs("empty", "train", data_dir=tmp_path)
    folder = write_graphs(tmp_path / "own")
    with pytest.raises(UserError, match="only generated data sets such as shapes150"):
        true_masks(load_graphs(folder, "test"))
    with pytest.raises(UserError, match="no glove_mean_vg.npy and no glove_mean_vg"):
        find_graphs(folder, tmp_path).name_vectors()
    (folder / "image_data.json").unlink()
    with pytest.raises(UserError, match="has VG-SGG.h5 but no image_data.json"):
        load_graphs(folder, "train")


@needs_shared("reference", "grounding", "VG-SGG-with-attri.h5")
def test_the_reference_s_release(tmp_path: Path) -> None:
    """The files as the release names them, and the dictionary of all 150 categories."""
    folder = tmp_path / "vg150"
    folder.mkdir()
    for parts in (
        ("reference", "grounding", "VG-SGG-with-attri.h5"),
        ("reference", "grounding", "image_data.json"),
        ("data", "vg150", "VG-SGG-dicts-with-attri.json"),
    ):
        shutil.copy(shared_path(*parts), folder)
    dataset = load_graphs("vg150", "test", data_dir=tmp_path)
    assert (len(dataset.vocabulary.objects), len(dataset.vocabulary.predicates)) == (150, 50)
    known = {
        (image.labels[s], image.labels[o], predicate)
        for image in graphs_of(load_graphs("vg150", "train", data_dir=tmp_path))
        for s, o, predicate in image.relations.tolist()
    }
    assert len(dataset.zero_shot) and not known & {tuple(row) for row in dataset.zero_shot.tolist()}
