"""From files of another format to a data set's folder: `convert_coco` and `convert_visual_genome`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dsg.apps.convert.coco import SPATIAL, CocoSource
from dsg.apps.convert.records import Account, Picture
from dsg.apps.convert.splits import SplitRule
from dsg.apps.convert.visual_genome import VisualGenomeSource
from dsg.apps.convert.vocabulary import Aliases, Choice
from dsg.apps.convert.writer import check_link, write_dataset
from dsg.errors import UserError


@dataclass(frozen=True)
class Options:
    """What all converters share."""

    categories: Choice = Choice()
    predicates: Choice = Choice()
    category_aliases: Mapping[str, str] = field(default_factory=Aliases)
    predicate_aliases: Mapping[str, str] = field(default_factory=Aliases)
    rule: SplitRule = SplitRule(test_share=0.1)
    images: Path | None = None
    force: bool = False
    allow_unknown: bool = False  # lists may name what does not occur: it is said

    def vocabularies(
        self, categories: Mapping[str, int], predicates: Mapping[str, int], account: Account
    ) -> tuple[list[str], list[str]]:
        """The names that are kept, by what there is to learn from."""
        notes = account.notes if self.allow_unknown else None
        chosen = (
            self.categories.vocabulary(categories, "categories", notes),
            self.predicates.vocabulary(predicates, "predicates", notes),
        )
        for aliases in (self.category_aliases, self.predicate_aliases):
            account.notes += aliases.notes() if isinstance(aliases, Aliases) else []
        return chosen


def convert_coco(
    boxes: Path,
    relations: Path | str | None,
    folder: Path,
    options: Options,
    test_boxes: Path | None = None,
    test_relations: Path | str | None = None,
) -> Account:
    """A data set from COCO-style boxes and relations between them.

    Args:
        boxes, relations: see `dsg.apps.convert.coco`; `SPATIAL` computes relations from boxes. The images are
            split by `options.rule`.
        test_boxes, test_relations: where given, their images are for testing, those of `boxes` for training.

    Raises:
        UserError: a file is not of its format, or nothing remains.
    """
    if options.images is not None:
        check_link(folder, options.images, "images")
    account = Account(order="[x, y, width, height]", source=str(boxes))
    more = options.category_aliases, options.predicate_aliases, options.images
    source, rule, testing = CocoSource(boxes, relations, account, *more), options.rule, None
    if test_boxes is not None:
        if rule.test:
            raise UserError(
                "give either a list of images for testing or a file of boxes for testing, not both"
            )
        if relations == SPATIAL and test_relations is None:
            test_relations = SPATIAL
        testing = CocoSource(test_boxes, test_relations, account, *more)
        rule = replace(rule, test_share=0.0)
        names = {file for file, _, _ in source.images.values()}
        shared = [file for file, _, _ in testing.images.values() if file in names]
        if shared:
            account.notes.append(
                f"{len(shared):,} names of images are in both files, such as {shared[0]}: unless they are in "
                "images/train and images/test, the same images are used for training and testing"
            )
    elif test_relations is not None:
        raise UserError(f"{test_relations}: relations for testing need boxes for testing (--test-boxes)")
    categories, predicates = options.vocabularies(source.categories(), source.predicates(), account)

    def pictures() -> Iterator[Picture]:
        yield from source.pictures()
        if testing is not None:
            yield from testing.pictures("test")

    write_dataset(
        *(folder, pictures(), categories, predicates, rule, account),
        images=None if options.images is None else (options.images, "images"),
        force=options.force,
        allow_unknown=options.allow_unknown,
    )
    return account


def convert_visual_genome(source: VisualGenomeSource, folder: Path, options: Options) -> Account:
    """A data set from Visual Genome's own files.

    Raises:
        UserError: a file is not of its format, or nothing remains.
    """
    images = None if options.images is None else (options.images, _image_folder(options.images))
    if images is not None:
        check_link(folder, *images)
    account = Account(order="x, y, w, h", source=str(source.relationships))
    source = replace(
        source,
        category_aliases=options.category_aliases,
        predicate_aliases=options.predicate_aliases,
    )
    sizes = source.sizes()
    categories, predicates = options.vocabularies(*source.counts(len(sizes)), account)
    pictures = source.pictures(sizes, account)
    write_dataset(
        *(folder, pictures, categories, predicates, options.rule, account),
        images=images,
        force=options.force,
        allow_unknown=options.allow_unknown,
    )
    account.notes += source.notes()
    return account


def _image_folder(images: Path) -> str:
    """What the loader calls a folder with Visual Genome's images: two folders of them, or the images."""
    halves = any((images / half).is_dir() for half in ("VG_100K", "VG_100K_2"))
    return "JPEGImages" if halves else "images"
