"""Commands that write data: the generator, a conversion, a fetch from a slow server, a kept cache."""

from __future__ import annotations

import io
import json
import random
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from crash.process import View
from crash.subject import Content, Subject, at, at_random, files_below, while_there

PIECE, PAUSE = 1 << 16, 0.02  # bytes, and seconds between two pieces: some 3 MB a second
LARGE = 8_500_000  # bytes of annotations from which a cache is kept
ADDRESS = "address.txt"


def _any(view: View) -> bool:
    return bool(view.names())


def _unfinished(view: View, place: str = ".") -> list[str]:
    """The names in a folder of the generator's unfinished one."""
    made = [name for name in view.names() if name.startswith(".shapes")]
    return [file for name in made for file in view.names(f"{name}/{place}")]


GENERATOR = Subject(
    "generator",
    lambda inputs, work: None,
    lambda inputs, folder: (
        *("shapes", str(folder / "shapes"), "--train", "60", "--test", "20", "--size", "96", "64"),
        *("--workers", "2"),
    ),
    (
        at("writing pictures", lambda view: bool(_unfinished(view, "CLEVR_v1.0/images/train"))),
        at("pictures are there", lambda view: "annotations_train.json" in _unfinished(view)),
        at_random(_any),
    ),
    files_below,
)


def _coco(inputs: Path, work: Path) -> None:
    """A file of boxes whose relations take a while to compute, and a folder of images, which is linked."""
    rng = random.Random(0)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image in range(1, 301):
        images.append({"id": image, "file_name": f"{image}.jpg", "width": 640, "height": 480})
        for _ in range(8):
            box = [rng.randint(0, 500), rng.randint(0, 380), rng.randint(10, 140), rng.randint(10, 100)]
            annotation = {"id": len(annotations) + 1, "image_id": image, "category_id": rng.randint(1, 5)}
            annotations.append({**annotation, "bbox": box})
    categories = [{"id": number, "name": f"thing {number}"} for number in range(1, 6)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (inputs / "boxes.json").write_text(json.dumps(content), encoding="utf-8")
    (inputs / "pictures").mkdir()


CONVERSION = Subject(
    "conversion",
    _coco,
    lambda inputs, folder: (
        *("convert", "coco", str(inputs / "boxes.json"), "spatial", str(folder / "own")),
        *("--images", str(inputs / "pictures")),
    ),
    (
        while_there("writing annotations", r"annotations_train\.json", "own/.unfinished"),
        at(
            "moving files to their place",
            lambda view: len(view.names("own")) > 1 and ".unfinished" in view.names("own"),
        ),
        at_random(_any),
    ),
    files_below,
)


class _Slow(BaseHTTPRequestHandler):
    """Serves one archive, slowly, from any byte on."""

    protocol_version = "HTTP/1.1"
    content = b""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:  # noqa: N802 (the base class's name)
        self.close_connection = True
        asked = self.headers.get("Range", "bytes=0-")
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        self.send_header("Content-Length", str(len(self.content) - start))
        self.send_header("ETag", '"the same"')
        self.end_headers()
        try:
            for place in range(start, len(self.content), PIECE):
                self.wfile.write(self.content[place : place + PIECE])
                time.sleep(PAUSE)
        except OSError:  # who asked was killed
            pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Nobody waits for an answer of which the end cannot be sent."""


def _archive() -> bytes:
    """What VRD's archive holds, by name; and some more files to unpack."""
    from dsg.apps.fetch.catalogue import catalogue

    rng, file = random.Random(0), io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in catalogue()["vrd"]["annotations"].there:
            archive.writestr(f"VRD/{name}", "{}")
        for number in range(60):
            archive.writestr(f"VRD/more/{number}.bin", rng.randbytes(60_000))
    return file.getvalue()


def _serve(inputs: Path, work: Path) -> None:
    """Serve the archive as long as this program runs."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Slow,), {"content": _archive()}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (inputs / ADDRESS).write_text(f"http://127.0.0.1:{server.server_address[1]}", encoding="utf-8")


FETCH = Subject(
    "fetch",
    _serve,
    lambda inputs, folder: (
        *("fetch", "vrd", "--only", "annotations", "--data", str(folder)),
        *("--from", (inputs / ADDRESS).read_text(encoding="utf-8")),
    ),
    (
        while_there("while the archive arrives", r"vrd\.zip\.part", ".fetch/vrd"),
        while_there("unpacking", r".*\.bin", "VRD/more"),
        at_random(_any),
    ),
    files_below,
)


def _annotations(inputs: Path, work: Path) -> None:
    """A data set so large that what is read of it is kept."""
    rng, folder = random.Random(0), inputs / "large"
    folder.mkdir()
    for split, size in (("train", LARGE), ("test", 1)):
        content: dict[str, list[object]] = {}
        told = 0
        while told < size:
            found: list[object] = [_relation(rng) for _ in range(20)]
            content[f"{split}_{len(content)}.jpg"] = found
            told += 20 * 100
        text = json.dumps(content)
        (folder / f"annotations_{split}.json").write_text(text, encoding="utf-8")
        sizes = {name: {"width": 640, "height": 480} for name in content}
        (folder / f"{split}_image_metadata.json").write_text(json.dumps(sizes), encoding="utf-8")
    (folder / "objects.json").write_text(json.dumps([f"thing {n}" for n in range(9)]), encoding="utf-8")
    (folder / "predicates.json").write_text(json.dumps(["on", "under", "near"]), encoding="utf-8")


def _relation(rng: random.Random) -> dict[str, object]:
    """A relationship of some hundred letters."""
    first, second = (
        {
            "category": rng.randrange(9),
            "bbox": [y := rng.randint(0, 300), y + 99, x := rng.randint(0, 500), x + 99],
        }
        for _ in range(2)
    )
    return {"predicate": rng.randrange(3), "subject": first, "object": second}


def _cached(folder: Path) -> Content:
    """The report, and the cache; what was half written of that is removed by later ones after an hour."""
    return files_below(folder, but=r"cache/\..*\.tmp|.*\.png")


CACHE = Subject(
    "cache",
    _annotations,
    lambda inputs, folder: (*("check", str(inputs / "large"), "--no-images", "--output", str(folder)),),
    (
        while_there("writing the cache", r"\..*\.tmp", "cache"),
        at("the cache is there", lambda view: any(not one.startswith(".") for one in view.names("cache"))),
        at_random(lambda view: view.seconds > 0.5),
    ),
    _cached,
    environment=lambda folder: {"DSG_CACHE": str(folder / "cache")},
)
DATA = (GENERATOR, CONVERSION, FETCH, CACHE)
