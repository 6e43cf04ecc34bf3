"""What file is this? Weights and snapshots by whatever name people give them, and fine-tuning from any."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import tensorflow as tf

import dsg
from dsg.config import flatten, load_config
from dsg.datasets import Vocabulary
from dsg.engine.runs import find_snapshot
from dsg.engine.snapshots import load_meta, load_snapshot
from dsg.errors import UserError
from dsg.models.dsg.build import build_model
from dsg.models.weights import load_initial_weights
from dsg.nets.initial import unfilled
from tests.cases.inputs import dataset, write
from tests.cases.programs import ROOT
from tests.crafted import header, replace
from tests.small_trained import small_config, write_snapshot

BUNDLED = ROOT / "data" / "demo" / "mini.npz"
PARTS = (".index", ".meta", ".data-00000-of-00001")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The trunk of res50 under slim's names; its prefix."""
    from dsg.checkpoints.tf1_names import release_name

    with unfilled():
        model = build_model(load_config(overrides=["NET", "res50", "VARIANT", "no_dsg"]), 3, 2)
    folder = tmp_path_factory.mktemp("checkpoint")
    shapes = {
        release_name(name, "res50"): tuple(variable.shape)
        for name, variable in model.named_variables().items()
        if name.startswith("trunk/")
    }
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        wanted = [
            v1.get_variable(name, shape, initializer=v1.ones_initializer()) for name, shape in shapes.items()
        ]
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver(wanted).save(session, str(folder / "res50.ckpt"))
    return SimpleNamespace(prefix=folder / "res50.ckpt", model=model, config=model.config)


# 12: weights


@pytest.mark.parametrize("ending", ["", *PARTS, "folder", "state"])
def test_any_file_of_a_checkpoint_means_it(ending, checkpoint):
    path = {"folder": checkpoint.prefix.parent, "state": checkpoint.prefix.parent / "checkpoint"}.get(
        ending, checkpoint.prefix.with_name(checkpoint.prefix.name + ending)
    )
    model = checkpoint.model
    kernel = model.named_variables()["trunk/conv1/kernel"]
    kernel.assign(tf.zeros_like(kernel))
    report = load_initial_weights(model, changed(checkpoint.config, "WEIGHTS", str(path)))
    assert len(report.matched) > 100 and not report.missing
    assert float(tf.reduce_min(kernel)) == 1.0


def changed(config, *pairs):
    from dsg.config import from_values
    from dsg.config.load import parse_pairs

    return from_values({**flatten(config), **parse_pairs(pairs)})


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(3)


def tar(path):
    with tarfile.open(path, "w:gz") as archive:
        content = tarfile.TarInfo("resnet_v1_50.ckpt")
        content.size = 3
        archive.addfile(content, io.BytesIO(b"abc"))


def torch(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/version", b"3")


FOREIGN = [
    ("weights.h5", hdf5, "Keras"),
    ("weights.keras", hdf5, "Keras"),
    ("resnet.tar.gz", tar, "unpack"),
    ("resnet_v1_50.tgz", tar, "unpack"),
    (
        "model.safetensors",
        lambda path: path.write_bytes(b"\x10" + bytes(7) + b'{"a":{"dtype"'),
        "safetensors",
    ),
    ("model.onnx", lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch"), "ONNX"),
    ("saved_model.pb", lambda path: path.write_bytes(b"\x08\x01\x12\x04"), "SavedModel"),
    ("page.npz", lambda path: path.write_text("<!DOCTYPE html><html></html>"), "web page"),
    ("pointer.npz", lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
    ("photo.npz", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50)), "picture"),
    ("notes.txt", lambda path: path.write_text("hello"), "no weights"),
    ("notes.md", lambda path: path.write_text("# Weights\n\n" + "\u00e9" * 400), "no weights"),
    ("empty.npz", lambda path: path.write_bytes(b""), "empty"),
]


TORCH = [  # PyTorch; or, where it might be a detector, torchvision or torch.save
    ("model.pth", torch, "orch"),
    ("model.pt", torch, "orch"),
    ("old.pth", lambda path: path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), "orch"),
]


