"""The demonstration: what it shows, what is shipped for it, and its two programs."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dsg.apps.ask.answered import compare
from dsg.apps.ask.command import ask
from dsg.apps.ask.scenes import Scene
from dsg.apps.demo.command import demo
from dsg.apps.demo.data import LARGEST_SNAPSHOT, ship_images, ship_pictures, ship_snapshot
from dsg.apps.demo.scenes import shown_queries
from dsg.apps.main import main
from dsg.datasets import ambiguous, load_dataset
from dsg.engine.snapshots import load_snapshot
from dsg.errors import UserError
from dsg.metrics.role_iou import OBJECT, SUBJECT, role_iou
from dsg.models.dsg.trained import load_trained
from dsg.pipeline.batches import example_to_batch
from dsg.pipeline.images import read_image
from tests.programs import run_program
from tests.shared import ROOT
from tests.small_trained import write_snapshot

BUNDLED = ROOT / "data" / "demo"
QUERY = "red metal cube, left, blue rubber sphere"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images and the snapshot of a small network."""
    place = tmp_path_factory.mktemp("demo")
    ship_images(place, 2, (96, 64))
    write_snapshot(place / "small.npz")
    return place


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("dsg"), "propagate", True)
    caplog.set_level(logging.INFO, "dsg")
    return caplog


def test_annotated_images(folder: Path, tmp_path: Path, lines: pytest.LogCaptureFixture) -> None:
    demo(folder, folder / "small.npz", tmp_path / "out")

    written = {path.name for path in (tmp_path / "out").iterdir()}
    endings = ("answers.png", "graph.png", "graph.json", "graph.dot")
    assert written == {"answers.json", *(f"demo_{number}_{end}" for number in range(2) for end in endings)}
    results = json.loads((tmp_path / "out" / "answers.json").read_text())
    assert [result["image"] for result in results] == ["demo_0", "demo_1"]
    for result in results:
        assert len(result["answers"]) == 4
        for one in result["answers"]:
            assert one["subject"] and one["object"] and 0 <= one["subject_iou"] <= 1
    assert (tmp_path / "out" / "demo_0_graph.dot").read_text().startswith("digraph scene {")
    assert cv2.imread(str(tmp_path / "out" / "demo_1_answers.png")).shape[0] > 800

    table = [message for message in lines.messages if message.startswith("demo_")]
    assert lines.messages[0].split() == ["image", "query", "subject", "IoU", "object", "IoU"]
    assert len(table) == 8
    mean = np.mean([one["subject_iou"] for result in results for one in result["answers"]])
    assert next(message for message in lines.messages if "mean of 8" in message).split()[4] == f"{mean:.2f}"


def test_iou_of_the_demonstration_is_that_of_testing(folder: Path) -> None:
    trained = load_trained(folder / "small.npz")
    for record in load_dataset(folder, "test").records:
        image = read_image(record.path)
        found = trained.ask([image], [record.queries])[0]
        shown = compare(Scene("a", image, record.queries, record), found, trained.vocabulary, "last_wins")

        batch = example_to_batch(record, trained.config)
        predicted = trained.model.predict_roles(batch)
        height, width = batch["image_size"].numpy()[0]
        size = np.array([width, height, width, height])
        boxes, truth = predicted.boxes.numpy()[0], batch["gt_boxes"].numpy()[0]
        subject, object_ = role_iou(
            predicted.role_probabilities.numpy()[0], boxes / size, truth / size, record.roles
        )
        for one, roles in zip(shown, record.roles):  # the boxes that are drawn are those that count
            np.testing.assert_array_equal(one.gt_subject, record.boxes[roles == SUBJECT])
            np.testing.assert_array_equal(one.gt_object, record.boxes[roles == OBJECT])
        np.testing.assert_allclose([one.subject_iou for one in shown], subject)
        np.testing.assert_allclose([one.object_iou for one in shown], object_)


def test_queries_in_words_about_annotated_images(
    folder: Path, tmp_path: Path, lines: pytest.LogCaptureFixture
) -> None:
    record = load_dataset(folder, "test").records[0]
    objects = json.loads((folder / "objects.json").read_text())
    predicates = json.loads((folder / "predicates.json").read_text())
    subject, predicate, object_ = record.queries[0]
    known = f"{objects[subject]}, {predicates[predicate]}, {objects[object_]}"
    demo(folder, folder / "small.npz", tmp_path, queries=[known, QUERY])
    first = json.loads((tmp_path / "answers.json").read_text())[0]["answers"]
    assert first[0]["subject_iou"] is not None
    assert first[1]["subject_iou"] is None and len(first[1]["subject"]) >= 1


