"""Lists whose entries match nothing, tables with other separators, words and synsets."""

from __future__ import annotations

import json

import pytest

from tests.cases.inputs import coco, genome, image_data, relations, write


@pytest.fixture
def convert(program, tmp_path):
    boxes, related = write(tmp_path / "boxes.json", coco()), write(tmp_path / "relations.csv", relations())

    def run(*options, by=related):
        return program("convert", "coco", boxes, by, tmp_path / "out", *options)

    return run


@pytest.fixture
def convert_genome(program, tmp_path):
    sizes = write(tmp_path / "image_data.json", image_data())

    def run(*options, related=None):
        path = write(tmp_path / "relationships.json", genome() if related is None else related)
        return program("convert", "visualgenome", path, sizes, tmp_path / "vg", *options)

    return run


def names(folder, file="objects.json"):
    return json.loads((folder / file).read_text())


# 5: ids of images


@pytest.mark.parametrize("option", ["--test-ids", "--validation-ids", "--train-ids"])
def test_ids_that_are_no_image(option, convert, tmp_path):
    ids = write(tmp_path / "ids.txt", "im1.jpg\nim99.jpg\nphotos/im2.jpg\n")
    done = convert(option, ids, *(("--test-share", "0.5") if option != "--test-ids" else ()))
    done.refused(option, "ids.txt", "2 of 3", "'im99.jpg'", "'photos/im2.jpg'", "'im2.jpg'")
    assert not (tmp_path / "out").exists()


def test_ids_without_ending(convert, tmp_path):
    done = convert("--test-ids", write(tmp_path / "ids.txt", "im1\nim2\n"))
    done.refused("2 of 2", "'im1'", "'im1.jpg'")


def test_unknown_ids_may_be_allowed(convert, tmp_path):
    ids = write(tmp_path / "ids.txt", "im1.jpg\nim99.jpg\n")
    convert("--test-ids", ids, "--allow-unknown").went_well("test: 1 images", "1 of 2", "'im99.jpg'")


def test_ids_of_visual_genome(convert_genome, tmp_path):
    convert_genome("--test-ids", write(tmp_path / "ids.txt", "1\n77\n")).refused("1 of 2", "'77'")
    assert not (tmp_path / "vg").exists()


def test_ids_as_json(convert, tmp_path):
    convert("--test-ids", write(tmp_path / "ids.json", [1, 2.0, "im3.jpg"])).went_well("test: 3 images")


@pytest.mark.parametrize("content", [[], [None], [[1]], {"test": [1]}, "[1, 2"])
def test_other_json_is_no_list_of_ids(content, convert, tmp_path):
    convert("--test-ids", write(tmp_path / "ids.json", content)).refused("ids.json")


# 6: categories and predicates


@pytest.mark.parametrize("form", ["cup\ntable\nforkk\n", ["cup", "table", "forkk"]])
def test_categories_that_match_nothing(form, convert, tmp_path):
    done = convert("--categories", write(tmp_path / "names.txt", form))
    done.refused("names.txt", "1 of 3", "categories", "'forkk'")
    assert not (tmp_path / "out").exists()


def test_a_misspelt_category_is_answered_with_the_nearest(convert, tmp_path):
    convert("--categories", write(tmp_path / "n.txt", "cup\ntabel\n")).refused("'tabel'", "'table'")


def test_predicates_that_match_nothing(convert, tmp_path):
    convert("--predicates", write(tmp_path / "p.txt", "on\nabve\n")).refused("1 of 2", "predicates", "'abve'")


def test_unknown_categories_may_be_allowed(convert, tmp_path):
    """The vocabulary of another data set, to test its snapshots."""
    listed = write(tmp_path / "names.txt", "cup\ntable\nfork\n")
    convert("--categories", listed, "--allow-unknown").went_well("1 of 3", "'fork'")
    assert names(tmp_path / "out") == ["cup", "table", "fork"]


def test_categories_of_visual_genome(convert_genome, tmp_path):
    convert_genome("--categories", write(tmp_path / "n.txt", "man\nhorsse\n")).refused("'horsse'", "'horse'")


def test_aliases_that_match_nothing_are_counted(convert, tmp_path):
    """Visual Genome's own lists have thousands: no reason to stop."""
    aliases = write(tmp_path / "a.txt", "mug,cup\nfork,forkk\nspoon,spon\n")
    convert("--category-aliases", aliases).went_well("2 of 3 lines", "a.txt")
    assert names(tmp_path / "out") == ["mug", "table"]


def test_an_alias_on_two_lines_is_said(convert, tmp_path):
    aliases = write(tmp_path / "a.txt", "mug,cup\nglass,cup\n")
    convert("--category-aliases", aliases).went_well("'cup'", "on several lines")


# 11: synsets


def test_words_without_a_synset_are_counted(convert_genome, tmp_path):
    convert_genome("--names", "synset").went_well("3 of 12", "without a synset", "man")
    assert set(names(tmp_path / "vg")) == {"horse.n.01", "man", "man.n.01"}


def test_strict_synsets(convert_genome, tmp_path):
    convert_genome("--names", "synset", "--strict").went_well("without a synset", "3")
    assert names(tmp_path / "vg") == ["horse.n.01", "man.n.01"]


def test_predicates_by_synset(convert_genome, tmp_path):
    convert_genome("--predicate-names", "synset").went_well()
    assert names(tmp_path / "vg", "predicates.json") == ["along.r.01"]
    assert names(tmp_path / "vg") == ["horse", "man"]


# 21: tables with other separators


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("r.tsv", relations(comma="\t")),
        ("r.csv", relations(comma=";")),
        ("r.csv", relations(comma="\t")),
        ("r.csv", relations(comma="|")),
        ("r.CSV", relations()),
        ("r.txt", relations()),
        ("r", relations()),
        ("r.csv", relations(head=("Subject", " predicate ", "OBJECT"))),
        ("r.csv", relations(head=("subject_id", "predicate", "object_id"))),
        ("r.csv", '"subject";"predicate";"object"\n' + relations(comma=";", head=())),
        ("r.csv", "sep=;\n" + relations(comma=";")),
        ("r.txt", json.dumps([[11, "on", 12], [23, "on", 22]])),
        ("r.csv", "\n" + relations()),
    ],
)
def test_tables_as_people_have_them(file, content, convert, tmp_path):
    convert(by=write(tmp_path / file, content)).went_well("test: 1 images")
    assert names(tmp_path / "out", "predicates.json") == ["on"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (relations(head=()), "11,on,12"),
        ("from,relation,to\n11,on,12\n", "from,relation,to"),
        ("subject predicate object\n11 on 12\n", "subject predicate object"),
        ("", "empty"),
    ],
)
def test_other_tables_are_shown(content, said, convert, tmp_path):
    convert(by=write(tmp_path / "r.csv", content)).refused("r.csv", said, "subject, predicate, object")


def test_a_table_of_a_spreadsheet_program(convert, tmp_path):
    (tmp_path / "r.xlsx").write_bytes(b"PK\x03\x04" + bytes(60))
    convert(by=tmp_path / "r.xlsx").refused("r.xlsx", "CSV")
