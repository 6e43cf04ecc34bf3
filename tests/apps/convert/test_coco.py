"""COCO-style boxes with relations become a data set; every fault in them is named."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from dsg.apps.convert.command import Options, convert_coco
from dsg.apps.convert.splits import SplitRule, make_rule
from dsg.apps.convert.vocabulary import Choice, read_aliases, read_choice
from dsg.datasets import load_dataset
from dsg.errors import UserError
from tests.programs import run_program
from tests.shared import needs_shared, shared_path

BOX = {"A": [10, 20, 40, 40], "B": [60, 20, 30, 50.25], "C": [90, 70, 30, 30]}  # x, y, width, height


def coco(images: int = 10) -> dict:
    """Images of 100 x 80 with a cat (A), a dog (B), and a bus (C) that leaves the image."""
    annotations = [
        {"id": 10 * image + index, "image_id": image, "category_id": 3 + index, "bbox": BOX[letter]}
        for image in range(images)
        for index, letter in enumerate("ABC")
    ]
    return {
        "images": [{"id": n, "file_name": f"{n:02}.jpg", "width": 100, "height": 80} for n in range(images)],
        "annotations": annotations,
        "categories": [
            {"id": 3, "name": "Cat"},
            {"id": 4, "name": "dog"},
            {"id": 5, "name": "bus"},
            {"id": 9, "name": "owl"},
        ],
    }


def triples(images: int = 10) -> list:
    return [
        triple
        for n in range(images)
        for triple in ([10 * n, "left of", 10 * n + 1], [10 * n + 1, "Near ", 10 * n + 2])
    ]


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture
def files(write):
    return write("boxes.json", coco()), write("relations.json", triples())


RULE = SplitRule(test=frozenset({"1", "02.jpg"}))


def load(folder, name):
    return json.loads((folder / name).read_text())


def test_the_files(files, tmp_path):
    out = tmp_path / "out"
    account = convert_coco(*files, out, Options(rule=RULE))
    assert load(out, "objects.json") == ["bus", "cat", "dog", "owl"]  # as frequent, then by name
    assert load(out, "predicates.json") == ["left of", "near"]
    assert list(load(out, "annotations_test.json")) == ["01.jpg", "02.jpg"]
    assert load(out, "test_image_metadata.json")["01.jpg"] == {"width": 100, "height": 80}
    assert load(out, "annotations_test.json")["01.jpg"][1] == {
        "predicate": 1,
        "subject": {"category": 2, "bbox": [20, 70.25, 60, 90]},
        "object": {"category": 0, "bbox": [70, 80, 90, 100]},  # cut at the border
    }
    assert account.images == {"train": 8, "test": 2} and account.relationships == {"train": 16, "test": 4}
    assert not account.left_out
    record = load_dataset(str(out), "test").records[0]
    np.testing.assert_array_equal(record.boxes[0], [10, 20, 50, 60])
    assert record.queries.tolist() == [[1, 0, 2], [2, 1, 0]]
    assert sorted(path.name for path in out.iterdir()) == [
        "annotations_test.json",
        "annotations_train.json",
        "objects.json",
        "predicates.json",
        "test_image_metadata.json",
        "train_image_metadata.json",
    ]


@pytest.mark.parametrize("kind", ["csv", "objects", "ids", "inside", "wrapped"])
def test_ways_to_write_relations(write, tmp_path, kind):
    boxes, relations, content = coco(), triples(), None
    if kind == "csv":
        rows = "".join(f"{s},{p},{o},0.9\n" for s, p, o in relations)
        content = write("r.csv", "\ufeffsubject, predicate,object,score\n" + rows)
    elif kind == "inside":
        boxes["relationships"] = relations
    elif kind == "wrapped":
        content = write("r.json", {"relationships": relations})
    else:
        end = "_id" if kind == "ids" else ""
        items = [{f"subject{end}": s, "predicate": p, f"object{end}": o} for s, p, o in relations]
        content = write("r.json", items)
    account = convert_coco(write("boxes.json", boxes), content, tmp_path / "out", Options(rule=RULE))
    assert account.relationships == {"train": 16, "test": 4}


def test_a_vocabulary_of_ones_own(files, write, tmp_path):
    names = read_choice(str(write("names.txt", "dog\nFeline\n")), "categories")
    aliases = read_aliases(write("aliases.txt", "feline, cat,kitten\n"))
    options = Options(
        categories=names,
        predicates=Choice(most=1),
        category_aliases=aliases,
        predicate_aliases={"left of": "beside"},
    )
    account = convert_coco(*files, tmp_path / "out", Options(**{**vars(options), "rule": RULE}))
    assert load(tmp_path / "out", "objects.json") == ["dog", "feline"]
    assert load(tmp_path / "out", "predicates.json") == ["beside"]
    assert account.relationships == {"train": 8, "test": 2}
    assert account.left_out == {"predicate not in the vocabulary": 10}


def test_nothing_remains(files, tmp_path):
    with pytest.raises(UserError, match="none of the listed categories occurs.*frequent ones are cat"):
        convert_coco(*files, tmp_path / "a", Options(categories=Choice(names=("zebra",)), rule=RULE))
    with pytest.raises(UserError, match="no image for train; .*category not in the vocabulary: 20"):
        convert_coco(*files, tmp_path / "a", Options(categories=Choice(names=("cat",)), rule=RULE))
    with pytest.raises(UserError, match="no image for test; see --test-share"):
        convert_coco(*files, tmp_path / "a", Options(rule=SplitRule()))
    with pytest.raises(UserError, match="no image for test; see --test-share"):
        convert_coco(*files, tmp_path / "b/c", Options(rule=SplitRule()))
    assert {path.name for path in tmp_path.iterdir()} == {"boxes.json", "relations.json"}
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match="no image for test"):
        convert_coco(*files, tmp_path / "a", Options(rule=SplitRule()))
    assert list((tmp_path / "a").iterdir()) == []  # it was there before


@pytest.mark.parametrize("share", [0.001, 0.999])
@pytest.mark.parametrize("images", [2, 3, 10])
def test_few_images_give_one_to_each_split(write, tmp_path, images, share):
    boxes, relations = write("b.json", coco(images)), write("r.json", triples(images))
    rule = SplitRule(test_share=share)
    account = convert_coco(boxes, relations, tmp_path / "out", Options(rule=rule))
    few, many = ("test", "train") if share < 0.5 else ("train", "test")
    assert account.images == {few: 1, many: images - 1}
    assert account.relationships == {few: 2, many: 2 * images - 2}
    order = sorted(range(images), key=lambda n: rule.place(str(n)))
    chosen = order[0] if few == "test" else order[-1]
    for name in (f"annotations_{few}.json", f"{few}_image_metadata.json"):
        assert list(load(tmp_path / "out", name)) == [f"{chosen:02}.jpg"]
    assert len(load_dataset(str(tmp_path / "out"), "trainval")) == account.images["train"]
    assert len(load_dataset(str(tmp_path / "out"), "test")) == account.images["test"]


def test_one_image_is_too_few(write, tmp_path):
    boxes, relations = write("b.json", coco(1)), write("r.json", triples(1))
    with pytest.raises(UserError, match="no image for test"):
        convert_coco(boxes, relations, tmp_path / "out", Options(rule=SplitRule(test_share=0.2)))
    assert not (tmp_path / "out").exists()


def test_what_is_left_out_is_counted(write, tmp_path):
    boxes = coco()
    boxes["annotations"] += [
        {"id": 900, "image_id": 0, "category_id": 3, "bbox": [500, 5, 5, 5]},
        {"id": 901, "image_id": 0, "category_id": 3, "bbox": [5, 5, 50, 5], "iscrowd": 1},
        {"id": 902, "image_id": 77, "category_id": 3, "bbox": [5, 5, 50, 5]},
    ]
    boxes["images"].append({"id": 50, "file_name": "empty.jpg", "width": 10, "height": 10})
    odd = [[0, "near", 900], [0, "near", 901], [0, "near", 11], [0, "near", 0], [0, "left of", 1]]
    relations = write("r.json", triples() + odd)
    account = convert_coco(write("b.json", boxes), relations, tmp_path / "out", Options(rule=RULE))
    assert account.left_out == {
        "crowd": 1,
        "box of an unknown image": 1,
        "box outside the image, or without area": 1,
        "relation of an unknown annotation": 1,
        "relation between two images": 1,
        "self-relation": 1,
        "relationship listed twice": 1,
        "image without a relationship": 1,
    }
    assert "relation between two images: 1 (the first: r.json, relation 22: 0 and 11)" in "\n".join(
        account.lines()
    )


@pytest.mark.parametrize("parting", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["csv", "TSV"])
def test_tables_parted_by_whatever_their_first_line_has(write, tmp_path, parting, ending):
    rows = [["object", "score", "subject", "predicate"], *([o, "0,5", s, p] for s, p, o in triples(5))]
    if parting == ",":
        rows = [[cell for cell in row if cell != "0,5" and cell != "score"] for row in rows]
    table = write(f"r.{ending}", "".join(parting.join(map(str, row)) + "\r\n" for row in rows))
    account = convert_coco(write("b.json", coco(5)), table, tmp_path / "out", Options(rule=RULE))
    assert account.relationships == {"train": 6, "test": 4} and not account.left_out


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("listed", ["1\n02.jpg\n", '[1, "02.jpg"]'])
def test_a_byte_order_mark_changes_nothing(write, tmp_path, encoding, listed):
    """In none of the files that people write, and Windows' programs mark."""
    texts = {"ids": listed, "names.txt": "dog\ncat\n", "aliases": "bus,owl\ndog,bus\n"}
    texts |= {"b.json": json.dumps(coco()), "r.json": json.dumps(triples())}
    files = {name: tmp_path / name for name in texts}
    for name, text in texts.items():
        files[name].write_text(text, encoding=encoding)
    rule = make_rule(files["ids"], None, None, 0.1, 0)
    names = read_choice(str(files["names.txt"]), "categories")
    options = Options(rule=rule, categories=names, category_aliases=read_aliases(files["aliases"]))
    assert (rule.test, names.names) == ({"1", "02.jpg"}, ("dog", "cat"))
    assert options.category_aliases["owl"] == "bus"
    account = convert_coco(files["b.json"], files["r.json"], tmp_path / "out", options)
    assert account.images == {"train": 8, "test": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 5}, "no list `images`; it is not a COCO file"),
        ({"images": [{"id": 1, "file_name": "a.jpg", "width": 0, "height": 5}]}, "no valid width and height"),
        ({"categories": [{"id": 1}]}, "categories, entry 0: has no 'name'"),
        ({"annotations": [{"id": 1, "image_id": 1}]}, "annotations, entry 0: has no 'category_id'"),
        (
            {"annotations": [{"id": 1, "image_id": 1, "category_id": 8, "bbox": [1, 2, 3, 4]}]},
            "category 8 is not",
        ),
        (
            {"annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3]}]},
            r"the bbox is \[1, 2, 3\]",
        ),
        ({"annotations": [{**coco()["annotations"][0]}] * 2}, "this id appears twice"),
    ],
)
def test_faulty_boxes(write, tmp_path, change, message):
    boxes = write("b.json", {**coco(), **change})
    with pytest.raises(UserError, match=message):
        convert_coco(boxes, write("r.json", triples()), tmp_path / "out", Options(rule=RULE))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.json", [[1, 2]], r"relation 0: not \[subject, predicate, object\]"),
        ("r.json", [[1, 2, 3]], "relation 0: the predicate is 2, not a name"),
        ("r.json", [[1, "on", None]], "relation 0: the 'object' is null"),
        ("r.json", {"a": 1}, "a JSON object, not a list of relations"),
        ("r.csv", "a,b\n1,2\n", "line 1: the columns subject, predicate, object"),
        (
            "r.csv",
            "subject,predicate,object\n1,on,2\n1,,2\n",
            "line 3: subject, predicate or object is missing",
        ),
        ("r.csv", "subject,predicate,object\n1,on\n", "line 2: subject, predicate or object is missing"),
        ("r.csv", 'subject,predicate,object\n1,"on,2\n' + 20_000 * "1,on,2\n", "is a quote not closed"),
        ("r.json", [], "no predicates in the annotations"),
    ],
)
def test_faulty_relations(write, tmp_path, name, content, message):
    with pytest.raises(UserError, match=message):
        convert_coco(write("b.json", coco()), write(name, content), tmp_path / "out", Options(rule=RULE))


