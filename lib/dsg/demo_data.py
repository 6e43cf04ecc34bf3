"""What `make demo` is shipped with: a few generated images that are in no training set, and a trained model.

`ship_images` writes a data set that has a test split only; `ship_snapshot` leaves out of a snapshot what
answering does not need, and what tells of the machine it was trained on, and makes the rest small;
`ship_pictures` draws the README's.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import zipfile
from pathlib import Path

import cv2
import numpy as np

from dsg.config import options
from dsg.datasets.shapes import make_picture
from dsg.datasets.shapes_scene import OBJECTS, PREDICATES
from dsg.engine.files import write_text
from dsg.engine.snapshots import load_snapshot, save_snapshot
from dsg.errors import UserError
from dsg.images import read_image
from dsg.visualize.canvas import save_png

SEED = 20200301  # not that of any data set that one would train on
LARGEST_SNAPSHOT = 8_000_000  # bytes
PICTURE_WIDTH = 800  # of the README's
KEPT_BITS = 12  # of the 23 that a float32 has behind its point: what is rounded to zeros packs well


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
    """Write the variables, options and vocabulary of a snapshot as a new one, packed; its size in bytes.

    Weights stay float32, rounded to a relative error of 1 in 8,192. Optimiser slots, history and the data
    folder stay behind.

    Raises:
        UserError: `source` is no snapshot; the result would have more than `largest` bytes (nothing is
            written then) or cannot be written.
    """
    snapshot = load_snapshot(source)
    known = options()
    config = {name: value for name, value in snapshot.meta.config.items() if name in known}
    config.update({name: known[name].default for name in ("DATA.DIR", "WEIGHTS")})
    meta = dataclasses.replace(
        snapshot.meta, config=config, epoch_step=0, epoch_state={}, history=[], images_per_step=0
    )
    variables = {name: rounded(value) for name, value in snapshot.variables.items()}
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        plain, packed = Path(place) / "plain.npz", Path(place) / "packed.npz"
        save_snapshot(plain, variables, {}, meta)
        with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as smaller:
            for name in archive.namelist():
                smaller.writestr(name, archive.read(name))
        size = packed.stat().st_size
        if size > largest:
            raise UserError(f"{source}: {size:,} bytes packed; at most {largest:,} are shipped")
        packed.replace(target)
    return size


def rounded(values: np.ndarray, bits: int = KEPT_BITS) -> np.ndarray:
    """Finite float32 values, rounded to `bits` binary digits behind the point of their mantissa.

    Example:
        >>> rounded(np.float32([1.0, 1.2, -3.3]), 2)
        array([ 1.  ,  1.25, -3.5 ], dtype=float32)
    """
    dropped = 23 - bits
    whole = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32(1 << (dropped - 1))
    return ((whole + half) & ~np.uint32((1 << dropped) - 1)).view(np.float32)


def ship_pictures(data: Path, snapshot: Path, folder: Path, scene: int = 0) -> list[Path]:
    """Write `answers.png` and `graph.png` of one of the shipped images into `folder`, small; the two paths.

    Raises:
        UserError: there is no such image.
    """
    from dsg.demo import demo

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