def test_own_images(folder: Path, tmp_path: Path, lines: pytest.LogCaptureFixture) -> None:
    paths = [tmp_path / "my photo.png", tmp_path / "more" / "my photo.jpg"]
    paths[1].parent.mkdir()
    for path in paths:
        cv2.imwrite(str(path), np.full((50, 80, 3), 90, np.uint8))
    ask(folder / "small.npz", paths, [QUERY], out=tmp_path / "out")
    assert (tmp_path / "out" / "my_photo_answers.png").is_file()
    assert (tmp_path / "out" / "my_photo_1_graph.png").is_file()
    row = next(message for message in lines.messages if message.startswith("my_photo "))
    assert QUERY in row and "[" in row
    assert lines.messages[0].split() == ["image", "query", "subject", "object"]

    ask(folder / "small.npz", paths[:1], out=tmp_path / "graphs")
    assert {path.name for path in (tmp_path / "graphs").iterdir()} == {
        "answers.json",
        *(f"my_photo_graph.{end}" for end in ("png", "json", "dot")),
    }


def test_a_folder_of_images(folder: Path, tmp_path: Path, lines: pytest.LogCaptureFixture) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("b.JPG", "a.png", "c.png"):
        cv2.imwrite(str(photos / name), np.full((50, 80, 3), 90, np.uint8))
    (photos / "notes.txt").write_text("no image, and not asked about")
    ask(
        folder / "small.npz",
        [photos],
        [QUERY, "gray metal cube, right, red metal cube"],
        out=tmp_path / "out",
    )
    results = json.loads((tmp_path / "out" / "answers.json").read_text())
    assert [result["image"] for result in results] == ["a", "b", "c"]
    assert [Path(result["file"]).name for result in results] == ["a.png", "b.JPG", "c.png"]
    for result in results:
        assert (result["width"], result["height"]) == (80, 50)
        assert (tmp_path / "out" / result["graph"]).is_file()
        for one in result["answers"]:
            for role in ("subject", "object"):
                scores = one[f"{role}_scores"]
                assert len(scores) == len(one[role]) >= 1 and scores == sorted(scores, reverse=True)
                assert 0 <= scores[-1] <= scores[0] <= 1

    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="empty: no image in this folder"):
        ask(folder / "small.npz", [empty], [QUERY], out=tmp_path / "out")


def test_a_damaged_image_among_others(folder: Path, tmp_path: Path, lines: pytest.LogCaptureFixture) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "c.png"):
        cv2.imwrite(str(photos / name), np.full((50, 80, 3), 90, np.uint8))
    (photos / "b.png").write_bytes((photos / "a.png").read_bytes()[:60])
    with pytest.raises(UserError, match=r"1 of 3 images cannot be read, for example .*b.png"):
        ask(folder / "small.npz", [photos], [QUERY], out=tmp_path / "out")
    results = json.loads((tmp_path / "out" / "answers.json").read_text())
    assert [result["image"] for result in results] == ["a", "c"]  # the others were answered
    assert any("b.png" in record.getMessage() for record in lines.records if record.levelname == "WARNING")

    for name in ("a.png", "c.png"):
        (photos / name).write_bytes(b"")
    with pytest.raises(UserError, match="none of the 3 images can be read"):
        ask(folder / "small.npz", [photos], [QUERY], out=tmp_path / "out")


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_photographs_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    """A picture that is stored turned, as cameras do, is answered in pixels of the upright one."""
    upright = Image.open(BUNDLED / "images" / "demo_0.png").convert("RGB")
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(turn[orientation])
    stored.save(tmp_path / "photo.jpg", quality=100, subsampling=0, exif=exif)
    query = "blue metal cylinder, left, blue metal cylinder"
    ask(BUNDLED / "mini.npz", [tmp_path / "photo.jpg"], [query], out=tmp_path / "out")
    result = json.loads((tmp_path / "out" / "answers.json").read_text())[0]
    assert (result["width"], result["height"]) == upright.size == (384, 256)
    # The two cylinders' annotated boxes.
    np.testing.assert_allclose(result["answers"][0]["subject"], [[105, 69, 139, 111]], atol=3)
    np.testing.assert_allclose(result["answers"][0]["object"], [[179, 83, 214, 129]], atol=3)


def test_shown_queries_are_of_every_kind() -> None:
    for record in load_dataset(BUNDLED, "test").records:
        shown = shown_queries(record)
        assert len(shown) == len(set(shown)) == min(4, len(record.queries))
        assert ambiguous(record)[shown].sum() >= min(2, ambiguous(record).sum())
        assert (~ambiguous(record)).sum() == 0 or not ambiguous(record)[shown].all()


def test_another_vocabulary(folder: Path, tmp_path: Path) -> None:
    other = write_snapshot(tmp_path / "other.npz", objects=("cat", "dog"), predicates=("on",))
    with pytest.raises(
        UserError, match=r"categories or predicates differ .*; use `dsg ask` for other images"
    ):
        demo(folder, other, tmp_path / "out")