def test_a_second_file_is_for_testing(write, tmp_path):
    """Also where images of both files have one name: they lie in folders of their own."""
    train = (
        write("boxes.json", coco(3)),
        write("relations.json", [[0, "on", 1], [10, "on", 11], [20, "on", 21]]),
    )
    test = write("test.json", coco(2)), write("near.json", [[0, "on", 1], [1, "on", 0], [11, "on", 10]])
    account = convert_coco(*train, tmp_path / "out", Options(), *test)
    assert account.images == {"train": 3, "test": 2} and not account.left_out
    assert account.lines()[-1].startswith("2 names of images are in both files, such as 00.jpg")
    found = {split: load(tmp_path / "out", f"annotations_{split}.json") for split in ("train", "test")}
    assert {split: {name: len(several) for name, several in one.items()} for split, one in found.items()} == {
        "train": {"00.jpg": 1, "01.jpg": 1, "02.jpg": 1},
        "test": {"00.jpg": 2, "01.jpg": 1},
    }
    assert (
        found["test"]["01.jpg"][0]["subject"]["category"]
        != found["train"]["01.jpg"][0]["subject"]["category"]
    )


def test_ways_to_test_that_exclude_each_other(files, write, tmp_path):
    with pytest.raises(UserError, match="need boxes for testing"):
        convert_coco(*files, tmp_path / "out", Options(), None, files[1])
    with pytest.raises(UserError, match="not both"):
        convert_coco(*files, tmp_path / "out", Options(rule=RULE), *files)


