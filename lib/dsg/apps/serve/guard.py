"""What stands before gradio: clients upload files, and send the server nowhere else.

gradio takes an address wherever a file may be named, among the words, too, and fetches what lies there, whole
and whatever its size; and `file=http://...` hands out what other servers have. Neither is needed here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LARGEST_CALL = 1_000_000  # bytes of a question, which names files and does not hold them


class Refusal(Exception):
    """Why a request is refused: an HTTP status, and a sentence for programmers."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class UploadsOnly:
    """ASGI middleware that answers by itself what names a file that was not uploaded.

    Args:
        app: what answers everything else.
        folder: where uploads lie.
    """

    def __init__(self, app: Any, folder: str) -> None:
        self.app, self.folder = app, os.path.abspath(folder)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or _is_upload(scope):
            await self.app(scope, receive, send)
            return
        try:
            if "://" in scope["path"]:
                raise Refusal(403, "This server fetches nothing.")
            body = await _read_body(receive)
            _check_call(body, self.folder)
        except Refusal as refusal:
            await _answer(send, refusal)
            return
        await self.app(scope, _once_more(body, receive), send)


def named_paths(call: Any) -> Iterator[str]:
    """Every path that a call names, however deep it lies: all that gradio might take for a file.

    Example:
        >>> sorted(named_paths({"data": [{"path": "a", "meta": {"path": "b"}}, [[{"path": "c"}]], "left"]}))
        ['a', 'b', 'c']
    """
    pending = [call]  # a list instead of recursion: a call may be nested as deep as JSON allows
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if isinstance(value.get("path"), str):
                yield value["path"]
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _is_upload(scope: Any) -> bool:
    """Whether a request brings files, which gradio limits, and nothing that it would read as a call."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return scope["path"].endswith("/upload") and kind.startswith(b"multipart/form-data")


async def _read_body(receive: Any) -> bytes:
    """A request's body, or what came of it before the client went away.

    Raises:
        Refusal: it is longer than `LARGEST_CALL`.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_CALL:
            raise Refusal(413, f"A call cannot be larger than {LARGEST_CALL} bytes.")
        more = message.get("more_body", False)
    return bytes(body)


def _check_call(body: bytes, folder: str) -> None:
    """Read a call as gradio will.

    Raises:
        Refusal: it is no JSON, or names a file outside of the folder.
    """
    try:
        call = json.loads(body) if body else None
    except (ValueError, RecursionError) as error:  # RecursionError: brackets without end
        raise Refusal(400, "A call must be JSON.") from error
    if not all(_lies_in(path, folder) for path in named_paths(call)):
        raise Refusal(403, "Only uploaded files are accepted: upload it first.")


def _lies_in(path: str, folder: str) -> bool:
    """Whether a path is one of the folder's; an address is none, whatever `..` makes of it."""
    return os.path.isabs(path) and Path(os.path.abspath(path)).is_relative_to(folder)


async def _answer(send: Any, refusal: Refusal) -> None:
    body = json.dumps({"detail": refusal.reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _once_more(body: bytes, receive: Any) -> Any:
    """`receive` for what comes after us: the body that was read, then whatever the client still does."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Any:
        return next(messages, None) or await receive()

    return replay
