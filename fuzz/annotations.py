"""Readers of annotations: relationships, COCO, VOC, VG150, and what `dsg convert` takes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

from dsg.apps.checks.command import check_dataset
from dsg.apps.checks.detection import check_instances
from dsg.apps.convert.command import Options, convert_coco, convert_visual_genome
from dsg.apps.convert.splits import make_rule
from dsg.apps.convert.visual_genome import VisualGenomeSource
from dsg.apps.convert.vocabulary import Choice, read_aliases
from dsg.datasets import load_dataset
from dsg.datasets.content import content_of
from dsg.datasets.detection import load_instances
from dsg.datasets.scene_graphs import load_graphs
from fuzz.mutations import Files, changed_bytes, changed_json, json_bytes, odd_array, one_changed
from fuzz.reader import Reader, check_boxes, check_range, require
from tests.datasets.files import BUS, CAT, DOG, GOOD, OBJECTS, PREDICATES, relation
from tests.datasets.instance_files import coco_document, voc_annotation

NAMES = ("a.jpg", "b.jpg", "part/c.jpg")


def _relationship_files() -> Files:
    files: dict[str, Any] = {"objects.json": OBJECTS, "predicates.json": PREDICATES}
    for split in ("train", "test"):
        content = {name: [*GOOD, relation(BUS, 0, CAT), relation(DOG, 1, DOG)] for name in NAMES}
        files[f"annotations_{split}.json"] = content
        files[f"{split}_image_metadata.json"] = {name: {"width": 100, "height": 80} for name in NAMES}
    return {name: json_bytes(content) for name, content in files.items()}


def _read_relationships(folder: Path) -> None:
    for options in (
        {},
        {"split_rule": "dsg", "flip": "swap_lr"},
        {"on_bad_record": "keep", "keep_self": True},
    ):
        dataset = load_dataset(folder, "train", cache=False, **options)  # type: ignore[arg-type]
        known = dataset.vocabulary
        for record in dataset.records:
            check_boxes(record.boxes, empty=True)
            check_range(record.entities, 0, len(known.objects), "categories")
            check_range(record.queries[:, 1], 0, len(known.predicates), "predicates")
            require(record.roles.shape == (len(record.queries), len(record.boxes)), "roles of another shape")
            require(0 < record.width < 10**9 and 0 < record.height < 10**9, "a size")
        content_of(dataset)
        dataset.summary()
    load_dataset(folder, "test", cache=False)


def _json_cases(files: Files) -> st.SearchStrategy[Files]:
    return one_changed(files, {name: changed_json(content) for name, content in files.items()})


RELATIONSHIPS = Reader(
    "referring JSON and metadata", _relationship_files, _json_cases, _read_relationships, 1.5
)

RUNS = {"size": [50, 60], "counts": [100, 300, 2600]}
PACKED = {"size": [50, 60], "counts": "T31o2f01N2O1N2O1N2O"}


def _coco_files() -> Files:
    document = coco_document(12, segmentation=[[1, 2, 31, 2, 31, 22, 1, 22]])
    document["annotations"][2]["segmentation"] = RUNS
    document["annotations"][4]["segmentation"] = PACKED
    return {"annotations/instances_train.json": json_bytes(document)}


def _read_instances(folder: Path) -> None:
    dataset = load_instances(folder, "train", flip=True, cache=False)
    for record in dataset.records:
        check_boxes(record.boxes, width=record.width, height=record.height)
        check_range(record.classes, 1, len(dataset.vocabulary.objects) + 1, "classes")
    content_of(dataset)
    dataset.summary()


COCO = Reader("COCO instances", _coco_files, _json_cases, _read_instances, 1.5)


def _check(folder: Path) -> None:
    check_dataset(str(folder), images=False).lines()


def _check_instances(folder: Path) -> None:
    check_instances(str(folder), images=False).lines()


CHECK = Reader("dsg check of relationships", _relationship_files, _json_cases, _check, 0.5)
CHECK_COCO = Reader("dsg check of COCO instances", _coco_files, _json_cases, _check_instances, 0.5)


def _voc_files() -> Files:
    image = voc_annotation([("dog", (2, 3, 31, 22)), ("cat", (5, 6, 59, 50))]).encode()
    names = [f"{number:06}" for number in range(11)]
    return {
        "ImageSets/Main/trainval.txt": "".join(f"{name}\n" for name in names).encode(),
        "ImageSets/Main/test.txt": b"000003\n",
        **{f"Annotations/{name}.xml": image for name in names},
    }


XML = (
    b"<annotation>" * 3000,
    b'<!DOCTYPE a [<!ENTITY b "cc">]><annotation>&b;</annotation>',
    b'<?xml version="1.0" encoding="utf-7"?><annotation/>',
    b'<?xml version="1.0" encoding="idna"?><annotation/>',
    b"<annotation><size><width>60</width><height>nan</height></size></annotation>",
    b"<annotation>" + b"<object>" * 20000 + b"</object>" * 20000 + b"</annotation>",
    b'<x:annotation xmlns:x="a"/>',
)
NUMBERS = (
    b"0",
    b"-1",
    b"1e308",
    b"nan",
    b"inf",
    b"1e-9",
    b"16777217.5",
    b"31.0000001",
    b"9" * 400,
    b"",
    b"_1_0",
    b"\xd9\xa1",
)


def _voc_cases(files: Files) -> st.SearchStrategy[Files]:
    image = files["Annotations/000000.xml"]
    numbers = st.tuples(
        st.sampled_from((b">2<", b">3<", b">31<", b">22<", b">60<", b">50<")), st.sampled_from(NUMBERS)
    )
    written = numbers.map(lambda pair: image.replace(pair[0], b">%s<" % pair[1]))
    contents = st.one_of(written, changed_bytes(image), changed_bytes(image), st.sampled_from(XML))
    lists = changed_bytes(files["ImageSets/Main/trainval.txt"])
    changes = {f"Annotations/{number:06}.xml": contents for number in range(4)}
    return one_changed(files, {**changes, "ImageSets/Main/trainval.txt": lists})


VOC = Reader("VOC XML", _voc_files, _voc_cases, _read_instances)

GRAPHS = {
    "split": np.repeat([0, 2], [11, 1]),
    "img_to_first_box": np.arange(12) * 2,
    "img_to_last_box": np.arange(12) * 2 + 1,
    "img_to_first_rel": np.arange(12),
    "img_to_last_rel": np.arange(12),
    "boxes_1024": np.tile([[300, 300, 200, 200], [350, 350, 300, 240]], (12, 1)),
    "labels": np.tile([[1], [2]], (12, 1)),
    "relationships": np.arange(24).reshape(12, 2),
    "predicates": np.ones((12, 1), np.int64),
    "attributes": np.zeros((24, 10), np.int64),
}


def _hdf5(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            if isinstance(array, (h5py.SoftLink, h5py.ExternalLink)):
                file[name] = array
            else:
                file.create_dataset(name, data=array)
    return stream.getvalue()


def _graph_files() -> Files:
    words = {"label_to_idx": {"ball": 1, "cube": 2}, "predicate_to_idx": {"on": 1}}
    images = [{"image_id": number, "width": 640, "height": 480} for number in range(1, 13)]
    return {
        "VG-SGG-with-attri.h5": _hdf5(GRAPHS),
        "VG-SGG-dicts-with-attri.json": json_bytes(words),
        "image_data.json": json_bytes(images),
    }


@st.composite
def _changed_graphs(draw: st.DrawFn) -> bytes:
    arrays: dict[str, Any] = dict(GRAPHS)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(GRAPHS)))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            arrays.pop(name, None)
        elif kind == 1:
            arrays[name] = draw(
                st.sampled_from((h5py.SoftLink("/labels"), h5py.ExternalLink("/etc/passwd", "/")))
            )
        elif kind == 2:  # one number is another
            odd = draw(
                odd_array(np.zeros((1,), np.dtype(draw(st.sampled_from(("f8", "f4", "i8", "i4", "u8"))))))
            )
            array = GRAPHS[name].astype(odd.dtype if odd.size and odd.dtype.kind in "fiu" else np.int64)
            if odd.size and odd.dtype.kind in "fiu":
                array.flat[draw(st.integers(0, array.size - 1))] = odd.flat[0]
            arrays[name] = array
        else:
            odd = draw(odd_array(GRAPHS[name]))
            arrays[name] = odd if odd.dtype.kind in "fiub" else np.zeros(odd.shape)
    return _hdf5(arrays)


def _graph_cases(files: Files) -> st.SearchStrategy[Files]:
    graphs = st.one_of(_changed_graphs(), _changed_graphs(), changed_bytes(files["VG-SGG-with-attri.h5"]))
    rest = {name: changed_json(content) for name, content in files.items() if name.endswith(".json")}
    arrays = graphs.map(lambda content: {"VG-SGG-with-attri.h5": content})
    return st.one_of(arrays, arrays, one_changed(files, rest))


def _read_graphs(folder: Path) -> None:
    for split, needed in (("train", True), ("test", False)):
        dataset = load_graphs(folder, split, need_relations=needed)
        for record in dataset.records:
            require(np.isfinite(record.boxes).all(), "boxes that are not finite")
            check_range(record.labels, 0, len(dataset.vocabulary.objects), "categories")
            check_range(record.relations[:, :2], 0, max(len(record.boxes), 1), "relations")
            check_range(record.relations[:, 2], 0, len(dataset.vocabulary.predicates), "predicates")
        content_of(dataset)
        dataset.summary()


VG150 = Reader("VG150 HDF5", _graph_files, _graph_cases, _read_graphs, 1.5)


def _coco_source_files() -> Files:
    document = coco_document(4)
    for number, annotation in enumerate(document["annotations"]):
        annotation["id"] = number
    document["annotations"][1].update(bbox=[], segmentation=RUNS)
    table = "subject,predicate,object\n0,on,1\n2,on,3\n4,under,5\n6,on,7\n"
    return {
        "boxes.json": json_bytes(document),
        "relations.csv": table.encode(),
        "aliases.txt": b"owl, bird\ncat, kitten\n",
        "test.txt": b"1\n0002.png\n",
    }


def _convert_coco(folder: Path) -> None:
    aliases = read_aliases(folder / "aliases.txt")
    rule = make_rule(folder / "test.txt", None, None, 0.1, 0)
    words = Choice(), Choice(), aliases
    choices: tuple[Path | str, ...] = (folder / "relations.csv", "spatial")
    for number, relations in enumerate(choices):
        account = convert_coco(
            folder / "boxes.json",
            relations,
            folder / f"out{number}",
            Options(*words, rule=rule, allow_unknown=True),
        )
        account.lines()
        load_dataset(folder / f"out{number}", "train", cache=False)


def _source_cases(files: Files) -> st.SearchStrategy[Files]:
    changes = {
        name: changed_json(content) if name.endswith(".json") else changed_bytes(content)
        for name, content in files.items()
    }
    weighted = one_changed(files, {name: changes[name] for name in files if name.endswith(".json")})
    return st.one_of(weighted, one_changed(files, changes))


CONVERT_COCO = Reader("dsg convert coco", _coco_source_files, _source_cases, _convert_coco)


def _visual_genome_files() -> Files:
    def thing(number: int, name: str) -> dict[str, Any]:
        box = {"x": 5 * number, "y": 3, "w": 20, "h": 20}
        return {
            "object_id": number,
            "names": [name],
            "synsets": [f"{name}.n.01"],
            **box,
            "merged_object_ids": [90],
        }

    def related(first: int) -> dict[str, Any]:
        subject, other = thing(first, "cat"), thing(first + 1, "mat")
        return {"predicate": "on", "synsets": ["on.r.01"], "subject": subject, "object": other}

    images = range(1, 5)
    things = [thing(1, "cat"), thing(2, "mat")]
    files = {
        "relationships.json": [{"image_id": n, "relationships": [related(1)]} for n in images],
        "objects.json": [{"image_id": n, "objects": things} for n in images],
        "image_data.json": [{"image_id": n, "width": 100, "height": 80} for n in images],
    }
    return {name: json.dumps(content).encode() for name, content in files.items()}


def _convert_visual_genome(folder: Path) -> None:
    for number, (objects, names) in enumerate(((folder / "objects.json", "name"), (None, "synset"))):
        source = VisualGenomeSource(
            folder / "relationships.json", folder / "image_data.json", objects, names, predicate_names=names
        )
        rule = make_rule(None, None, None, 0.3, 0)
        convert_visual_genome(source, folder / f"out{number}", Options(rule=rule)).lines()
        load_dataset(folder / f"out{number}", "train", cache=False)


CONVERT_VG = Reader("dsg convert visual-genome", _visual_genome_files, _json_cases, _convert_visual_genome)
READERS = (RELATIONSHIPS, COCO, VOC, VG150, CONVERT_COCO, CONVERT_VG, CHECK, CHECK_COCO)
