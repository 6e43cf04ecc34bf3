"""What `make demo` is shipped with: a few generated images that are in no training set, and a trained model.

`ship_images` writes a data set that has a test split only; `ship_snapshot` a small file of weights;
`ship_pictures` draws the README's.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import cv2

from dsg.apps.export.weights import share_weights
from dsg.datasets.shapes.pictures import make_picture
from dsg.datasets.shapes.scene import OBJECTS, PREDICATES
from dsg.pipeline.images import read_image
from dsg.runtime.files import write_text
from dsg.visualize.canvas import save_png

SEED = 20200301  # not that of any data set that one would train on
LARGEST_SNAPSHOT = 8_000_000  # bytes
PICTURE_WIDTH = 800  # of the README's


def ship_images(folder: Path, count: int = 6, size: tuple[int, int] = (384, 256), seed: int = SEED) -> None:
    """Write `count` pictures of the `shapes` kind with annotations, metadata and vocabulary into `folder`.

    Args:
        folder: the data set's folder; the images go to `images` in it.
        count: how many.
        size: width and height in pixels.
        seed: another seed, other pictures.
    """
    settings = {"seed": seed, "size": list(size), "objects": [4, 7]}
    (folder / "images").mkdir(parents=True, exist_ok=True)
    annotations, sizes = {}, {}
    for number in range(count):
        picture, relationships = make_picture("test", number, settings)
        name = f"demo_{number}.png"
        encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
        (folder / "images" / name).write_bytes(encoded.tobytes())
        annotations[name] = relationships
        sizes[name] = {"width": size[0], "height": size[1]}
    contents = {
        "annotations_test.json": annotations,
        "test_image_metadata.json": sizes,
        "objects.json": OBJECTS,
        "predicates.json": PREDICATES,
    }
    for name, content in contents.items():
        write_text(folder / name, json.dumps(content, separators=(",", ":")) + "\n")


def ship_snapshot(source: Path, target: Path, largest: int = LARGEST_SNAPSHOT) -> int:
    """Write the weights of a snapshot, rounded and packed (`share_weights`); the size in bytes.

    Raises:
        UserError: `source` is no snapshot; the result would have more than `largest` bytes (nothing is
            written then) or cannot be written.
    """
    return share_weights(source, target, "rounded", largest)


def ship_pictures(data: Path, snapshot: Path, folder: Path, scene: int = 0) -> list[Path]:
    """Write `answers.png` and `graph.png` of one of the shipped images into `folder`, small; the two paths.

    Raises:
        UserError: there is no such image.
    """
    from dsg.apps.demo.command import demo

    written = []
    with tempfile.TemporaryDirectory() as place:
        demo(data, snapshot, Path(place))
        for kind in ("answers", "graph"):
            picture = read_image(Path(place) / f"demo_{scene}_{kind}.png")
            scale = min(1.0, PICTURE_WIDTH / picture.shape[1])
            smaller = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            written.append(folder / f"{kind}.png")
            save_png(smaller[:, :, ::-1], written[-1])
    return written
