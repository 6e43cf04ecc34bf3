"""`load_dataset`: from a name and a split to the records that everything else works on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from dsg.datasets.catalogue import find_dataset, holds_annotations
from dsg.datasets.formats.exchange.table import refuse_foreign
from dsg.datasets.formats.referring import annotation_file
from dsg.datasets.mirror import mirror_map
from dsg.datasets.records import Dataset
from dsg.datasets.source import Source, dsg_images, rr_images
from dsg.datasets.splits import SPLIT_RULES, SPLITS
from dsg.datasets.table.build import Table
from dsg.datasets.table.stored import StoredRecords
from dsg.errors import UserError

FLIPS = ("none", "released", "swap_lr")
MULTI_PREDICATE = ("sample_once", "sample_each_epoch")
RECORD_POLICIES = ("skip", "keep", "error")


def load_dataset(
    name: str | os.PathLike[str],
    split: str,
    *,
    data_dir: str | os.PathLike[str] = Path("data"),
    flip: bool | str = False,
    multi_predicate: str = "sample_once",
    split_rule: str = "rr",
    seed: int = 3,
    on_bad_record: str = "skip",
    max_images: int | None = None,
    keep_self: bool = False,
    exact_boxes: bool = False,
    cache: bool | str | os.PathLike[str] = True,
) -> Dataset:
    """The records of a split, in the order of the metadata file, without the images that ask nothing.

    Args:
        name: of the catalogue (visualgenome, vrd, clevr, shapes), or a folder of the same layout.
        split: train, validation, test, or trainval (the whole train file). A file `annotations_<split>.json`
            is used if there is one; otherwise validation is cut from train by `split_rule`.
        data_dir: folder of the data sets, or the data set's own folder.
        flip: False or "none"; "released" appends the mirror image of every record, labels untouched;
            "swap_lr" also exchanges predicates such as left and right. Only train (under "dsg" also
            validation) is mirrored, the argument may always be given.
        multi_predicate: which of several predicates of a pair `ImageRecord.predicates` holds. Either way it
            is drawn here, once; with "sample_each_epoch" the pipeline draws again from `triples` with
            `draw_predicates`.
        split_rule: "rr" or "dsg", see `splits`.
        seed: of the draws, and of the shuffle of "dsg".
        on_bad_record: "skip" leaves out relationships and images that are invalid and counts them in
            `Dataset.skipped`; "error" stops at the first. "keep" is "skip", but boxes wholly outside their
            image stay, as in the release.
        max_images: only the first images of the split, before mirroring (0 and None: all).
        keep_self: relations of an entity to itself make queries, too (`roles` leaves them out).
        exact_boxes: mirrored boxes lie on their objects; the release's lie a pixel beside them (`mirrored`).
        cache: whether large annotations are kept in checked form for the next time, and maybe the folder for
            it; see `dsg.datasets.kept`.

    Raises:
        UserError: the data set or a file of it is missing or not of the format; more than half of the
            relationships are invalid, or of the boxes are smaller than a pixel, or leave their images; no
            image is left; an argument has an unknown value.

    Example:
        >>> dataset = load_dataset("data/demo", "test")
        >>> print(dataset.summary())
        demo test: 6 images, 118 queries (data/demo)
    """
    split = {"val": "validation"}.get(split, split)
    flip = {False: "none", True: "released"}[flip] if isinstance(flip, bool) else flip
    _check_choice("split", split, SPLITS)
    _check_choice("flip", flip, FLIPS)
    _check_choice("multi_predicate", multi_predicate, MULTI_PREDICATE)
    _check_choice("split_rule", split_rule, SPLIT_RULES)
    _check_choice("on_bad_record", on_bad_record, RECORD_POLICIES)
    label, folder, entry = find_dataset(name, Path(data_dir))
    if not holds_annotations(folder):
        refuse_foreign(folder, "referring")
    source = Source(label, folder, entry, split, on_bad_record, keep_self, cache)

    cut = split in ("train", "validation") and not annotation_file(folder, "validation").is_file()
    limit = max_images or None
    if cut and split_rule == "dsg":
        looked, images, flipped = dsg_images(source, split, flip != "none", seed)
        images, flipped = images[:limit], flipped[:limit]
    else:
        looked, images = rr_images(source, split, cut, limit)
        flipped = np.zeros(len(images), bool)
        if flip != "none" and split in ("train", "trainval"):
            images, flipped = np.concatenate([images, images]), np.concatenate([flipped, ~flipped])
    first_draw = _first_draws(source.table, looked)
    # A table from a cache may state fewer draws than its last image makes: half its relations at most.
    draws = int(source.table.draws[looked].sum()) + int(source.table.triple_count.max(initial=0)) // 2
    records = StoredRecords(
        source.table,
        images,
        flipped,
        np.random.RandomState(seed).random_sample(draws),
        first_draw,
        source.images.path,
        mirror_map(source.vocabulary.predicates) if flip == "swap_lr" else None,
        keep_self,
        exact_boxes,
    )
    source.check(looked, len(records))
    return Dataset(label, split, folder, source.vocabulary, records, source.skipped, source.notes(split))


def _first_draws(table: Table, images: np.ndarray) -> np.ndarray:
    """For each image of the table where its random numbers begin, if these images draw in this order."""
    counts = table.draws[images].astype(np.int64)
    first = np.zeros(len(table.names), np.int64)
    first[images] = np.cumsum(counts) - counts
    return first


def _check_choice(option: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{option}: unknown value {value!r}; it is one of {', '.join(choices)}")
