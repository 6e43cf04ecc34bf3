"""What a client sends to `dsg serve`: calls, as the guard before gradio sees them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from dsg.apps.serve.guard import UploadsOnly, named_paths
from fuzz.mutations import TEXTS, Files, changed_bytes, changed_value
from fuzz.reader import Reader, require

UPLOADS = "/srv/uploads"  # nothing is written there: paths are only looked at
CALL = {
    "data": [{"path": f"{UPLOADS}/a.png", "meta": {"_type": "gradio.FileData"}}, "cat", "on", "mat"],
    "fn_index": 1,
}
PATHS = (
    "/gradio_api/call/ask",
    "/gradio_api/upload",
    "/file=http://127.0.0.1/",
    "/",
    "/gradio_api/file=/etc/passwd",
)


def _cases(_: Files) -> st.SearchStrategy[Files]:
    odd = st.sampled_from(
        (*TEXTS, f"{UPLOADS}/../../etc/passwd", f"{UPLOADS}", UPLOADS + "2/a", f"{UPLOADS}/\0")
    )
    named = odd.map(lambda path: {**CALL, "data": [{"path": path}, [[{"path": path}]]]})
    calls = st.one_of(changed_value(CALL), named).map(lambda call: json.dumps(call).encode())
    spelled = calls.flatmap(
        lambda text: st.sampled_from((text, text.decode().encode("utf-16"), text + b" " * 10**6))
    )
    bodies = st.one_of(calls, spelled, changed_bytes(json.dumps(CALL).encode()), st.just(b"[" * 200_000))
    kinds = st.sampled_from((b"application/json", b"multipart/form-data; boundary=a", b""))
    heads = st.tuples(st.sampled_from(PATHS), kinds, st.integers(1, 4)).map(
        lambda head: json.dumps([head[0], head[1].decode(), head[2]]).encode()
    )
    return st.builds(lambda body, head: {"body": body or b" ", "head.json": head}, bodies, heads)


def _read(folder: Path) -> None:
    path, kind, pieces = json.loads((folder / "head.json").read_bytes())
    body = (folder / "body").read_bytes()
    size = max(1, len(body) // pieces)
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False
    seen: list[bytes] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        seen.append(message["body"])

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"content-type", kind.encode())]}
    asyncio.run(UploadsOnly(app, UPLOADS)(scope, receive, send))
    require(bool(seen) != bool(sent), "neither an answer nor a call, or both")
    if sent:
        require(400 <= sent[0]["status"] < 500, "a status")
        return
    require("://" not in path, "an address was passed on")
    if not (path.endswith("/upload") and kind.startswith("multipart/form-data")):
        require(seen == [body], "another body was passed on")
        for name in named_paths(json.loads(body)):
            inside = (
                Path(name).is_absolute() and ".." not in Path(name).parts and name.startswith(f"{UPLOADS}/")
            )
            require(inside or name == UPLOADS, f"the path {name!r} was passed on")


GUARD = Reader("calls of the page", lambda: {"body": b"{}", "head.json": b'["/", "", 1]'}, _cases, _read, 0.7)
READERS = (GUARD,)
