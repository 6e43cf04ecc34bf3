"""`fetch` as a whole: what lands where, what is not fetched twice, folders in place of mirrors, messages."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import select
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dsg.apps.commands.fetch import PARTS
from dsg.apps.fetch.catalogue import Part, catalogue
from dsg.apps.fetch.command import fetch
from dsg.apps.fetch.content import problem
from dsg.apps.fetch.space import Demand, demand, most_at_once
from dsg.apps.fetch.tools import Tools
from dsg.datasets import load_dataset
from dsg.datasets.catalogue import CATALOGUE, advice
from dsg.datasets.detection import load_instances
from dsg.datasets.instance_layouts import FETCHED
from dsg.datasets.remedies import fetch_command
from dsg.datasets.scene_graphs import load_graphs
from dsg.errors import UserError
from dsg.models.grounding.words import read_glove
from tests.apps.fetch.files import tar_of, zip_of
from tests.apps.fetch.server import POINTER, running
from tests.datasets.files import write_dataset
from tests.datasets.instance_files import coco_document, voc_annotation
from tests.datasets.test_scene_graphs import write_graphs
from tests.shared import ROOT

INDEX, DATA = b"index" * 100, b"weights" * 5000
IMAGES = {"x/sg_train_images/a.jpg": b"a" * 900, "x/sg_test_images/b.jpg": b"b", "x/readme": b"-"}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The files of a small release, by name."""
    folder = write_dataset(tmp_path_factory.mktemp("source") / "VRD")
    objects = json.loads((folder / "objects.json").read_text())
    predicates = json.loads((folder / "predicates.json").read_text())
    (folder / "objects.json").write_text(json.dumps(objects + [f"o{n}" for n in range(100 - len(objects))]))
    more = [f"p{n}" for n in range(70 - len(predicates))]
    (folder / "predicates.json").write_text(json.dumps(predicates + more))
    return {
        "vrd.zip": zip_of({f"VRD/{path.name}": path.read_bytes() for path in folder.iterdir()}),
        "sg_dataset.zip": zip_of(IMAGES),
        "resnet.tar.gz": tar_of({"./resnet_v1_50.ckpt": DATA}),
        "m.ckpt.index": INDEX,
        "m.ckpt.data": DATA,
    }


@pytest.fixture(scope="module")
def server(archives):
    with running(archives) as site:
        yield site


@pytest.fixture
def site(server):
    server.requests.clear()
    return server


def listing(site, behaviour="good"):
    """A catalogue like the real one."""

    def part(file: str, into: str, **fields) -> Part:
        return Part(file, (site.url(behaviour, file),), into, **fields)

    real = catalogue()["vrd"]
    six, two = real["annotations"], real["images"]
    return {
        "vrd": {
            "annotations": part("vrd.zip", six.into, anchor=six.anchor, there=six.there),
            "images": part(
                "sg_dataset.zip", two.into, anchor=two.anchor, only=two.only, there={"sg_train_images/*": 1}
            ),
        },
        "imagenet_weights": {
            "res50": part(
                "resnet.tar.gz",
                "imagenet_weights",
                anchor="resnet_v1_50.ckpt",
                there={"resnet_v1_50.ckpt": 1},
                instead=("res50.ckpt",),
            )
        },
        "dsg_pretrained": {
            "index": part("m.ckpt.index", "pretrained", bytes=len(INDEX), sha256=sha(INDEX)),
            "data": part("m.ckpt.data", "pretrained", bytes=len(DATA), sha256=sha(DATA)),
        },
    }


class Fetcher:
    def __init__(self, site, data, caplog):
        self.site, self.data, self.caplog = site, data, caplog
        self.tools = Tools(sleep=lambda _: None, free=lambda _: 10**12, attempts=2, timeout=10)

    def __call__(self, name, behaviour="good", **options):
        """The lines that were logged."""
        self.caplog.clear()
        tools = options.pop("tools", self.tools)
        fetch(name, self.data, tools=tools, listed=listing(self.site, behaviour), **options)
        return [record.getMessage() for record in self.caplog.records]

    def files(self):
        found = (path for path in self.data.rglob("*") if path.is_file() and ".fetch" not in path.parts)
        return {str(path.relative_to(self.data)) for path in found}

    def left_over(self):
        """What is on its way: neither receipts nor the lock."""
        found = (self.data / ".fetch").rglob("*")
        return [
            path.name for path in found if path.is_file() and path.suffix != ".txt" and path.name != "lock"
        ]


