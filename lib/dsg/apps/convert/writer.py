"""Writes pictures as a data set, one after the other, so that nothing large is held in memory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from dsg.apps.convert.records import Account, Entity, Picture, clipped
from dsg.apps.convert.splits import SplitRule
from dsg.datasets.formats.referring import ANNOTATIONS, METADATA, annotation_file, metadata_file
from dsg.errors import UserError

UNFINISHED = ".unfinished"


def write_dataset(
    folder: Path,
    pictures: Iterable[Picture],
    categories: Sequence[str],
    predicates: Sequence[str],
    rule: SplitRule,
    account: Account,
    *,
    images: tuple[Path, str] | None = None,
    force: bool = False,
    allow_unknown: bool = False,
) -> None:
    """Writes the files of a data set; they appear together, when all of them are complete.

    Boxes are cut at the image's border, names that are not in the vocabulary leave with their relationships,
    and images without any relationship are left out. Two images or more that a share splits give at least one
    for training and one for testing. After an error nothing is there that was not there before.

    Args:
        account: is filled.
        images: where the images lie, and the name of the link to that folder, see `check_link`.
        force: replace the files of an earlier conversion.
        allow_unknown: lists may name images that do not exist.

    Raises:
        UserError: boxes cannot be meant as they stand, a list names images that there are not, the folder
            holds a data set already, nothing was left to write, or it cannot be written.
    """
    if annotation_file(folder, "train").is_file() and not force:
        raise UserError(
            f"{folder}: already contains a data set; give another folder, or replace it with --force"
        )
    unfinished = folder / UNFINISHED
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    complete = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        known = _write_all(unfinished, pictures, categories, predicates, rule, account)
        account.check_boxes()
        for text in filter(None, (listed.unknown(known) for listed in rule.lists)):
            if not allow_unknown:
                raise UserError(f"{text}; correct the list, or give --allow-unknown")
            account.notes.append(text)
        for split in rule.names:
            if not account.images[split]:
                raise UserError(f"{folder}: no image for {split}; {_why(account)}")
        if force:
            for pattern in (ANNOTATIONS, METADATA):
                (folder / pattern.format("validation")).unlink(missing_ok=True)
        if images is not None and not (folder / images[1]).exists():
            _link_images(unfinished, *images)
        # The annotations to learn from say that all is there.
        for path in sorted(
            unfinished.iterdir(), key=lambda path: path == annotation_file(unfinished, "train")
        ):
            os.replace(path, folder / path.name)
        complete = True
    except OSError as error:
        raise UserError(f"{folder}: cannot write the data set ({error.strerror or error})") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        for path in () if complete else made:
            with contextlib.suppress(OSError):
                path.rmdir()


def check_link(folder: Path, images: Path, name: str) -> None:
    """Sees, before long work, that `name` in the data set's folder can be a link to where the images lie.

    Raises:
        UserError: there are no images, or something else has that name.
    """
    if not images.is_dir():
        raise UserError(f"{images}: no such folder of images")
    link = folder / name
    if (link.is_symlink() or link.exists()) and link.resolve() != images.resolve():
        raise UserError(f"{link}: already exists; remove it, or leave out --images")


def _link_images(folder: Path, images: Path, name: str) -> None:
    """Makes the link.

    Raises:
        UserError: it cannot be made.
    """
    link = folder / name
    try:
        link.symlink_to(images.resolve(), target_is_directory=True)
    except OSError as error:
        raise UserError(
            f"{link}: cannot be created ({error.strerror or error}); copy the images there"
        ) from error


def _write_all(
    folder: Path,
    pictures: Iterable[Picture],
    categories: Sequence[str],
    predicates: Sequence[str],
    rule: SplitRule,
    account: Account,
) -> set[str]:
    """Writes the files to a folder.

    Returns:
        Ids and file names of all images, if there are lists of some.
    """
    numbers = {name: index for index, name in enumerate(categories)}
    relations = {name: index for index, name in enumerate(predicates)}
    (folder / "objects.json").write_text(json.dumps(list(categories)), encoding="utf-8")
    (folder / "predicates.json").write_text(json.dumps(list(predicates)), encoding="utf-8")
    annotations = {split: _JsonObject(annotation_file(folder, split)) for split in rule.names}
    sizes = {split: _JsonObject(metadata_file(folder, split)) for split in rule.names}
    known: set[str] = set()
    seen: dict[tuple[str, str], str] = {}  # split and file -> key; a file's name may be in both
    try:
        for picture in pictures:
            known.update((picture.key, picture.file) if rule.lists else ())
            split = picture.split or rule.of(picture.key, picture.file)
            if split is None:
                account.skip("image in no split", picture.file)
                continue
            if (split, picture.file) in seen:
                account.skip("image listed twice", picture.file)
                continue
            seen[split, picture.file] = picture.key
            found = _relationships(picture, numbers, relations, account)
            if not found:
                account.skip("image without a relationship", picture.file)
                continue
            annotations[split].add(picture.file, found)
            sizes[split].add(picture.file, {"width": picture.width, "height": picture.height})
            account.images[split] += 1
            account.relationships[split] += len(found)
    finally:
        for file in (*annotations.values(), *sizes.values()):
            file.close()
    if rule.draws:
        _fill_up(folder, rule, {file: key for (_, file), key in seen.items()}, account)
    return known


def _fill_up(folder: Path, rule: SplitRule, keys: Mapping[str, str], account: Account) -> None:
    """Of few images a share may leave none for testing, or none for training: the next in the order of the
    draw moves there.

    Args:
        keys: of the images, by file name.
    """
    for empty, full, next_of in (("test", "train", min), ("train", "test", max)):
        if account.images[empty] or account.images[full] < 2:
            continue
        annotations = json.loads(annotation_file(folder, full).read_text(encoding="utf-8"))
        file = next_of(annotations, key=lambda name: rule.place(keys[name]))
        for path in (annotation_file, metadata_file):
            content = json.loads(path(folder, full).read_text(encoding="utf-8"))
            _write_object(path(folder, empty), {file: content.pop(file)})
            _write_object(path(folder, full), content)
        for counts, number in ((account.images, 1), (account.relationships, len(annotations[file]))):
            counts[full] -= number
            counts[empty] += number


def _relationships(
    picture: Picture, numbers: dict[str, int], relations: dict[str, int], account: Account
) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = []
    known: set[str] = set()
    entities = {entity for subject, _, other in picture.relationships for entity in (subject, other)}
    boxes = np.array([entity.box for entity in entities], np.float64).reshape(-1, 4)
    account.boxes.add(boxes, np.array([picture.width, picture.height]), picture.file)
    for subject, predicate, other in picture.relationships:
        place = f"{picture.file}: {subject.name} - {predicate} - {other.name}"
        first, second = (_mention(entity, picture, numbers) for entity in (subject, other))
        if predicate not in relations:
            account.skip("predicate not in the vocabulary", place)
        elif subject.name not in numbers or other.name not in numbers:
            account.skip("category not in the vocabulary", place)
        elif first is None or second is None:
            account.skip("box outside the image, or without area", place)
        elif first == second:
            account.skip("self-relation", place)
        else:
            entry = {"predicate": relations[predicate], "subject": first, "object": second}
            key = repr(entry)
            if key in known:
                account.skip("relationship listed twice", place)
            else:
                known.add(key)
                result.append(entry)
    return result


def _mention(entity: Entity, picture: Picture, numbers: dict[str, int]) -> dict[str, Any] | None:
    box = clipped(entity.box, picture.width, picture.height)
    if box is None or entity.name not in numbers:
        return None
    x1, y1, x2, y2 = (_short(side) for side in box)
    return {"category": numbers[entity.name], "bbox": [y1, y2, x1, x2]}


def _short(side: float) -> float:
    """Whole numbers without a point, others with two digits."""
    return int(side) if side == int(side) else round(side, 2)


def _why(account: Account) -> str:
    advice = "see --test-share, --test-ids and --train-ids"
    if not account.left_out:
        return advice
    reason, number = account.left_out.most_common(1)[0]
    return f"{advice}; left out most often, {reason}: {number:,} (the first: {account.first[reason]})"


def _write_object(path: Path, content: Mapping[str, Any]) -> None:
    file = _JsonObject(path)
    for key, value in content.items():
        file.add(key, value)
    file.close()


class _JsonObject:
    """A JSON object that is written key by key."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = open(path, "w", encoding="utf-8")  # noqa: SIM115 (closed by `close`)
        self._separator = "{"

    def add(self, key: str, value: Any) -> None:
        self._file.write(f"{self._separator}{json.dumps(key)}: {json.dumps(value)}")
        self._separator = ",\n"

    def close(self) -> None:
        self._file.write("{}\n" if self._separator == "{" else "}\n")
        self._file.close()
