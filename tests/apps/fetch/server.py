"""A web server that behaves as badly as real ones: cuts connections, truncates, sends pages for files."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@dataclass
class Site:
    """Files by name; the first folder of an address says how they are served (`BEHAVIOURS`)."""

    files: dict[str, bytes]
    address: str = ""
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    lock: threading.Lock = field(default_factory=threading.Lock)
    halfway: threading.Event = field(default_factory=threading.Event)  # `stalled` has sent its half
    go_on: threading.Event = field(default_factory=threading.Event)  # lets `stalled` end

    def url(self, behaviour: str, name: str) -> str:
        return f"{self.address}/{behaviour}/{name}"

    def asked(self, behaviour: str) -> list[str | None]:
        """The ranges that were asked for, None where the whole file was."""
        return [wanted for path, wanted in self.requests if path.startswith(f"/{behaviour}/")]


class Handler(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:  # noqa: N802 (the base class's name)
        self.close_connection = True
        _, behaviour, name = self.path.split("/", 2)
        with self.site.lock:
            self.site.requests.append((self.path, self.headers.get("Range")))
            turn = len(self.site.asked(behaviour))
        content = self.site.files.get(name, b"")
        getattr(self, f"serve_{behaviour}")(name, content, turn)

    def serve_good(self, name: str, content: bytes, turn: int) -> None:
        self.ranged(content, etag=self.etag(content))

    def serve_dated(self, name: str, content: bytes, turn: int) -> None:
        """No ETag, a date."""
        self.ranged(content, date="Wed, 21 Oct 2015 07:28:00 GMT", cut=turn == 1)

    def serve_anonymous(self, name: str, content: bytes, turn: int) -> None:
        """Neither ETag nor date."""
        self.ranged(content, cut=turn == 1)

    def serve_cut(self, name: str, content: bytes, turn: int) -> None:
        """The first two answers break off half way through what is left."""
        self.ranged(content, etag=self.etag(content), cut=turn <= 2)

    def serve_dying(self, name: str, content: bytes, turn: int) -> None:
        """The first answer breaks off, and then nothing works."""
        if turn > 1:
            self.send_error(503)
        else:
            self.ranged(content, etag=self.etag(content), cut=True)

    def serve_changing(self, name: str, content: bytes, turn: int) -> None:
        """Breaks off once; afterwards the file is another version."""
        if turn == 1:
            self.ranged(bytes(len(content)), etag='"old"', cut=True)
        else:
            self.ranged(content, etag='"new"')

    def serve_stalled(self, name: str, content: bytes, turn: int) -> None:
        """The first answer stops half way and says nothing more."""
        if turn == 1:
            self.ranged(content, etag=self.etag(content), cut=True)
            self.wfile.flush()
            self.site.halfway.set()
            self.site.go_on.wait(60)
        else:
            self.ranged(content, etag=self.etag(content))

    def serve_norange(self, name: str, content: bytes, turn: int) -> None:
        """Ignores ranges; breaks off once."""
        self.whole(content, cut=turn == 1)

    def serve_mixed(self, name: str, content: bytes, turn: int) -> None:
        """Breaks off once; the rest, with the same ETag, belongs to another file. The whole is right then."""
        if turn <= 2:
            self.ranged(content if turn == 1 else bytes(len(content)), etag='"same"', cut=turn == 1)
        else:
            self.ranged(content, etag='"same"')

    def serve_truncated(self, name: str, content: bytes, turn: int) -> None:
        self.whole(content[: len(content) // 2])

    def serve_wrong(self, name: str, content: bytes, turn: int) -> None:
        self.whole(bytes([content[0]]) + bytes(len(content) - 1))

    def serve_page(self, name: str, content: bytes, turn: int) -> None:
        self.whole(PAGE, kind="text/html; charset=utf-8")

    def serve_hiddenpage(self, name: str, content: bytes, turn: int) -> None:
        self.whole(PAGE)

    def serve_pointer(self, name: str, content: bytes, turn: int) -> None:
        self.whole(POINTER, kind="text/plain")

    def serve_redirect(self, name: str, content: bytes, turn: int) -> None:
        self.moved(f"/good/{name}")

    def serve_loop(self, name: str, content: bytes, turn: int) -> None:
        self.moved(f"/loop/{name}?{turn}")

    def serve_outside(self, name: str, content: bytes, turn: int) -> None:
        self.moved("file:///etc/hostname")

    def serve_busy(self, name: str, content: bytes, turn: int) -> None:
        if turn <= 2:
            self.send_response(503)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.whole(content)

    def serve_missing(self, name: str, content: bytes, turn: int) -> None:
        self.send_error(404)

    def serve_unsized(self, name: str, content: bytes, turn: int) -> None:
        """Says nothing about the size."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    @staticmethod
    def etag(content: bytes) -> str:
        return f'"{hashlib.md5(content).hexdigest()}"'

    def ranged(self, content: bytes, etag: str = "", date: str = "", cut: bool = False) -> None:
        """Serves a range if the condition holds, else the whole."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if wanted and condition in (None, etag or date):
            start = int(wanted[1])
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.body(content[start:], etag, date, cut)
        else:
            self.send_response(200)
            self.body(content, etag, date, cut)

    def whole(self, content: bytes, kind: str = "application/octet-stream", cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.body(content, "", "", cut)

    def body(self, content: bytes, etag: str, date: str, cut: bool) -> None:
        if etag:
            self.send_header("ETag", etag)
        if date:
            self.send_header("Last-Modified", date)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)

    def moved(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def running(files: dict[str, bytes]) -> Iterator[Site]:
    """A site on a free port of this machine."""
    site = Site(files)
    handler = type("BoundHandler", (Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