@pytest.mark.parametrize(("name", "make", "word"), FOREIGN)
@pytest.mark.parametrize("net", ["mini", "res18", "res50"])
def test_other_formats_of_weights_are_named(name, make, word, net, tmp_path):
    make(tmp_path / name)
    config = load_config(overrides=["NET", net, "WEIGHTS", str(tmp_path / name)])
    with pytest.raises(UserError) as caught:
        load_initial_weights(None, config)  # said before anything is looked for in the model
    message = str(caught.value)
    assert name in message and word in message and "\n" not in message and "delete" not in message
    assert len(message) < 400


@pytest.mark.parametrize(("name", "make", "word"), [*FOREIGN, *TORCH])
def test_other_formats_of_snapshots_are_named(name, make, word, tmp_path):
    make(tmp_path / name)
    for read in (dsg.load, load_snapshot, load_meta):
        with pytest.raises(UserError) as caught:
            read(tmp_path / name)
        message = str(caught.value)
        assert name in message and "\n" not in message and "delete" not in message
        assert word in message or word == "no weights"


def test_weights_that_do_not_exist_show_their_neighbours(checkpoint):
    config = changed(checkpoint.config, "WEIGHTS", str(checkpoint.prefix.with_name("res5.ckpt")))
    with pytest.raises(UserError, match=r"res5\.ckpt.*res50\.ckpt"):
        load_initial_weights(checkpoint.model, config)


# 13: snapshots


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "output" / "mini" / "shapes_train" / "mine"
    folder.mkdir(parents=True)
    for number in (0, 2):
        write_snapshot(folder / f"mine_iter_{number}.npz")
    return folder


def test_a_folder_of_a_run_is_its_best_snapshot(run_folder):
    assert find_snapshot(str(run_folder), run_folder.parents[2], "mini", "shapes", ROOT / "data") == (
        run_folder / "mine_iter_0.npz"
    )
    assert find_snapshot("mine", run_folder.parents[2], "mini", "shapes", ROOT / "data") == (
        run_folder / "mine_iter_0.npz"
    )
    assert load_meta(run_folder).epoch == 3
    assert dsg.load(run_folder).vocabulary == dsg.load(run_folder / "mine_iter_0.npz").vocabulary


def test_a_folder_of_a_run_without_a_best_snapshot(run_folder):
    (run_folder / "mine_iter_0.npz").unlink()
    assert load_snapshot(run_folder).path == run_folder / "mine_iter_2.npz"


def test_programs_take_a_folder_of_a_run(run_folder, tmp_path, program):
    picture = ROOT / "data" / "demo" / "images" / "demo_0.png"
    query = "blue metal cube, left, blue metal sphere"
    program("ask", picture, query, "--snapshot", run_folder).went_well("demo_0")


def test_an_empty_folder_is_no_snapshot(tmp_path):
    for read in (dsg.load, load_meta):
        with pytest.raises(UserError, match="no snapshot in this folder"):
            read(tmp_path)


@pytest.mark.parametrize("ending", ["", *PARTS])
def test_a_checkpoint_is_no_snapshot(ending, checkpoint):
    path = checkpoint.prefix.with_name(checkpoint.prefix.name + ending)
    for read in (dsg.load, load_meta):
        with pytest.raises(UserError, match="TensorFlow 1 checkpoint") as caught:
            read(path)
        assert "delete" not in str(caught.value) and "damaged" not in str(caught.value)