def test_an_earlier_conversion_is_not_lost(files, tmp_path):
    out = tmp_path / "out"
    convert_coco(*files, out, Options(rule=make_rule(None, None, None, 0.3, 0)))
    before = load(out, "annotations_train.json")
    with pytest.raises(UserError, match="already contains a data set.*--force"):
        convert_coco(*files, out, Options(rule=RULE))
    with pytest.raises(UserError, match="none of the listed"):
        convert_coco(*files, out, Options(rule=RULE, force=True, predicates=Choice(names=("x",))))
    assert load(out, "annotations_train.json") == before
    convert_coco(*files, out, Options(rule=RULE, force=True))
    assert load(out, "annotations_train.json") != before


def test_a_conversion_that_is_cut_off_is_made_again(files, tmp_path, monkeypatch):
    """Wherever among the files that it moves to their place: by the same command, without --force."""
    (tmp_path / "photos").mkdir()
    options = Options(rule=RULE, images=tmp_path / "photos")
    convert_coco(*files, tmp_path / "whole", options)
    whole = {path.name for path in (tmp_path / "whole").iterdir()}
    replace = os.replace
    for moves in range(len(whole)):
        left = iter(range(moves))

        def cut_off(source, target, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            replace(source, target)

        out = tmp_path / f"after {moves}"
        monkeypatch.setattr(os, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            convert_coco(*files, out, options)
        monkeypatch.setattr(os, "replace", replace)
        convert_coco(*files, out, options)
        assert {path.name for path in out.iterdir()} == whole
        assert load_dataset(out, "train").records


def test_splits(write, tmp_path):
    ids = {
        split: write(f"{split}.txt", text)
        for split, text in (("a", "1\n2\n"), ("b", "03.jpg\n"), ("c", "4\n"))
    }
    rule = make_rule(ids["a"], ids["b"], ids["c"], 0.5, 0)
    assert [rule.of(key, f"{int(key):02}.jpg") for key in "12345"] == [
        "test",
        "test",
        "validation",
        "train",
        None,
    ]
    assert rule.names == ("train", "validation", "test")
    drawn = make_rule(None, None, None, 0.25, 7)
    chosen = [drawn.of(str(n), "") for n in range(4000)]
    assert 0.22 < chosen.count("test") / 4000 < 0.28
    assert chosen == [make_rule(None, None, None, 0.25, 7).of(str(n), "") for n in range(4000)]
    assert chosen != [make_rule(None, None, None, 0.25, 8).of(str(n), "") for n in range(4000)]
    with pytest.raises(UserError, match="'1' is listed for test and for validation"):
        make_rule(ids["a"], ids["a"], None, 0, 0)
    with pytest.raises(UserError, match="at least 0 and below 1"):
        make_rule(None, None, None, 1.5, 0)
    with pytest.raises(UserError, match="the list of images is empty"):
        make_rule(write("e.txt", "\n"), None, None, 0.1, 0)
    with pytest.raises(UserError, match="1.5 is neither the id nor the file name of an image"):
        make_rule(write("e.json", [1.5]), None, None, 0.1, 0)


def test_validation_images_get_files_of_their_own(files, write, tmp_path):
    rule = make_rule(write("t", "1\n"), write("v", "2\n3\n"), None, 0, 0)
    convert_coco(*files, tmp_path / "out", Options(rule=rule))
    assert len(load_dataset(str(tmp_path / "out"), "validation")) == 2
    assert len(load_dataset(str(tmp_path / "out"), "train")) == 7


def test_a_list_that_matches_nothing_is_refused(files, write, tmp_path):
    rule = make_rule(write("t", "1\n"), write("v", "nowhere\n"), None, 0, 0)
    with pytest.raises(UserError, match="--validation-ids .*v: 1 of 1 images do not occur: 'nowhere'"):
        convert_coco(*files, tmp_path / "out", Options(rule=rule))
    assert not (tmp_path / "out").exists()


def test_choices(write):
    assert read_choice("all", "categories") == Choice() and read_choice("7", "categories").most == 7
    assert read_choice(str(write("n.json", ["A b", "c"])), "categories").names == ("a b", "c")
    for name, content, message in (
        ("a", "x\nX\n", "'x' is listed twice"),
        ("b", "[1]", "not a JSON list of names"),
        ("c", "[", "not valid JSON"),
        ("d", "", "an empty list"),
    ):
        with pytest.raises(UserError, match=message):
            read_choice(str(write(name, content)), "categories")
    with pytest.raises(UserError, match="no such file of categories"):
        read_choice("nowhere", "categories")
    with pytest.raises(UserError, match="must be at least 1"):
        read_choice("0", "categories")


def test_the_program(files, write, tmp_path):
    (tmp_path / "photos").mkdir()

    def call(*words):
        return run_program("convert", *words, cwd=tmp_path)

    done = call("coco", "boxes.json", "relations.json", "out", "--test-share", "0.3", "--images", "photos")
    assert done.returncode == 0, done.stderr
    assert "train: " in done.stdout and "dsg check out" in done.stdout
    assert (tmp_path / "out/images").resolve() == tmp_path / "photos"
    words = ["coco", "boxes.json", "relations.json", "out", "--test-share", "0.3"]
    again = call(*words, "--force", "--images", "photos")
    assert again.returncode == 0, again.stderr
    for wrong in (
        words,
        [*words, "--force", "--images", "nowhere"],
        ("coco", "no.json", "-", "o"),
        ("yolo",),
    ):
        done = call(*wrong)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


@needs_shared("data", "coco", "annotations", "instances_train2017.json")
def test_real_boxes(write, tmp_path):
    folder = shared_path("data", "coco", "annotations")
    relations = {}
    for split in ("train", "val"):
        boxes = json.loads((folder / f"instances_{split}2017.json").read_text())
        groups: dict[int, list[dict]] = {}
        for box in boxes["annotations"]:
            if not box["iscrowd"]:
                groups.setdefault(box["image_id"], []).append(box)
        found = [
            [a["id"], "left of" if a["bbox"][0] < b["bbox"][0] else "right of", b["id"]]
            for group in groups.values()
            for a, b in zip(group, group[1:])
        ]
        relations[split] = write(f"{split}.json", found)
    account = convert_coco(
        folder / "instances_train2017.json",
        relations["train"],
        tmp_path / "out",
        Options(categories=Choice(most=20)),
        folder / "instances_val2017.json",
        relations["val"],
    )
    assert account.images["train"] > 30 and account.images["test"] > 5
    assert load(tmp_path / "out", "objects.json")[0] == "person"
    assert len(load_dataset(str(tmp_path / "out"), "test")) == account.images["test"]
