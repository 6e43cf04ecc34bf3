"""The files of a split, checked to the end: the loader stops at the first fault, this continues.

What is a fault, and which records are left out, `datasets.formats.relationships` decides, as for the loader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.apps.checks.findings import LEFT_OUT, NOTE, UNUSABLE, Findings
from dsg.apps.checks.salvage import numbered_vocabulary, readable_annotations
from dsg.datasets.catalogue import LEADS_OUT, Entry, ImageFolders, leads_out
from dsg.datasets.formats.referring import (
    ANNOTATIONS,
    annotation_file,
    metadata_file,
    read_metadata,
    read_names,
    read_sizes,
    size_text,
    unused_files,
)
from dsg.datasets.formats.relationships import json_kind, sound_relationships
from dsg.datasets.picture_size import PictureSizes
from dsg.datasets.records import Vocabulary
from dsg.errors import UserError

Relationships = dict[str, list[Any]]
Size = tuple[int, int]


def check_vocabulary(
    folder: Path, entry: Entry | None, splits: Sequence[str], findings: Findings
) -> tuple[Vocabulary, bool]:
    """The names of categories and predicates, and whether both lists can be read.

    Args:
        splits: of the files; a list that cannot be read gets numbers for names, as many as these use.
    """
    numbers = (entry.objects, entry.predicates) if entry else (None, None)
    lists: list[tuple[str, ...] | None] = []
    for file, expected in zip(("objects.json", "predicates.json"), numbers):
        try:
            names = read_names(folder / file)
        except UserError as error:
            findings.add(UNUSABLE, "a vocabulary cannot be used", file, detail=_short(error))
            lists.append(None)
            continue
        if expected is not None and len(names) != expected:
            detail = f"{len(names)} names, but this data set has {expected}"
            findings.add(UNUSABLE, "another vocabulary", file, detail=detail)
        _check_names(file, names, findings)
        lists.append(names)
    objects, predicates = lists
    if objects is not None and predicates is not None:
        return Vocabulary(objects, predicates), True
    numbered = numbered_vocabulary(folder, splits)
    return Vocabulary(objects or numbered.objects, predicates or numbered.predicates), False


def check_split(
    folder: Path, entry: Entry | None, split: str, vocabulary: Vocabulary, findings: Findings
) -> frozenset[str]:
    """Looks through annotations and sizes of a split, as far as they can be read.

    Returns:
        The names of its images, as far as they can be read.
    """
    annotations, metadata = annotation_file(folder, split), metadata_file(folder, split)
    relationships, whole = _read_relationships(folder, split, findings)
    sizes: dict[str, Size | None] = {}
    pictures = PictureSizes(ImageFolders(folder, entry, split).path)
    for path in unused_files(folder, split):
        findings.add(NOTE, "a file that is not used", path.name, detail=f"{annotations.name} also exists")
    if annotations.name != ANNOTATIONS.format(split):
        findings.add(NOTE, "split under another name", annotations.name, detail=f"used for {split}")
    try:
        sizes = read_sizes(folder, split, pictures)
    except UserError as error:
        findings.add(UNUSABLE, "a file cannot be used", metadata.name, detail=_short(error))
    else:
        _check_sizes(
            read_metadata(folder, split),
            relationships,
            sizes,
            annotations.name,
            metadata.name,
            findings,
            whole,
        )
    if pictures.read:
        findings.add(NOTE, "sizes read from the images", metadata.name, detail=f"{pictures.read:,} of them")
    for image, found in relationships.items():
        if leads_out(image):
            findings.add(LEFT_OUT, LEADS_OUT, annotations.name, image)
        _check_image(annotations.name, image, sizes.get(image), found, vocabulary, findings)
    return frozenset(relationships)


def _read_relationships(folder: Path, split: str, findings: Findings) -> tuple[Relationships, bool]:
    """Relationships by image, and whether the file can be read to its end."""
    path = annotation_file(folder, split)
    content, error = readable_annotations(folder, split)
    if error is not None:
        findings.add(UNUSABLE, "a file cannot be used", path.name, detail=_short(error))
    for image, found in content.items():
        if not isinstance(found, list):
            detail = f"a JSON {json_kind(found)}, not a list of relationships"
            findings.add(UNUSABLE, "relationships in a wrong format", path.name, image, detail=detail)
    return {image: found for image, found in content.items() if isinstance(found, list)}, error is None


def _check_sizes(
    entries: Mapping[str, Any],
    relationships: Relationships,
    sizes: Mapping[str, Size | None],
    annotations: str,
    metadata: str,
    findings: Findings,
    whole: bool,
) -> None:
    for image in relationships:
        if image not in sizes:
            findings.add(LEFT_OUT, "image without a size", annotations, image, detail=f"not in {metadata}")
        elif sizes[image] is None:
            detail = f"{size_text(entries.get(image))}; must be positive whole numbers"
            findings.add(LEFT_OUT, "image without a valid size", metadata, image, detail=detail)
    for image in sizes:
        if whole and image not in relationships:
            findings.add(
                NOTE, "size of an image without annotations", metadata, image, detail=f"not in {annotations}"
            )


def _check_image(
    file: str, image: str, size: Size | None, found: list[Any], vocabulary: Vocabulary, findings: Findings
) -> None:
    if not found:
        findings.add(NOTE, "image without relationships", file, image)
        return

    def report(reason: str, position: int, detail: str) -> None:
        findings.add(LEFT_OUT, reason, file, image, f"relationship {position}", detail)

    try:
        _, mentions = sound_relationships(image, size, found, vocabulary, report, file)
    except UserError:  # one of them, or several, are not of the format: each by itself
        for position, relationship in enumerate(found):
            _check_one(file, image, position, size, relationship, vocabulary, findings)
        return
    _note_oddities(file, image, size, found, findings)
    if mentions and all(mentions[i] == mentions[i + 1] for i in range(0, len(mentions), 2)):
        findings.add(NOTE, "image without queries", file, image, detail="only self-relations")


def _check_one(
    file: str,
    image: str,
    position: int,
    size: Size | None,
    relationship: Any,
    vocabulary: Vocabulary,
    findings: Findings,
) -> None:
    record = f"relationship {position}"

    def report(reason: str, _: int, detail: str) -> None:
        findings.add(LEFT_OUT, reason, file, image, record, detail)

    try:
        sound_relationships(image, size, [relationship], vocabulary, report, file)
    except UserError as error:
        detail = str(error).partition("relationship 0: ")[2].rpartition("; ")[0]
        findings.add(UNUSABLE, "relationship in a wrong format", file, image, record, detail or str(error))


def _note_oddities(file: str, image: str, size: Size | None, found: list[Any], findings: Findings) -> None:
    """What is used as it is, but may be a mistake."""
    seen: set[str] = set()
    boxes: set[tuple[int, ...]] = set()
    for position, relationship in enumerate(found):
        record = f"relationship {position}"
        key = repr(relationship)
        if key in seen:
            findings.add(NOTE, "relationship listed twice", file, image, record)
            continue
        seen.add(key)
        subject, other = relationship["subject"], relationship["object"]
        if subject == other:
            findings.add(NOTE, "self-relation", file, image, record, "asks nothing")
        for entity in (subject, other):
            y1, y2, x1, x2 = entity["bbox"]
            box = (entity["category"], y1, y2, x1, x2)
            if box in boxes:
                continue
            boxes.add(box)
            if int(x1) == int(x2) or int(y1) == int(y2):
                detail = f"[ymin, ymax, xmin, xmax] = {entity['bbox']}; it grows by one pixel"
                findings.add(NOTE, "box without width or height", file, image, record, detail)
            if size is not None and _leaves(size, y1, y2, x1, x2):
                detail = f"[ymin, ymax, xmin, xmax] = {entity['bbox']}, image {size[0]} x {size[1]}"
                findings.add(NOTE, "box partly outside the image", file, image, record, detail)


def _leaves(size: Size, y1: float, y2: float, x1: float, x2: float) -> bool:
    """Partly outside; what is wholly outside is reported elsewhere."""
    partly = x1 < 0 or y1 < 0 or x2 > size[0] or y2 > size[1]
    return partly and x1 < size[0] and y1 < size[1] and x2 > 0 and y2 > 0


def _check_names(file: str, names: tuple[str, ...], findings: Findings) -> None:
    plain: dict[str, str] = {}
    for name in names:
        if name != " ".join(name.split()) or not name:
            findings.add(NOTE, "name with odd spaces", file, detail=repr(name))
        key = " ".join(name.lower().replace("_", " ").split())
        if key in plain:
            findings.add(NOTE, "names that look alike", file, detail=f"{plain[key]!r} and {name!r}")
        plain.setdefault(key, name)


def _short(error: UserError) -> str:
    """The message without the path that it begins with."""
    return str(error).partition(": ")[2] or str(error)
