"""Readers of archives: what `dsg fetch` unpacks, and JSON in a zip."""

from __future__ import annotations

import io
import tarfile
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from dsg.apps.fetch.unpack import Damaged, unpack
from dsg.runtime.json_stream import WrongKindError, list_elements, object_members
from dsg.runtime.limits import Limits
from fuzz.mutations import TEXTS, Files, changed_bytes, json_bytes, zipped
from fuzz.reader import Reader, require

ENTRIES: Files = {"data/a.txt": b"a" * 300, "data/part/b.txt": b"b" * 40, "data/c.json": b"[1, 2]"}
KINDS = ("a.zip", "a.tar", "a.tar.gz")
TYPES = b"\0" + b"0123456789gxLKDNSVX"  # of members of a tar
PAX = ("path", "size", "GNU.sparse.map", "GNU.sparse.size", "hdrcharset", "mtime")
PAX_VALUES = ("-5", "9" * 30, "../x", "1,2,3", "1,x", "BINARY", "nan", "")
BOUND = Limits(members=50, allowed=2_000_000)


def _tar(entries: Files, mode: str, **changes: object) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in changes.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@st.composite
def _made(draw: st.DrawFn) -> Files:
    """An archive with an odd name, kind, link or mode."""
    kind = draw(st.sampled_from(KINDS))
    odd = draw(st.sampled_from([*TEXTS[:-1], "data", "data/a.txt/below", "data/../../x", "data/A.TXT"]))
    odd = odd.encode("utf-8", "replace").decode()[:5000] or "x"
    entries = {**ENTRIES, odd: draw(st.sampled_from((b"", b"x" * 2000)))}
    if kind == "a.zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, content in entries.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = draw(st.sampled_from((0, 0o100644, 0o120777, 0o040755, 0o060000))) << 16
                info.compress_type = draw(st.sampled_from((0, 8, 12, 14)))
                archive.writestr(info, content)
        return {kind: stream.getvalue()}
    changes: dict[str, Any] = {"type": bytes([draw(st.sampled_from(TYPES))])}
    if draw(st.booleans()):
        changes["linkname"] = draw(st.sampled_from(("/etc/passwd", "../../x", "data/a.txt", "")))
    if draw(st.booleans()):
        pax = {draw(st.sampled_from(PAX)): draw(st.sampled_from(PAX_VALUES))}
        changes["pax_headers"] = pax
    return {kind: _tar(entries, "w:gz" if kind.endswith("gz") else "w", **changes)}


def _called(name: str, content: bytes) -> Files:
    return {name: content}


def _cases(files: Files) -> st.SearchStrategy[Files]:
    kinds = {name: changed_bytes(files[name]).map(partial(_called, name)) for name in KINDS}
    json_zip = changed_bytes(files["d.zip"]).map(lambda content: {"d.zip": content})
    return st.one_of(_made(), _made(), *kinds.values(), _recounted(), json_zip)


@st.composite
def _recounted(draw: st.DrawFn) -> Files:
    """A tar whose headers are changed and have checksums that are right again."""
    data = bytearray(_tar(ENTRIES, "w"))
    at = 512 * draw(st.integers(0, 4))
    for _ in range(draw(st.integers(1, 5))):
        data[at + draw(st.integers(100, 511))] = draw(
            st.sampled_from((0, 32, 48, 49, 55, 57, 128, 255, *TYPES))
        )
    header = data[at : at + 512]
    header[148:156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\0 " % sum(header)
    return {"a.tar": bytes(data)}


def _files() -> Files:
    made = {"a.zip": zipped(ENTRIES), "a.tar": _tar(ENTRIES, "w"), "a.tar.gz": _tar(ENTRIES, "w:gz")}
    return {**made, "d.zip": zipped({"x.json": json_bytes([1, {"a": [2]}])}, zipfile.ZIP_DEFLATED)}


def _read(folder: Path) -> None:
    for name in KINDS:
        if not (folder / name).exists():  # nothing unpacks what was not fetched
            continue
        target = folder / f"out {name}"
        for unpacked in unpack(folder / name, target, anchor="data/", limits=BOUND):
            require((target / unpacked.name).resolve().is_relative_to(target.resolve()), "a file outside")
            require((target / unpacked.name).is_file(), "no file")
    list(list_elements(folder / "d.zip"))


def _read_stream(folder: Path) -> None:
    list(list_elements(folder / "list.json", chunk=64))
    list(object_members(folder / "object.json", chunk=64))


ARCHIVES = Reader("archives", _files, _cases, _read, 1.5, (Damaged,))


def _stream_files() -> Files:
    entries = [{"id": number, "name": "é" * number, "b": [1.5, None, True]} for number in range(12)]
    return {
        "list.json": json_bytes(entries),
        "object.json": json_bytes({f"{n}.jpg": e for n, e in enumerate(entries)}),
    }


def _stream_cases(files: Files) -> st.SearchStrategy[Files]:
    from fuzz.mutations import changed_json, one_changed

    return one_changed(files, {name: changed_json(content) for name, content in files.items()})


STREAMS = Reader("JSON as a stream", _stream_files, _stream_cases, _read_stream, 1.0, (WrongKindError,))
READERS = (ARCHIVES, STREAMS)
