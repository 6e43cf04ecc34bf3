"""`fetch`: everything that a name of the catalogue stands for, to where the loaders look for it."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from dsg.apps.fetch.catalogue import Catalogue, Part, catalogue
from dsg.apps.fetch.content import problem
from dsg.apps.fetch.download import download
from dsg.apps.fetch.http import local_path
from dsg.apps.fetch.presence import present, write_receipt
from dsg.apps.fetch.space import demand, most_at_once
from dsg.apps.fetch.tools import Tools, explained, need_space
from dsg.apps.fetch.unpack import Damaged, Unsupported, unpack
from dsg.datasets.catalogue import CATALOGUE, holds_annotations
from dsg.errors import UserError
from dsg.runtime.files import replacing
from dsg.runtime.limits import Limits
from dsg.runtime.locks import locked

LOG = logging.getLogger("dsg")
OTHERS = ("coco", "vg150")  # folders whose case is free, as those of the catalogue
WORK = ".fetch"  # below the data folder: what is on its way, and receipts
PICKED = "weights"  # of its parts nobody needs all


def fetch(
    name: str,
    data_dir: Path = Path("data"),
    *,
    source: str = "",
    only: Sequence[str] = (),
    keep: bool = False,
    thorough: bool = False,
    tools: Tools | None = None,
    listed: Catalogue | None = None,
    limits: Limits | None = None,
) -> None:
    """Downloads, verifies and unpacks what is not there yet.

    Args:
        name: visualgenome, vrd, clevr, vg150, glove, imagenet_weights, dsg_pretrained or weights.
        data_dir: the data folder, or the data set's own folder.
        source: a folder that has the files, or an address below which they lie, instead of the mirrors.
        only: parts, such as annotations; all where empty, but `weights` needs at least one.
        keep: keep archives that were downloaded.
        thorough: compare existing files by checksum, not only by size.
        tools, listed, limits: replaced in tests.

    Raises:
        UserError: a part cannot be had; those before it are in place.
    """
    tools, listed = tools or Tools(), listed or catalogue()
    name, parts = _chosen(name, only, listed)
    work = data_dir / WORK / name
    with explained(data_dir):
        work.mkdir(parents=True, exist_ok=True)
    try:
        with _alone(work):
            missing: dict[str, Part] = {}
            for key, part in parts.items():
                found = present(part, _target(part, data_dir), work / f"{key}.txt", thorough)
                if found:
                    LOG.info("%s %s: already there (%s)", name, key, found)
                else:
                    missing[key] = part
            _need_space_for(name, list(missing.values()), data_dir, source, keep, tools)
            for key, part in missing.items():
                target = _target(part, data_dir)
                receipt = work / f"{key}.txt"
                archive, ours = _obtain(name, part, target, work, source, tools)
                if part.is_archive:
                    _unpack(archive, ours and not keep, part, target, receipt, tools, limits)
                LOG.info("%s %s: in %s", name, key, target)
    except KeyboardInterrupt:
        LOG.info("stopped; the same command resumes from here")
        raise


def _chosen(name: str, only: Sequence[str], listed: Catalogue) -> tuple[str, dict[str, Part]]:
    """The name as the catalogue spells it, and the parts that are wanted."""
    plain = name.lower().replace("-", "_")
    known = plain if plain in listed else plain.replace("_", "")
    if known not in listed:
        if known in ("shapes", "shapes150"):
            graphs = " --graphs" if known == "shapes150" else ""
            raise UserError(f"{known} is generated, not fetched: dsg shapes{graphs}")
        raise UserError(f"unknown name {name!r}: one of {', '.join(listed)}")
    parts = listed[known]
    if known == PICKED and not only:
        raise UserError(f"{known}: which? dsg fetch {known} NAME, with NAME one of {', '.join(parts)}")
    for key in only:
        if key not in parts:
            raise UserError(f"{known} has no part {key!r}: its parts are {', '.join(parts)}")
    return known, {key: part for key, part in parts.items() if not only or key in only}


def _target(part: Part, data_dir: Path) -> Path:
    """The folder of a part; a data set's folder is found whatever its case, or is `data_dir` itself."""
    first, _, rest = part.into.partition("/")
    if first in (*OTHERS, *(entry.folder for entry in CATALOGUE.values())):
        if first not in OTHERS and holds_annotations(data_dir):
            return data_dir / rest
        if not (data_dir / first).is_dir() and data_dir.is_dir():
            same = [path for path in sorted(data_dir.iterdir()) if path.name.lower() == first.lower()]
            first = next((path.name for path in same if path.is_dir()), first)
    return data_dir / first / rest