@pytest.mark.parametrize("ending", PARTS)
def test_a_file_of_a_checkpoint_may_be_tested(ending, checkpoint):
    path = str(checkpoint.prefix) + ending
    assert find_snapshot(path, ROOT / "output", "res50", "shapes", ROOT / "data") == checkpoint.prefix


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.99])
def test_a_snapshot_that_is_cut_short(cut, tmp_path):
    whole = BUNDLED.read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: int(cut * len(whole))])
    for read in (dsg.load, load_snapshot):
        with pytest.raises(UserError, match=r"a\.npz.*(truncated|damaged)") as caught:
            read(tmp_path / "a.npz")
        assert "delete" not in str(caught.value)


def test_a_run_whose_snapshots_cannot_be_read_keeps_them(run_folder):
    from dsg.engine.runs import Run

    for path in run_folder.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError) as caught:
        Run(run_folder, "mine").resume()
    assert "delete" not in str(caught.value) and "move" in str(caught.value)


# 26: a header of an array that no parser takes

HEADERS = {
    "brackets left open": b"{'descr': '<f4', 'fortran_order': False, 'shape': (((1, ",
    "a text left open": b"{'descr': '<f4",
    "long numbers": b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1" * 5000 + b",), }",
    "indented": b"  {'descr'\n    : 1\n  }",
    "a null": b"{'descr': '<f4'\0}",
    "no dictionary": b"[1, 2]",
    "names": b"{'descr': x, 'fortran_order': False, 'shape': ()}",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("entry", ["meta.npy", "variables/trunk/conv1/kernel.npy"])