def test_files_that_are_not_what_they_should_be(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not what is wanted")
    snapshot = folder / "small.npz"
    with pytest.raises(UserError, match="notes.txt: cannot be created .*; give --output DIR"):
        demo(folder, snapshot, text)
    with pytest.raises(UserError, match="notes.txt: is a text"):
        demo(folder, text, tmp_path / "out")
    with pytest.raises(UserError, match="notes.txt: not an image"):
        ask(snapshot, [text], out=tmp_path / "out")
    with pytest.raises(UserError, match="absent.png: no such image"):
        ask(snapshot, [tmp_path / "absent.png"], out=tmp_path / "out")


def test_too_large_a_snapshot_is_not_shipped(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bytes packed; at most 1,000 are shipped"):
        ship_snapshot(folder / "small.npz", tmp_path / "mini.npz", largest=1000)
    assert not list(tmp_path.iterdir())


def test_pictures_of_the_readme(folder: Path, tmp_path: Path) -> None:
    written = ship_pictures(folder, folder / "small.npz", tmp_path / "images", scene=1)
    assert [path.name for path in written] == ["answers.png", "graph.png"]
    assert all(100 < read_image(path).shape[1] <= 800 for path in written)


def test_bundled_images() -> None:
    dataset = load_dataset(BUNDLED, "test", on_bad_record="error")
    flags = np.concatenate([ambiguous(record) for record in dataset.records])
    assert len(dataset) == 6 and 0.4 <= flags.mean() < 1
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.suffix != ".npz") < 400_000


def test_bundled_model_answers_well(tmp_path: Path) -> None:
    path = BUNDLED / "mini.npz"
    assert path.is_file(), "train mini on shapes, then: tools/make_demo.py --snapshot .../<name>_iter_0.npz"
    assert path.stat().st_size <= LARGEST_SNAPSHOT
    snapshot = load_snapshot(path)
    assert not snapshot.slots and not Path(snapshot.meta.config["DATA.DIR"]).is_absolute()
    assert {str(array.dtype) for array in snapshot.variables.values()} == {"float32"}
    demo(BUNDLED, path, tmp_path)
    results = json.loads((tmp_path / "answers.json").read_text())
    values = [
        one[f"{role}_iou"]
        for result in results
        for one in result["answers"]
        for role in ("subject", "object")
    ]
    # The shipped model has 0.83 on these 24 queries, most of them ambiguous.
    assert np.mean(values) >= 0.75


def test_program(folder: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((50, 80, 3), 90, np.uint8))
    given = ("--image", str(tmp_path / "a.png"), "--snapshot", str(folder / "small.npz"))
    done = run_program("demo", *given, "--query", QUERY, "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert QUERY in done.stdout and str(tmp_path / "out") in done.stdout
    assert (tmp_path / "out" / "a_answers.png").is_file()


def test_the_command_ask(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table, JSON and nothing else, a drawn picture; files whose name has a comma are files."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b, c.png"):
        cv2.imwrite(name, np.full((50, 80, 3), 90, np.uint8))
    given = ["--snapshot", str(folder / "small.npz")]
    assert main(["ask", "a.png", QUERY, *given]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["image", "query", "subject", "object"] and QUERY in printed[1]
    assert len(list(tmp_path.iterdir())) == 2  # nothing is written

    (tmp_path / "damaged.png").write_bytes(b"no image")
    assert main(["ask", "a.png", "b, c.png", "damaged.png", QUERY, "--json", *given]) == 2
    streams = capsys.readouterr()
    results = json.loads(streams.out)
    assert [one["file"] for one in results] == ["a.png", "b, c.png"]
    assert results[0]["answers"][0]["query"][1] == "left"
    assert "1 of 3 images cannot be read" in streams.err.splitlines()[-1]

    assert main(["ask", "a.png", "--query", QUERY, "--out", "drawn.png", *given]) == 0
    assert read_image(tmp_path / "drawn.png").shape[0] > 50
    assert main(["ask", "a.png", "b, c.png", QUERY, "--out", "two.png", *given]) == 2
    assert "give a folder" in capsys.readouterr().err
    assert main(["ask", "absent.png", QUERY, *given]) == 2
    assert "absent.png: no such image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--query", "red cube, left, blue rubber sphere"], "did you mean 'red metal cube'"),
        (["--gpu", "first"], "give a GPU number"),
        (["--unknown"], "--help lists the options"),
    ],
)
def test_mistakes_are_one_line(folder: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    known = ("--snapshot", str(folder / "small.npz"), "--output", str(tmp_path))
    done = run_program("demo", *known, *arguments)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
