"""From any format of `dsg.datasets.formats.exchange` to any other."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dsg.apps.convert.command import Options
from dsg.apps.convert.records import Account, Entity, Picture
from dsg.apps.convert.vocabulary import Aliases, Choice, plain
from dsg.apps.convert.writer import check_link, write_dataset
from dsg.datasets.catalogue import leads_out
from dsg.datasets.formats.exchange import vg150
from dsg.datasets.formats.exchange.annotation import AnnotatedImage, Annotation
from dsg.datasets.formats.exchange.table import (
    FORMATS,
    TRAINABLE,
    read_annotation,
    target_format,
    write_annotation,
)
from dsg.errors import UserError


def convert_files(source: Path, target: Path, options: Options, *, form: str = "", to: str = "") -> Account:
    """Write an annotation in another format.

    What training reads has names in lower case, and each image in a split: the source's, else the rule's.
    Other formats keep names as they are.

    Args:
        source, target: files, or folders where a format is one.
        options: `images` is where sizes are read from, and what data sets link to.
        form, to: formats by name; empty: as recognised, see `dsg.datasets.formats.exchange.table`.

    Raises:
        UserError: a format is not recognised, a file is not of it, the target exists, or nothing remains.
    """
    chosen = target_format(target, to)
    annotation = read_annotation(source, form, options.images)
    account = Account(order="x1, y1, x2, y2", source=str(source))
    for reason, places in annotation.skipped.items():
        account.left_out[reason] += len(places)
        account.first.setdefault(reason, places[0])
    annotation = _narrowed(annotation, options, account, lower=chosen in TRAINABLE)
    if not annotation.images:
        raise UserError(f"{source}: no images")
    if chosen == "referring":
        _write_referring(target, annotation, options, account)
        return account
    if chosen == "vg150":
        annotation = _split(annotation, options)
    if FORMATS[chosen].ending and target.is_dir():
        raise UserError(f"{target}: is a folder; {chosen} is a file")
    occupied = any(target.iterdir()) if target.is_dir() else target.exists()
    if occupied and not options.force:
        raise UserError(f"{target}: already exists; give another name, or replace it with --force")
    write_annotation(target, annotation, chosen)
    for image in annotation.images:
        account.images[image.split or "all"] += 1
        account.relationships[image.split or "all"] += len(image.relations)
    if chosen == "vg150" and options.images is not None:
        _link_each(target, annotation, options.images, account)
    return account


def _narrowed(annotation: Annotation, options: Options, account: Account, lower: bool) -> Annotation:
    """With the names that were chosen; things of other categories leave with their relations."""

    def renamed(name: str, aliases: Aliases) -> str:
        return aliases.of(plain(name) if lower else name)

    things, relations = (Aliases.made(one) for one in (options.category_aliases, options.predicate_aliases))
    images = [
        replace(
            image,
            things=tuple(replace(one, name=renamed(one.name, things)) for one in image.things),
            relations=tuple(
                replace(one, predicate=renamed(one.predicate, relations)) for one in image.relations
            ),
        )
        for image in annotation.images
    ]
    listed = [
        list(dict.fromkeys(renamed(name, aliases) for name in names))
        for names, aliases in ((annotation.categories, things), (annotation.predicates, relations))
    ]
    counts = [Counter({name: 0 for name in names}) for names in listed]
    counts[0].update(thing.name for image in images for thing in image.things)
    counts[1].update(relation.predicate for image in images for relation in image.relations)
    chosen = options.vocabularies(counts[0], counts[1], account) if all(counts) else listed
    choices = (options.categories, options.predicates)
    categories, predicates = (
        names if choice == Choice() else kept for names, choice, kept in zip(listed, choices, chosen)
    )
    kept_names = frozenset(categories), frozenset(predicates)
    kept_images = [_kept(image, *kept_names, account) for image in images]
    return Annotation(kept_images, tuple(categories), tuple(predicates))


def _kept(
    image: AnnotatedImage, categories: frozenset[str], predicates: frozenset[str], account: Account
) -> AnnotatedImage:
    places = [number for number, thing in enumerate(image.things) if thing.name in categories]
    if len(places) < len(image.things):
        account.left_out["category not in the vocabulary"] += len(image.things) - len(places)
        account.first.setdefault("category not in the vocabulary", image.file)
    new = {old: number for number, old in enumerate(places)}
    relations = []
    for one in image.relations:
        if one.predicate not in predicates:
            account.skip("predicate not in the vocabulary", f"{image.file}: {one.predicate}")
        elif one.subject in new and one.object in new:
            relations.append(replace(one, subject=new[one.subject], object=new[one.object]))
    return replace(image, things=tuple(image.things[old] for old in places), relations=tuple(relations))


def _split(annotation: Annotation, options: Options) -> Annotation:
    """With each image in a split; those in no list leave."""
    images = [
        replace(one, split=one.split or options.rule.of(one.key, one.file)) for one in annotation.images
    ]
    return replace(annotation, images=[image for image in images if image.split is not None])


def _write_referring(folder: Path, annotation: Annotation, options: Options, account: Account) -> None:
    images = None if options.images is None else (options.images, "images")
    if images is not None:
        check_link(folder, *images)
    rule = options.rule
    if any(image.split == "validation" for image in annotation.images):
        rule = replace(rule, names=("train", "validation", "test"))

    def pictures() -> Iterator[Picture]:
        for image in annotation.images:
            entities = [Entity(thing.name, thing.box) for thing in image.things]
            found = [(entities[r.subject], r.predicate, entities[r.object]) for r in image.relations]
            yield Picture(image.key, image.file, image.width, image.height, found, image.split)

    write_dataset(
        *(folder, pictures(), annotation.categories, annotation.predicates, rule, account),
        images=images,
        force=options.force,
        allow_unknown=options.allow_unknown,
    )


def _link_each(folder: Path, annotation: Annotation, images: Path, account: Account) -> None:
    """A link to each image under the name that VG150 has for it."""
    place = folder / "images"
    try:
        place.mkdir(exist_ok=True)
        for image, entry in zip(annotation.images, vg150.entries(annotation.images)):
            source = images / image.file
            if leads_out(image.file) or not source.is_file():
                account.skip("image missing", image.file)
                continue
            link = place / f"{entry['image_id']}.jpg"
            if link.is_symlink():
                link.unlink()
            os.symlink(source.resolve(), link)
    except OSError as error:
        raise UserError(f"{place}: cannot link the images ({error.strerror or error})") from error