def _need_space_for(
    name: str, parts: Sequence[Part], data_dir: Path, source: str, keep: bool, tools: Tools
) -> None:
    """Stops before the first download where the disk does not hold all that is missing.

    Raises:
        UserError: there is less free than that.
    """
    work = data_dir / WORK / name
    folder = local_path(source) if source else None
    demands = []
    for part in parts:
        target = _target(part, data_dir)
        given = _in_folder(name, part, folder) if folder is not None else None
        if given is not None or folder is None:  # a file that is not in the folder is missed later
            demands.append(demand(part, target, _place(part, target, work), keep=keep, given=given))
    files = ", ".join(part.file for part in parts)
    unpacked = ", unpacked," if any(part.is_archive for part in parts) else ""
    need_space(tools, work, most_at_once(demands), f"{files}{unpacked}")


def _place(part: Part, target: Path, work: Path) -> Path:
    """Where the file of a part arrives."""
    return work / part.file if part.is_archive else target / part.file


def _obtain(name: str, part: Part, target: Path, work: Path, source: str, tools: Tools) -> tuple[Path, bool]:
    """The file, and whether it is ours to remove; one that is not unpacked is in its place afterwards."""
    place = _place(part, target, work)
    folder = local_path(source) if source else None
    if folder is not None:
        return _take(name, part, folder, place, tools)
    urls = _below(source, part) if source else part.urls
    if part.is_archive and place.is_file() and not problem(place, part):
        return place, True  # downloaded before, not unpacked
    with explained(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    download(part, urls, place, tools)
    return place, True


def _below(source: str, part: Part) -> tuple[str, ...]:
    if source.rstrip("/").endswith(part.file):
        return (source,)
    return (f"{source.rstrip('/')}/{part.file}",)


def _take(name: str, part: Part, folder: Path, place: Path, tools: Tools) -> tuple[Path, bool]:
    """The file out of a folder of the user's, who keeps it; an archive is unpacked from there."""
    if not folder.exists():
        raise UserError(f"--from {folder}: no such folder")
    found = _in_folder(name, part, folder)
    if found is None:
        if part.there and all(_lies_below(folder, pattern) for pattern in part.there):
            raise UserError(
                f"--from {folder}: has no {part.file}, but its unpacked contents: give the folder that "
                f"contains {part.into.partition('/')[0]} as --data DIR, or move it to the data folder"
            )
        raise UserError(f"--from {folder}: has no {part.file}")
    with explained(found):
        reason = problem(found, part)
    if reason:
        raise UserError(f"{found}: {reason}; fetch it again")
    if part.is_archive:
        return found, False
    with explained(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        need_space(tools, place.parent, found.stat().st_size, part.file)
        with replacing(place, alone=True) as temporary:
            shutil.copyfile(found, temporary)
    return place, False


def _in_folder(name: str, part: Part, folder: Path) -> Path | None:
    """The file of a part in a folder of the user's; `folder` may also be the file."""
    names = (part.file, f"{name}/{part.file}", f"{part.into}/{part.file}")
    places = [folder] if folder.is_file() and folder.name == part.file else [folder / item for item in names]
    return next((path for path in places if path.is_file()), None)


def _lies_below(folder: Path, pattern: str) -> bool:
    """Whether it is in a folder, or a little deeper; a home folder is not searched to its bottom."""
    return any(any(folder.glob(f"{depth}{pattern}")) for depth in ("", "*/", "*/*/"))


def _unpack(
    archive: Path,
    remove: bool,
    part: Part,
    target: Path,
    receipt: Path,
    tools: Tools,
    limits: Limits | None,
) -> None:
    write_receipt(receipt, [])
    try:
        files = unpack(archive, target, anchor=part.anchor, only=part.only, tools=tools, limits=limits)
    except Unsupported:
        receipt.unlink()  # what another program unpacks is to count
        raise
    except Damaged as error:
        again = "fetch it again"
        if archive.parent == receipt.parent:
            archive.unlink()
            again = "it was removed; the same command fetches it again"
        raise UserError(f"{archive}: damaged ({error}); {again}") from error
    write_receipt(receipt, files)
    if remove:
        archive.unlink()


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Two fetches of the same thing would write into each other's files.

    Raises:
        UserError: another one is at it.
    """
    held = f"{work}: another fetch of the same data is running; wait for it to finish"
    lock = locked(work / "lock", held, "do not fetch the same twice at once")
    with contextlib.ExitStack() as stack:
        with explained(work):
            stack.enter_context(lock)
        yield
