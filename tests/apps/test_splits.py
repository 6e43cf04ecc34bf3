"""A data set's name with a split at its end, as the release has it."""

from __future__ import annotations

from dsg.apps.main import main
from dsg.apps.splits import dataset_and_split, split_at_end
from tests.datasets.files import write_dataset
from tests.datasets.instance_files import coco_document, write_coco


def test_dataset_and_split(tmp_path):
    assert dataset_and_split("visualgenome", "train", tmp_path) == ("visualgenome", "train")
    assert dataset_and_split("visualgenome_test", "train", tmp_path) == ("visualgenome", "test")
    assert dataset_and_split("vrd_val", "test", tmp_path) == ("vrd", "validation")
    assert dataset_and_split("my_data", "test", tmp_path) == ("my_data", "test")


def test_a_data_set_whose_name_ends_like_a_split(tmp_path):
    write_dataset(tmp_path / "data" / "My_test")
    (tmp_path / "data" / "vrd_test").mkdir()  # images, maybe, but no data set
    for name in ("My_test", "my_test"):
        assert dataset_and_split(name, "train", tmp_path / "data") == (name, "train")
        assert dataset_and_split(f"{name}_val", "train", tmp_path / "data") == (name, "validation")
        assert dataset_and_split(name, "train", tmp_path / "data" / "My_test") == (name, "train")
    assert dataset_and_split("my_test", "train", tmp_path) == ("my", "test")
    assert dataset_and_split("vrd_test", "train", tmp_path / "data") == ("vrd", "test")
    write_coco(tmp_path / "data" / "dogs_test", {"train": coco_document(2)})
    assert dataset_and_split("dogs_test", "train", tmp_path / "data") == ("dogs_test", "train")
    path = str(tmp_path / "data" / "vrd_test")
    assert dataset_and_split(path, "train", tmp_path) == (path, "train")


def refusal(capsys, *words):
    """The line on standard error with which a command refuses its options."""
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def test_a_data_set_whose_name_ends_like_a_split_is_trained_on_and_tested(tmp_path, capsys):
    """Both programs find it, and miss only what is not there."""
    folder = write_dataset(tmp_path / "data" / "my_test")
    where = ["--imdb", "my_test", "--data", str(tmp_path / "data"), "--output", str(tmp_path / "output")]
    where += ["--net", "mini"]
    assert f"{folder}/images" in refusal(capsys, "train", *where)
    assert "my_test_train" in refusal(capsys, "test", *where, "--model", "absent_iter_0")


def test_the_split_to_validate_on(capsys):
    for text, split in (("val", "validation"), ("vrd_val", "validation"), ("my_data_test", "test")):
        assert split_at_end(text, "--validation-split") == split
    for text in ("vrd_tset", "tset", "vrd", ""):
        words = ["train", "--imdb", "vrd", "--net", "mini", "--check", "--imdbval", text]
        said = refusal(capsys, *words)
        assert said.startswith(f"error: --validation-split {text!r} does not end in a split")
        assert "validation" in said
