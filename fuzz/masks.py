"""Readers of masks: polygons and run lengths, to pixels and to boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dsg.datasets.formats.exchange.outlines import outline_box
from dsg.datasets.formats.segmentations import check_segmentation, decode, encode, polygons_in_box
from fuzz.mutations import EDGES, FLOATS, Files, changed_value
from fuzz.reader import Reader, require

HEIGHT, WIDTH = 12, 10
POLYGON = [[1, 1, 8, 1, 8, 9, 1, 9], [2.5, 3.5, 4, 4, 2, 6]]
COUNTS = {"size": [HEIGHT, WIDTH], "counts": [13, 5, 7, 5, 90]}
LETTERS = "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmno\xe9\0p~/"


def _packed() -> dict[str, Any]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[2:7, 3:9] = True
    mask[5, 1] = True
    return encode(mask)


def _cases(_: Files) -> st.SearchStrategy[Files]:
    number = st.one_of(st.integers(-3, 30), st.sampled_from((*EDGES, *FLOATS)), st.floats(-30, 40))
    polygons = st.lists(st.lists(number, max_size=12), max_size=3)
    lengths = st.lists(st.one_of(st.integers(0, 60), st.sampled_from(EDGES)), max_size=8)
    size = st.sampled_from(
        ([HEIGHT, WIDTH], [float(HEIGHT), float(WIDTH)], [WIDTH, HEIGHT], [True, WIDTH], [HEIGHT])
    )

    def fitted(counts: list[int]) -> list[Any]:
        """The last one such that all together have as many as there are pixels."""
        rest = HEIGHT * WIDTH - sum(counts[:-1])
        return [*counts[:-1], rest]

    texts = st.text(LETTERS, max_size=12)
    letters = st.tuples(st.integers(0, 30), st.sampled_from(LETTERS)).map(_with_letter)
    runs = st.builds(
        lambda size, counts: {"size": size, "counts": counts}, size, lengths | lengths.map(fitted)
    )
    packed = st.builds(lambda size, counts: {"size": size, "counts": counts}, size, texts | letters)
    changed = st.sampled_from((POLYGON, COUNTS, _packed())).flatmap(changed_value)
    return st.one_of(polygons, runs, packed, packed, changed).map(
        lambda value: {"mask.json": json.dumps(value).encode()}
    )


def _with_letter(place: tuple[int, str]) -> str:
    text = str(_packed()["counts"])
    at = place[0] % len(text)
    return text[:at] + place[1] + text[at + 1 :]


def _read(folder: Path) -> None:
    value = json.loads((folder / "mask.json").read_bytes())
    box = outline_box(value)
    require(box is None or np.isfinite(box).all(), "a box that is not finite")
    check_segmentation(value, HEIGHT, WIDTH, "mask.json")
    pixels = decode(value, HEIGHT, WIDTH, "mask.json")
    require(pixels.shape == (HEIGHT, WIDTH) and pixels.dtype == bool, "pixels of another shape")
    if isinstance(value, list):
        small = polygons_in_box(value, np.array([1, 1, 8, 9], np.float32), 14)
        require(small.shape == (14, 14), "pixels of another shape")
    else:
        lengths = value["counts"]
        if isinstance(lengths, list):
            colour = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(WIDTH, HEIGHT).T
            require((pixels == colour).all(), "other pixels than the run lengths say")


MASKS = Reader("RLE and polygons", lambda: {"mask.json": json.dumps(POLYGON).encode()}, _cases, _read, 1.5)
READERS = (MASKS,)
