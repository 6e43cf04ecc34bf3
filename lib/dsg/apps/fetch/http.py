"""One try to get one file from one address, resuming where an earlier try stopped.

What has arrived lies in `<file>.part`, beside it `<file>.part.json` with the address it came from and the
server's name for that version of the file (ETag or date). A try resumes only with the same version, or
where a checksum will tell.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dsg.apps.fetch.catalogue import Part
from dsg.apps.fetch.tools import USER_AGENT, RefusedRedirect, Tools, explained, need_space
from dsg.errors import UserError
from dsg.runtime.foreign import foreign_content
from dsg.runtime.paths import expanded

WORTH_ANOTHER_TRY = (408, 425, 429, 500, 502, 503, 504)
LONGEST_WAIT = 60.0  # seconds, whatever a server asks for


class Transient(Exception):
    """This try failed, another may not; what has arrived is kept. `wait`: seconds the server asks for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Refused(Exception):
    """This address will not give the file."""


OnBytes = Callable[[int, int], None]  # bytes so far, bytes in all (0: not told)


def receive(url: str, part_file: Path, part: Part, tools: Tools, on_bytes: OnBytes) -> None:
    """Brings `part_file` to its end, as far as the server tells where that is.

    Raises:
        Transient: the connection failed or ended early.
        Refused: there is no such file, or it is another thing.
        UserError: no disk for it.
    """
    start, validator = _resumable(url, part_file, part)
    try:
        response = tools.opener.open(_request(url, start, validator), timeout=tools.timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and start:
                _judge_end(part_file, start, error.headers.get("Content-Range", ""))
                return
            raise _judge_status(error) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, RefusedRedirect):
            raise Refused(str(error.reason)) from error
        raise Transient(f"no connection ({error.reason})") from error
    except (http.client.InvalidURL, ValueError) as error:
        raise Refused(f"not a web address ({error})") from error
    except (OSError, http.client.HTTPException) as error:
        raise Transient(f"no connection ({error or type(error).__name__})") from error
    with response:
        if response.status != 206:
            start = 0  # the server sends all of it
        total = _total(response, part_file, start)
        if part.bytes and total and total != part.bytes:
            raise Refused(f"it offers {total:,} bytes, but {part.bytes:,} are expected")
        _refuse_page(response)
        need_space(tools, part_file.parent, max(total - start, 0), part.file)
        if not start:
            _empty(part_file)
        _remember(part_file, url, response)
        _store(response, part_file, start, total, tools, on_bytes)


def forget(part_file: Path) -> None:
    """Removes what has arrived, and the note about it."""
    for path in (part_file, _note(part_file)):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _empty(part_file: Path) -> None:
    """Removes what is left of an older version. The note goes first: whenever a run is killed, no note names
    another version than that of the bytes beside it."""
    with explained(part_file):
        with contextlib.suppress(FileNotFoundError):
            _note(part_file).unlink()
        open(part_file, "wb").close()


def _request(url: str, start: int, validator: str) -> urllib.request.Request:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    return urllib.request.Request(url, headers=headers)


def _resumable(url: str, part_file: Path, part: Part) -> tuple[int, str]:
    """The byte to resume from, and the version that the server must still have."""
    if not part_file.is_file():
        return 0, ""
    note: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        note = json.loads(_note(part_file).read_text(encoding="utf-8"))
    note = note if isinstance(note, dict) else {}
    if note.get("url") == url and note.get("validator"):
        return part_file.stat().st_size, str(note["validator"])
    return (part_file.stat().st_size, "") if part.digest else (0, "")


def _remember(part_file: Path, url: str, response: Any) -> None:
    etag = response.headers.get("ETag", "")
    # A weak ETag may name files of different bytes.
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    with explained(part_file):
        _note(part_file).write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _note(part_file: Path) -> Path:
    return part_file.with_name(part_file.name + ".json")


def _total(response: Any, part_file: Path, start: int) -> int:
    """The size of the whole file; 0 where it is not told."""
    length = response.headers.get("Content-Length", "")
    if response.status != 206:
        return int(length) if length.isdigit() else 0
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if match is None or int(match[1]) != start:
        forget(part_file)
        raise Transient("it sent another range than requested")
    return int(match[2]) if match[2] != "*" else 0


def _judge_end(part_file: Path, start: int, content_range: str) -> None:
    """The server has nothing from `start` on: that is right if the file ends there."""
    match = re.fullmatch(r"bytes \*/(\d+)", content_range.strip())
    if match is None or int(match[1]) != start:
        forget(part_file)
        raise Transient("the file has changed")


def _judge_status(error: urllib.error.HTTPError) -> Exception:
    reason = " ".join(f"HTTP {error.code} {error.reason}".split())
    if error.code in WORTH_ANOTHER_TRY:
        asked = error.headers.get("Retry-After", "") if error.headers else ""
        return Transient(reason, min(float(asked), LONGEST_WAIT) if asked.isdigit() else 0.0)
    return Refused(reason)


def _refuse_page(response: Any) -> None:
    kind = response.headers.get("Content-Type", "").lower()
    if kind.startswith(("text/html", "application/xhtml")):
        raise Refused("it answers with a web page, not with the file")


def _store(response: Any, part_file: Path, start: int, total: int, tools: Tools, on_bytes: OnBytes) -> None:
    done = start
    with contextlib.ExitStack() as stack:
        with explained(part_file):
            file = stack.enter_context(open(part_file, "r+b" if start else "wb"))
        file.seek(start)
        on_bytes(done, total)
        while chunk := _next_chunk(response, tools.chunk, done):
            reason = foreign_content(chunk) if done == 0 else ""
            if reason:
                forget(part_file)
                raise Refused(f"it is {reason}")
            with explained(part_file):
                file.write(chunk)
                file.flush()
            done += len(chunk)
            on_bytes(done, total)
    if total and done < total:
        raise Transient(f"cut off after {done:,} of {total:,} bytes")
    if total and done > total:
        forget(part_file)
        raise Transient(f"it sent {done:,} bytes, more than the {total:,} announced")


def _next_chunk(response: Any, size: int, done: int) -> bytes:
    try:
        return bytes(response.read(size))
    except http.client.IncompleteRead as error:
        return error.partial
    except (OSError, http.client.HTTPException) as error:
        raise Transient(f"cut off after {done:,} bytes ({error or type(error).__name__})") from error


def local_path(source: str) -> Path | None:
    """The folder or file that `--from` names; None if it is a web address.

    Raises:
        UserError: it is neither.
    """
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]+)://", source)
    if scheme is None:
        return expanded(source)
    if scheme[1].lower() == "file":
        return Path(urllib.request.url2pathname(source[len("file://") :]))
    if scheme[1].lower() in ("http", "https"):
        return None
    raise UserError(f"--from {source}: give a folder, or an address that begins with http:// or https://")