@pytest.fixture
def get(site, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("dsg"), "propagate", True)
    caplog.set_level(logging.INFO, logger="dsg")
    return Fetcher(site, tmp_path / "data", caplog)


def test_a_data_set_lands_where_the_loader_looks(get):
    get("vrd")
    images = {"VRD/sg_dataset/sg_train_images/a.jpg", "VRD/sg_dataset/sg_test_images/b.jpg"}
    assert images < get.files() and len(get.files()) == 8
    assert len(load_dataset("vrd", "train", data_dir=get.data)) == 18
    assert get.left_over() == []


@pytest.mark.parametrize("behaviour", ["cut", "norange", "redirect", "unsized"])
def test_in_spite_of_the_network(get, behaviour):
    get("VRD", behaviour, only=["annotations"])
    assert "VRD/annotations_train.json" in get.files()


def test_what_is_there_is_not_fetched_again(get):
    for name in ("vrd", "imagenet_weights", "dsg_pretrained"):
        get(name)
        get.site.requests.clear()
        lines = get(name)
        assert get.site.requests == []
        assert all("already there" in line for line in lines), lines
    assert "sha256 as expected" in lines[0]
    assert "sizes as unpacked" in get("VRD")[0]


def test_what_is_damaged_is_fetched_again(get):
    get("vrd")
    image = get.data / "VRD/sg_dataset/sg_train_images/a.jpg"
    image.write_bytes(b"short")
    lines = get("vrd")
    assert image.read_bytes() == b"a" * 900 and "annotations: already there" in lines[0]
    image.write_bytes(b"c" * 900)  # only a checksum tells
    assert "already there" in get("vrd")[1]
    get("vrd", thorough=True)
    assert image.read_bytes() == b"a" * 900
    get("dsg_pretrained")
    (get.data / "pretrained/m.ckpt.data").write_bytes(POINTER)
    get("dsg_pretrained")
    assert (get.data / "pretrained/m.ckpt.data").read_bytes() == DATA


def test_files_put_there_by_hand_are_found(get):
    (get.data / "imagenet_weights").mkdir(parents=True)
    (get.data / "imagenet_weights/res50.ckpt").write_bytes(DATA)
    assert "already there" in get("imagenet_weights")[0]
    images = get.data / "vrd/sg_dataset/sg_train_images"  # the folder in lower case
    images.mkdir(parents=True)
    (images / "a.jpg").write_bytes(b"a")
    assert "counted, not compared" in get("vrd", only=["images"])[0]
    assert get.site.requests == []