def test_a_damaged_header(name, entry, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(BUNDLED.read_bytes())
    text = HEADERS[name]
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    replace(path, entry, b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(100))
    with pytest.raises(UserError, match=r"a\.npz"):
        load_snapshot(path)
    with pytest.raises(UserError, match=r"a\.npz"):
        load_initial_weights(None, changed(small_config(), "WEIGHTS", str(path)))


def test_a_damaged_header_in_a_trunk(tmp_path):
    with zipfile.ZipFile(tmp_path / "resnet18.npz", "w") as archive:
        archive.writestr(
            "conv1.weight.npy",
            header("<f4", ((((1,),),),)) if False else b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((\n",
        )
    with pytest.raises(UserError, match=r"resnet18\.npz"):
        load_initial_weights(
            SimpleNamespace(named_variables=dict),
            changed(small_config(), "NET", "res18", "WEIGHTS", str(tmp_path / "resnet18.npz")),
        )


# 27: fine-tuning


OBJECTS = ("red_cube", "green_ball", "dog")
PREDICATES = ("on", "left")


@pytest.fixture
def source(tmp_path):
    """A snapshot with a vocabulary of its own, whose variables are all different numbers."""
    return write_snapshot(
        tmp_path / "source.npz", objects=("cat", "red_cube", "green ball"), predicates=("left", "right", "on")
    )


def fine_tune(path, *overrides, objects=OBJECTS, predicates=PREDICATES):
    config = small_config(*overrides, "WEIGHTS", str(path), "RNG_SEED", "11")
    model = build_model(config, len(objects), len(predicates))
    fresh = {name: variable.numpy() for name, variable in model.named_variables().items()}
    report = load_initial_weights(model, config, vocabulary=Vocabulary(objects, predicates))
    return {name: variable.numpy() for name, variable in model.named_variables().items()}, fresh, report


def test_what_fits_is_taken(source):
    tuned, fresh, report = fine_tune(source)
    saved = load_snapshot(source).variables
    same = [name for name in tuned if saved[name].shape == tuned[name].shape]
    assert len(same) > 50 and all(
        np.array_equal(tuned[name], saved[name])
        for name in same
        if "labels/" not in name and not name.endswith("mlp/0/kernel")
    )
    assert set(same) <= set(report.matched)
    assert f"{len(report.matched)} variables matched" in str(report)


def test_labels_are_taken_by_word(source):
    """red_cube is number 1 there and 0 here; `green ball` is written otherwise; dog is new."""
    tuned, fresh, report = fine_tune(source)
    saved = load_snapshot(source).variables
    for name in ("labels/entities/kernel", "labels/entities/bias", "gt_labels/entities/kernel"):
        np.testing.assert_array_equal(tuned[name][..., 0], saved[name][..., 1])
        np.testing.assert_array_equal(tuned[name][..., 1], saved[name][..., 2])
        np.testing.assert_array_equal(tuned[name][..., 2], fresh[name][..., 2])
    name = "labels/predicates/0/kernel"
    np.testing.assert_array_equal(tuned[name][..., 0], saved[name][..., 2])
    np.testing.assert_array_equal(tuned[name][..., 1], saved[name][..., 0])
    assert "2 of 3 categories" in str(report) and "2 of 2 predicates" in str(report) and "dog" in str(report)


def test_rows_of_the_query_are_taken_by_word(source):
    tuned, fresh, _ = fine_tune(source)
    saved = load_snapshot(source).variables
    kernel = "role_classifier/mlp/0/kernel"
    node = len(saved[kernel]) - 3 - 3 - 3
    assert len(tuned[kernel]) == node + 3 + 2 + 3
    np.testing.assert_array_equal(tuned[kernel][:node], saved[kernel][:node])
    for here, there in ((0, 1), (1, 2)):
        np.testing.assert_array_equal(tuned[kernel][node + here], saved[kernel][node + there])
        np.testing.assert_array_equal(tuned[kernel][node + 5 + here], saved[kernel][node + 6 + there])
    np.testing.assert_array_equal(tuned[kernel][node + 3], saved[kernel][node + 3 + 2])  # on
    np.testing.assert_array_equal(tuned[kernel][node + 4], saved[kernel][node + 3 + 0])  # left
    np.testing.assert_array_equal(tuned[kernel][node + 2], fresh[kernel][node + 2])


def test_the_same_words_in_another_order(source):
    """As many words of other meaning: a shape that fits is not enough."""
    tuned, _, _ = fine_tune(
        source, objects=("green ball", "cat", "red_cube"), predicates=("on", "left", "right")
    )
    saved = load_snapshot(source).variables
    np.testing.assert_array_equal(tuned["labels/entities/bias"], saved["labels/entities/bias"][[2, 0, 1]])
    np.testing.assert_array_equal(
        tuned["labels/predicates/0/bias"], saved["labels/predicates/0/bias"][[2, 0, 1]]
    )


def test_a_part_that_the_snapshot_lacks_stays_as_it_began(source):
    tuned, fresh, report = fine_tune(source, "RR.QUERY_ATTENTION", "8")
    new = [name for name in tuned if name.startswith("query_attention/")]
    assert new and all(np.array_equal(tuned[name], fresh[name]) for name in new)
    assert set(new) <= set(report.missing) and "missing" in str(report)


def test_another_size_of_a_part_is_named(source):
    tuned, fresh, report = fine_tune(source, "GPI.HIDDEN", "20")
    assert any("gpi/" in name for name in report.unused + report.missing)
    assert "trunk/conv1/kernel" in report.matched


def test_another_net_is_refused(source):
    config = small_config("WEIGHTS", str(source), "NET", "res18")
    model = build_model(config, 3, 2)
    with pytest.raises(UserError, match=r"source\.npz.*mini.*res18"):
        load_initial_weights(model, config, vocabulary=Vocabulary(OBJECTS, PREDICATES))


def test_no_optimiser_state_is_taken(source, tmp_path, program, untraced):
    """A run that begins from a snapshot begins at step 0 with fresh slots."""
    folder = dataset(tmp_path / "mine")
    from tests.tiny import PAIRS, PLAIN

    pairs = [*PAIRS, *PLAIN, "TRAIN.EPOCHS", "1", "WEIGHTS", str(BUNDLED)]
    mini = ROOT / "experiments" / "cfgs" / "mini.yml"
    given = ("--imdb", folder, "--net", "mini", "--cfg", mini, "--output", tmp_path / "out")
    done = program("train", *given, "--set", *pairs)
    done.went_well("mini.npz", "variables matched")
    meta = load_meta(tmp_path / "out/mini/mine_train/default/default_iter_1.npz")
    assert meta.step == 5 and [entry["epoch"] for entry in meta.history] == [1]


def test_a_folder_of_a_run_as_weights(run_folder):
    _, _, report = fine_tune(run_folder)
    assert "mine_iter_0.npz" in str(report) and len(report.matched) > 50


def test_weights_of_an_export(source, tmp_path, program):
    """A file of weights is a snapshot without what training needs."""
    program("export", "--snapshot", source, "--weights", tmp_path / "taken.npz").went_well()
    tuned, _, report = fine_tune(tmp_path / "taken.npz")
    saved = load_snapshot(source).variables["trunk/conv1/kernel"]
    np.testing.assert_array_equal(tuned["trunk/conv1/kernel"], saved)
    assert "2 of 3 categories" in str(report)


def test_the_bundled_model_for_other_colours():
    """What is learned of shapes goes on to shapes of other colours: the words that both have are taken."""
    objects = tuple(
        f"{c}_{m}_{s}" for c in ("red", "orange") for m in ("metal", "rubber") for s in ("cube", "sphere")
    )
    config = load_config([ROOT / "experiments/cfgs/mini_best.yml"], ["WEIGHTS", str(BUNDLED)])
    model = build_model(config, len(objects), 4)
    words = Vocabulary(objects, ("behind", "front", "left", "right"))
    report = load_initial_weights(model, config, vocabulary=words)
    assert not report.missing and "4 of 8 categories" in str(report) and "4 of 4 predicates" in str(report)


def test_the_released_checkpoint_for_another_vocabulary(tmp_path):
    """`WEIGHTS dsg_pretrained.ckpt`: by name and shape; it names no words, so label layers begin anew."""
    from dsg.checkpoints.tf1_names import release_name

    config = load_config(overrides=["NET", "res50", "WEIGHTS", str(tmp_path / "dsg_pretrained.ckpt")])
    with unfilled():
        model = build_model(config, 3, 2)
    released = {
        release_name(name, "res50"): tuple(variable.shape)
        for name, variable in model.named_variables().items()
        if release_name(name, "res50")
    }
    released["gpi/rel_score/0/weights"] = (1024, 100)
    released["gpi/rel_score/0/biases"] = (100,)
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "dsg_pretrained.ckpt"),
        tensor_names=list(released),
        shape_and_slices=[""] * len(released),
        tensors=[np.zeros(shape, np.float32) for shape in released.values()],
    )
    report = load_initial_weights(model, config, vocabulary=Vocabulary(OBJECTS, PREDICATES))
    assert "gpi/node_mlp/0/kernel" in report.matched and "labels/entities/kernel" not in report.matched
    assert "labels/entities/kernel" in str(report) or "categories" in str(report)


def test_the_weights_of_a_run_are_checked_before_training(tmp_path, program):
    folder = dataset(tmp_path / "mine")
    hdf5(tmp_path / "w.h5")
    mini = ROOT / "experiments" / "cfgs" / "mini.yml"
    given = ("--imdb", folder, "--net", "mini", "--cfg", mini, "--output", tmp_path / "out")
    program("train", *given, "--set", "WEIGHTS", tmp_path / "w.h5").refused("w.h5", "Keras")
    program("train", *given, "--set", "WEIGHTS", tmp_path / "none.npz").refused("none.npz", "no such file")
    assert not list(tmp_path.rglob("*_iter_*.npz"))


def test_meta_of_a_snapshot_says_where_it_began(source):
    assert json.loads(str(np.load(source)["meta"]))["objects"] == ["cat", "red_cube", "green ball"]
    write(source.with_suffix(".txt"), "x")