def test_an_interrupted_unpacking_is_not_taken_for_files_put_there_by_hand(tmp_path):
    """Enough files to be counted as all, and the archive has more: the program waits at a pipe in the place
    of one of them until it is told to stop.
    """
    train, last = "d/VRD/sg_dataset/sg_train_images", bytes(1 << 20)
    needed = catalogue()["vrd"]["images"].there
    files = {f"x/{pattern[:-1]}{n}.jpg": b"-" for pattern, number in needed.items() for n in range(number)}
    (tmp_path / "sg_dataset.zip").write_bytes(zip_of({**files, "x/sg_train_images/last.jpg": last}))
    (tmp_path / train).mkdir(parents=True)
    pipe = tmp_path / train / ".last.jpg.tmp"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    words = [sys.executable, str(ROOT / "tools/fetch.py"), "vrd", "--only=images", "--from=.", "--data=d"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        assert select.select([reader], [], [], 60)[0]
        first.terminate()
        assert first.communicate(timeout=60)[1] == b"interrupted by SIGTERM\n"
    os.close(reader)
    assert len(list((tmp_path / train).iterdir())) == needed["sg_train_images/*"]
    second = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert second.returncode == 0 and "already there" not in second.stdout, second.stderr
    assert (tmp_path / train / "last.jpg").read_bytes() == last
    third = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert "already there" in third.stdout and "5,001 files, sizes as unpacked" in third.stdout


def test_what_another_program_unpacked_counts(get, archives):
    """As the message says that is shown where Python cannot unpack."""
    content = bytearray(archives["sg_dataset.zip"])
    content[8], content[content.index(b"PK\x01\x02") + 10] = 9, 9  # Deflate64
    get.site.files["deflate64.zip"] = bytes(content)
    part = replace(listing(get.site)["vrd"]["images"], urls=(get.site.url("good", "deflate64.zip"),))
    listed = {"vrd": {"images": part}}
    with pytest.raises(UserError, match="unpack it with another program"):
        fetch("vrd", get.data, tools=get.tools, listed=listed)
    images = get.data / "VRD/sg_dataset/sg_train_images"
    images.mkdir(exist_ok=True)
    (images / "a.jpg").write_bytes(b"a")
    fetch("vrd", get.data, tools=get.tools, listed=listed)
    assert "counted, not compared" in get.caplog.text


def test_the_data_folder_may_be_the_data_sets_own(get):
    get("vrd", only=["annotations"])
    get.data = get.data / "VRD"
    get("vrd")
    assert "sg_dataset/sg_train_images/a.jpg" in get.files()


def test_from_a_folder(get, tmp_path, archives):
    source = tmp_path / "Downloads"
    source.mkdir()
    for name, content in archives.items():
        (source / name).write_bytes(content)
    for name in ("vrd", "imagenet_weights", "dsg_pretrained"):
        get(name, "missing", source=str(source))
    assert get.site.requests == [] and len(get.files()) == 11
    assert {path.name for path in source.iterdir()} == set(archives)  # the user's files stay


def test_from_a_folder_without_it(get, tmp_path, archives):
    (tmp_path / "m.ckpt.index").write_bytes(POINTER)
    with pytest.raises(UserError, match="m.ckpt.index: it is a Git LFS pointer.*git lfs pull"):
        get("dsg_pretrained", source=str(tmp_path))
    with pytest.raises(UserError, match="has no vrd.zip"):
        get("vrd", source=str(tmp_path))
    with pytest.raises(UserError, match="no such folder"):
        get("vrd", source=str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="ftp://host/x: give a folder, or an address"):
        get("vrd", source="ftp://host/x")
    write_dataset(tmp_path / "VRD")
    with pytest.raises(UserError, match="its unpacked contents: .*--data DIR"):
        get("vrd", source=str(tmp_path))


def test_from_an_address(get):
    get("vrd", "missing", source=get.site.address + "/good/")
    get("imagenet_weights", "missing", source=get.site.url("good", "resnet.tar.gz"))
    assert len(get.files()) == 9


def test_archives_can_be_kept(get):
    get("vrd", keep=True)
    assert sorted(get.left_over()) == ["sg_dataset.zip", "vrd.zip"]


def test_no_room_is_said_before_anything_is_fetched(get):
    with pytest.raises(
        UserError, match="m.ckpt.data needs 35 kB, and 20 kB are free on the disk.*--data DIR"
    ):
        get("dsg_pretrained", only=["data"], tools=Tools(free=lambda _: 20_000, spare=100))
    assert get.site.requests == []


def zeros(site, **fields):
    """A part that unpacks to a hundred times its size, and one that comes after it."""
    packed = zip_of({"a/zeros": bytes(1_000_000)})
    site.files |= {"zeros.zip": packed, "later.bin": b"later" * 1000}
    fields = {"about_mb": 1, "expands": 5, "anchor": "zeros", "there": {"zeros": 1}} | fields
    return {
        "vrd": {
            "zeros": Part("zeros.zip", (site.url("good", "zeros.zip"),), "VRD", **fields),
            "later": Part("later.bin", (site.url("good", "later.bin"),), "VRD", bytes=5000),
        }
    }


@pytest.mark.parametrize(
    ("free", "enough"),
    [
        (6_000_100, True),  # the archive of 1 MB and its 5 MB; when the last file comes the archive is gone
        (5_999_999, False),
        (1_500_000, False),  # enough for the archive alone
    ],
)
def test_room_for_what_an_archive_unpacks_to(get, free, enough):
    def run():
        tools = Tools(free=lambda _: free, spare=100)
        fetch("vrd", get.data, tools=tools, listed=zeros(get.site))

    if enough:
        run()
        assert get.files() == {"VRD/zeros", "VRD/later.bin"}
        return
    with pytest.raises(UserError, match="zeros.zip, later.bin, unpacked, needs 6 MB, and .* on the disk"):
        run()
    assert get.site.requests == []


def test_room_for_all_parts_is_looked_at_before_the_first(get):
    with pytest.raises(UserError, match="m.ckpt.index, m.ckpt.data needs 35.5 kB"):
        # Enough for either file, not for both.
        get("dsg_pretrained", tools=Tools(free=lambda _: len(DATA) + 150, spare=100))
    assert get.site.requests == [] and get.files() == set()


def test_kept_archives_count_to_the_end(tmp_path):
    archives = [
        Part("a.zip", (), "a", about_mb=2, expands=3.0),
        Part("b.zip", (), "b", about_mb=1, expands=3.0),
    ]

    def needed(**options):
        found = [demand(part, tmp_path / part.into, tmp_path / part.file, **options) for part in archives]
        return most_at_once(found)

    assert needed() == 10_000_000  # 6 MB, and then 3 MB with their archive
    assert needed(keep=True) == 12_000_000
    (tmp_path / "a.zip.part").write_bytes(bytes(500_000))
    assert needed() == 9_500_000  # what has arrived needs no room, and gives it back later
    given = tmp_path / "b.zip"
    given.write_bytes(bytes(100))
    assert demand(archives[1], tmp_path / "b", tmp_path / "x", given=given) == Demand(300, 300)


def test_what_is_unpacked_already_needs_no_room(tmp_path):
    part = Part("a.zip", (), "a", about_mb=2, expands=3.0, there={"*.jpg": 1})
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.jpg").write_bytes(bytes(1_000_000))
    (tmp_path / "a.zip").write_bytes(bytes(2_000_000))
    assert demand(part, tmp_path / "a", tmp_path / "a.zip") == Demand(5_000_000, 3_000_000)


def test_a_damaged_archive_is_removed(get, archives):
    content = bytearray(archives["vrd.zip"])
    content[200] ^= 255
    get.site.files["broken.zip"] = bytes(content)
    parts = {"annotations": Part("broken.zip", (get.site.url("good", "broken.zip"),), "VRD")}
    with pytest.raises(UserError, match="broken.zip: damaged .*it was removed"):
        fetch("vrd", get.data, tools=get.tools, listed={"vrd": parts})
    assert get.left_over() == []


def test_two_at_once(get, tmp_path):
    import fcntl

    get("vrd")
    with open(get.data / ".fetch/vrd/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another fetch of the same data is running"):
            get("vrd")


def test_where_files_cannot_be_locked(get, monkeypatch, caplog):
    """As on some network file systems."""
    import errno
    import fcntl

    def refuse(file, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    get("vrd")
    assert "cannot be locked (Function not implemented)" in caplog.text


def test_unknown_names(get):
    with pytest.raises(UserError, match="unknown name 'openimages'.*visualgenome"):
        fetch("openimages", get.data)
    with pytest.raises(UserError, match="dsg shapes$"):
        fetch("shapes", get.data)
    with pytest.raises(UserError, match="dsg shapes --graphs$"):
        fetch("shapes150", get.data)
    with pytest.raises(UserError, match="vrd has no part 'picture': its parts are annotations, images"):
        get("vrd", only=["picture"])


def test_the_catalogue_makes_sense():
    names = {"visualgenome", "vrd", "clevr", "vg150", "glove", "imagenet_weights", "dsg_pretrained"}
    assert set(catalogue()) == names | {"weights"} | set(FETCHED)
    assert {name: tuple(parts) for name, parts in catalogue().items()} == PARTS
    for name, parts in catalogue().items():
        if name in CATALOGUE:
            assert {part.into.split("/")[0] for part in parts.values()} == {CATALOGUE[name].folder}
            folders = [f"{part.into}/{top}" for part in parts.values() for top in part.only]
            entry = CATALOGUE[name]
            for image_folder in entry.train_images + entry.test_images:
                assert f"{entry.folder}/{image_folder}/" in folders
        for part in parts.values():
            assert (
                part.urls and part.page and all(url.startswith(("https://", "http://")) for url in part.urls)
            )
            assert not part.is_archive or (part.anchor and part.there)
            assert part.size_guess > 0  # the free disk is looked at before a server tells the size
            assert part.sha256 is None or len(part.sha256) == (8 if name == "weights" else 64)
            assert part.md5 is None or len(part.md5) == 32
            assert not (part.digest or part.bytes) or part.checked


def voc_archive(images, listed):
    """As the publisher's: of a year, with a folder that detectors do not read."""
    folder = "VOCdevkit/VOC2007"
    files = {f"{folder}/SegmentationClass/{images[0]}.png": b"-"}
    files[f"{folder}/ImageSets/Main/{listed}.txt"] = "".join(f"{image}\n" for image in images).encode()
    for image in images:
        xml = voc_annotation([("dog", (1, 2, 30, 40))])
        files |= {f"{folder}/Annotations/{image}.xml": xml.encode()}
        files |= {f"{folder}/JPEGImages/{image}.jpg": b"jpg" * 20000}
    return tar_of(files, packed=False)


def test_voc_lands_where_the_loader_looks_and_a_broken_download_resumes(get):
    """Both parts into one folder; the first answers break off."""
    archives = {
        "trainval": voc_archive(["000001", "000003"], "trainval"),
        "test": voc_archive(["000002"], "test"),
    }
    parts = {}
    for name, content in archives.items():
        kept = catalogue()["pascal_voc"][name]
        get.site.files[kept.file] = content
        there = {pattern: 1 for pattern in kept.there}
        urls = (get.site.url("cut", kept.file),)
        md5 = hashlib.md5(content).hexdigest()
        parts[name] = replace(kept, urls=urls, bytes=len(content), md5=md5, there=there)
    fetch("pascal_voc", get.data, tools=get.tools, listed={"pascal_voc": parts})
    assert any(str(asked).startswith("bytes=") for asked in get.site.asked("cut"))
    assert load_instances("pascal_voc", "trainval", data_dir=get.data).records[1].path.is_file()
    assert len(load_instances("pascal_voc", "test", data_dir=get.data)) == 1
    assert len(get.files()) == 8 and get.left_over() == []
    get.site.requests.clear()
    fetch("pascal_voc", get.data, tools=get.tools, listed={"pascal_voc": parts})
    assert get.site.requests == []
    wrong = {"test": replace(parts["test"], md5="0" * 32)}
    with pytest.raises(UserError, match="its md5 is .* but 0000"):
        fetch("pascal_voc", get.data / "other", tools=get.tools, listed={"pascal_voc": wrong})


def test_scene_graphs_and_word_vectors_land_where_the_loader_looks(get, tmp_path):
    folder = write_graphs(tmp_path / "source")
    vectors = {f"glove.6B.{width}d.txt": ("on" + " 0.5" * width + "\n").encode() for width in (100, 200)}
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    contents["glove.6B.zip"] = zip_of(vectors)
    listed = {"vg150": catalogue()["vg150"], "glove": {"6B": catalogue()["glove"]["6B"]}}
    for name, parts in listed.items():
        for key, kept in parts.items():
            get.site.files[kept.file] = contents[kept.file]
            urls = (get.site.url("cut", kept.file),)
            parts = {**parts, key: replace(kept, urls=urls, bytes=kept.bytes and len(contents[kept.file]))}
        listed[name] = parts
    (get.data / "VG150").mkdir(parents=True)  # a folder of that name, whatever the case
    for name in listed:
        fetch(name, get.data, tools=get.tools, listed=listed)
    assert len(load_graphs("vg150", "train", data_dir=get.data)) == 10
    vector = read_glove(get.data / "glove" / "glove.6B.200d.txt", {"on"}, 200)["on"]
    assert vector.tolist() == [0.5] * 200
    assert len(get.files()) == 4 and {path.split("/")[0] for path in get.files()} == {"VG150", "glove"}
    get.site.requests.clear()
    for name in listed:
        fetch(name, get.data, tools=get.tools, listed=listed)
    assert get.site.requests == []


def test_coco_lands_where_the_loader_looks(get):
    (get.data / "COCO").mkdir(parents=True)
    documents = {name: json.dumps(coco_document(2)) for name in ("train2017", "val2017")}
    files = {f"annotations/instances_{name}.json": text for name, text in documents.items()}
    archives = {"annotations": {**files, "annotations/captions_val2017.json": "-"}}
    archives |= {
        name: {f"{name}2017/0001.png": "a", f"{name}2017/0002.png": "b"} for name in ("train", "val")
    }
    parts = {}
    for name, content in archives.items():
        packed = zip_of({path: text.encode() for path, text in content.items()})
        kept = catalogue()["coco"][name]
        get.site.files[kept.file] = packed
        there = {pattern.replace("jpg", "png"): 1 for pattern in kept.there}
        urls = (get.site.url("good", kept.file),)
        parts[name] = replace(kept, urls=urls, bytes=len(packed), sha256=sha(packed), there=there)
    fetch("coco", get.data, tools=get.tools, listed={"coco": parts})
    assert {path.partition("/")[0] for path in get.files()} == {"COCO"} and len(get.files()) == 6
    for split in ("trainval", "test"):
        loaded = load_instances("coco", split, data_dir=get.data)
        assert [record.path.is_file() for record in loaded.records] == [True, True]


@pytest.mark.parametrize("end", [-1, 600, 20000])
def test_a_tar_archive_that_is_cut(tmp_path, end):
    content = voc_archive(["000001"], "test")
    path = tmp_path / "voc.tar"
    part = Part("voc.tar", (), "x")
    path.write_bytes(content)
    assert problem(path, part) == ""
    path.write_bytes(content.rstrip(b"\0")[:end])
    assert "it is not a complete tar archive" in problem(path, part)


def test_weights_of_torchvision_are_checked_by_the_hash_in_their_name(get):
    """As many as are named; the first two answers break off, and the download resumes."""
    file = f"resnet18-{sha(DATA)[:8]}.pth"
    get.site.files |= {file: DATA, "other-0123abcd.pth": DATA}

    def listed(behaviour, name):
        kept = catalogue()["weights"]["resnet18"]
        urls = (get.site.url(behaviour, name),)
        part = replace(kept, file=name, urls=urls, about_mb=None, sha256=name[-12:-4])
        return {"weights": {"resnet18": part, "vgg16": replace(part, urls=(get.site.url("missing", name),))}}

    def run(behaviour, name=file):
        fetch("weights", get.data, only=["resnet18"], tools=get.tools, listed=listed(behaviour, name))

    run("cut")
    assert (get.data / "weights" / file).read_bytes() == DATA and get.files() == {f"weights/{file}"}
    assert get.site.asked("cut")[0] is None and str(get.site.asked("cut")[-1]).startswith("bytes=")
    get.site.requests.clear()
    run("good")
    assert get.site.requests == [] and "sha256 as expected" in get.caplog.text
    with pytest.raises(UserError, match=r"other-0123abcd\.pth.*sha256 is .* begins with 0123abcd"):
        run("good", "other-0123abcd.pth")
    assert get.files() == {f"weights/{file}"} and get.left_over() == []


def test_of_the_weights_somebody_chooses(get):
    with pytest.raises(UserError, match="weights: which.* fasterrcnn_resnet50_fpn, "):
        fetch("weights", get.data)
    with pytest.raises(
        UserError, match="has no part 'alexnet': its parts are resnet18, resnet50, resnet50_v2"
    ):
        fetch("weights", get.data, only=["alexnet"])
    first, second = (catalogue()["weights"][name].file for name in ("resnet50", "resnet50_v2"))
    assert (first, second) == ("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth")


def test_the_command_in_messages(tmp_path):
    assert fetch_command("vrd") == "./experiments/scripts/fetch.sh vrd"
    assert advice("clevr", Path("data")) == "`./experiments/scripts/fetch.sh clevr` fetches it"
    with pytest.raises(UserError, match=f"`./experiments/scripts/fetch.sh vrd --data {tmp_path}` fetches it"):
        load_dataset("vrd", "train", data_dir=tmp_path)
    own = write_dataset(tmp_path / "VRD")
    assert f"--data {tmp_path}`" in advice("vrd", own, images=True)


def test_the_command_can_be_typed_where_the_user_is(tmp_path, monkeypatch):
    script = ROOT / "experiments/scripts/fetch.sh"
    monkeypatch.chdir(ROOT)
    assert fetch_command("vrd", "d", "images") == "./experiments/scripts/fetch.sh vrd images --data d"
    assert fetch_command("vrd", ROOT / "data") == "./experiments/scripts/fetch.sh vrd"
    monkeypatch.setenv("DSG_START", str(tmp_path))  # a script was called there and went to the root
    assert fetch_command("vrd") == f"{script} vrd"
    assert fetch_command("vrd", "d") == f"{script} vrd --data {ROOT / 'd'}"
    monkeypatch.chdir(tmp_path)  # no script: the data folder, too, is looked for here
    monkeypatch.delenv("DSG_START")
    assert fetch_command("vrd") == f"{script} vrd --data data"
    monkeypatch.setattr("dsg.datasets.remedies.ROOT", tmp_path / "site-packages")
    assert fetch_command("vrd") == "./experiments/scripts/fetch.sh vrd"


@pytest.mark.parametrize("inside", [True, False])
def test_train_tells_a_command_that_works(tmp_path, inside):
    script = "./experiments/scripts/fetch.sh" if inside else ROOT / "experiments/scripts/fetch.sh"
    done = subprocess.run(
        [
            ROOT / "experiments/scripts/train.sh",
            "cpu",
            "vrd",
            "mini",
            f"--data={tmp_path}",
            f"--output={tmp_path}",
        ],
        cwd=ROOT if inside else tmp_path,
        env={**os.environ, "DSG_PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and f"`{script} vrd --data {tmp_path}` fetches it" in done.stderr


def test_the_script(tmp_path, site):
    """Through the shell, without TensorFlow: a relative folder, an address, a mistake."""
    environment = {**os.environ, "DSG_PYTHON": sys.executable, "PYTHONPATH": ""}
    script = str(ROOT / "experiments/scripts/fetch.sh")
    (tmp_path / "resnet_v1_50_2016_08_28.tar.gz").write_bytes(site.files["resnet.tar.gz"])

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([script, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)

    words = ["imagenet_weights", "res50", "--from", ".", "--data", "d"]
    done = call(*words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "d/imagenet_weights/resnet_v1_50.ckpt").read_bytes() == DATA
    assert "already there" in call(*words).stdout
    wrong = call("vrd", f"--from={site.address}/missing", "--data=d")
    assert wrong.returncode == 2 and len(wrong.stderr.splitlines()) == 1 and "HTTP 404" in wrong.stderr
    assert call().returncode == call("vrd", "--bogus").returncode == call("vrd", "--from").returncode == 2
    assert call("--help").stdout.startswith("usage: fetch.sh visualgenome|vrd|clevr")
    loaded = "import sys; sys.argv[1:] = ['vrd', '--from', '/nowhere', '--data', 'd']; import runpy, atexit; "
    loaded += "atexit.register(lambda: print('tensorflow' in sys.modules)); "
    loaded += f"runpy.run_path({str(ROOT / 'tools/fetch.py')!r}, run_name='__main__')"
    seen = subprocess.run([sys.executable, "-c", loaded], cwd=tmp_path, capture_output=True, text=True)
    assert seen.stdout.split() == ["False"] and seen.returncode == 2


def test_ctrl_c(tmp_path, archives):
    """The script stops at once, says so, and goes on with the next."""
    folder = zip_of({f"VRD/{name}": b"{}" for name in catalogue()["vrd"]["annotations"].there})
    noise = np.random.default_rng(0).bytes(3_000_000)
    large = io.BytesIO(folder)
    with zipfile.ZipFile(large, "a") as archive:
        archive.writestr("VRD/noise", noise)
    words = [str(ROOT / "experiments/scripts/fetch.sh"), "vrd", "--only=annotations", "--data=d"]
    environment = {**os.environ, "DSG_PYTHON": sys.executable}
    with running({"vrd.zip": large.getvalue()}) as site:
        words.append(f"--from={site.address}/stalled")
        first = subprocess.Popen(
            words,
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell's background job, which these tests may be, ignores the signal, and so would this one.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert site.halfway.wait(60)
        arrived = tmp_path / "d/.fetch/vrd/vrd.zip.part"
        while first.poll() is None and not (arrived.exists() and arrived.stat().st_size):
            site.go_on.wait(0.01)  # until some of it is on the disk
        os.killpg(first.pid, signal.SIGINT)
        message = first.communicate(timeout=60)[1]
        site.go_on.set()
        assert first.returncode == 130 and message == "interrupted by SIGINT\n"
        second = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert second.returncode == 0, second.stderr
        assert (tmp_path / "d/VRD/noise").read_bytes() == noise
        begun, resumed = site.asked("stalled")
        assert begun is None and resumed is not None and resumed != "bytes=0-"
