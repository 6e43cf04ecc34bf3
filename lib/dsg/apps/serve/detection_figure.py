"""Detections as HTML: the image as SVG with masks, boxes and labels as layers, and the list of the objects.

As on the page for queries, layers are switched through CSS alone, and every text is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np

from dsg.apps.serve.svg import LARGEST_SIDE, block, largest_first, rect, svg, unit_of
from dsg.boxes.paste import placed_masks
from dsg.models.detector.objects import DetectedObjects
from dsg.visualize.canvas import Colour, ink, text_size
from dsg.visualize.detections import OPACITY, mask_outlines, numbered_colour
from dsg.visualize.label_places import Place, label_places

FONT, PADDING = 14, 4  # pixels of the screen, more or less
SMOOTH = 0.7  # pixels by which an outline may be off where it is made simpler

STYLE = """
.dsg #dsg-show-masks:not(:checked) ~ svg .masks { display: none; }
.dsg #dsg-show-boxes:not(:checked) ~ svg .boxes { display: none; }
.dsg #dsg-show-labels:not(:checked) ~ svg .labels { display: none; }
.dsg .masks path { fill-rule: evenodd; fill-opacity: OPACITY; stroke-width: 1.5px;
  vector-effect: non-scaling-stroke; pointer-events: none; }
.dsg .boxes rect { fill: transparent; stroke-width: 2.5px; vector-effect: non-scaling-stroke; }
.dsg .boxes g:hover rect, .dsg .boxes g:focus rect { fill: rgba(255, 255, 255, 0.25); stroke-width: 5px; }
.dsg .labels { pointer-events: none; }
.dsg table.objects td { padding: 0.1em 1em 0.1em 0; border: 0; font-variant-numeric: tabular-nums; }
.dsg table.objects .colour { display: inline-block; width: 0.9em; height: 0.9em; border-radius: 2px; }
""".replace("OPACITY", str(OPACITY))


def detection_figure(image: np.ndarray, objects: DetectedObjects) -> str:
    """The image with masks, boxes and labels, each a layer.

    Args:
        image: uint8 [H, W, 3], B, G, R.
        objects: of the image.
    """
    captions = [f"{name} {score:.2f}" for name, score in zip(objects.names, objects.scores)]
    colours = [numbered_colour(number) for number in objects.classes]
    layers = object_layers(image, objects.boxes, objects.names, colours, captions, objects.cells)
    return block(f"{switches(layers)}{svg(image, drawn(layers))}")


def object_layers(
    image: np.ndarray,
    boxes: np.ndarray,
    names: Sequence[str],
    colours: Sequence[Colour],
    captions: Sequence[str],
    cells: np.ndarray | None,
) -> dict[str, str]:
    """Masks, boxes and labels of N objects as SVG by the name of the layer; the best come first.

    Args:
        image: uint8 [H, W, 3].
        boxes: float32 [N, 4] in its pixels.
        names: of their classes.
        colours: of their classes.
        captions: of the boxes.
        cells: float32 [N, m, m], masks in the boxes; None: there is no such layer.
    """
    order = largest_first(boxes)  # a small box lies on top and can be pointed at
    shown = [
        f'<g tabindex="0" role="img" aria-label="{html.escape(captions[index])}">'
        f"{rect(boxes[index], f'stroke:{code(colours[index])}')}"
        f"<title>{html.escape(captions[index])}</title></g>"
        for index in order
    ]
    wordings = [[caption, name] for caption, name in zip(captions, names)]
    layers = {"boxes": "".join(shown), "labels": _labels(image, boxes, wordings, list(colours))}
    if cells is not None:
        outlines = _mask_paths(boxes, cells, *image.shape[:2])
        layers = {"masks": "".join(_mask(outlines[index], colours[index]) for index in order), **layers}
    return layers


def switches(layers: Iterable[str]) -> str:
    """A box to tick for each layer, before the figure."""
    return "".join(
        f'<input type="checkbox" class="layer" id="dsg-show-{name}" checked>'
        f'<label for="dsg-show-{name}">{name}</label>'
        for name in layers
    )


def drawn(layers: Mapping[str, str]) -> str:
    """The layers as groups of an SVG."""
    return "".join(f'<g class="{name}">{content}</g>' for name, content in layers.items())


def object_list(objects: DetectedObjects) -> str:
    """A table of the objects: class, score, box."""
    rows = "".join(
        f'<tr><td><span class="colour" style="background:{code(numbered_colour(number))}"></span></td>'
        f"<td>{html.escape(name)}</td><td>{score:.2f}</td>"
        f"<td>{' '.join(f'{side:.0f}' for side in box)}</td></tr>"
        for name, number, score, box in zip(objects.names, objects.classes, objects.scores, objects.boxes)
    )
    if not rows:
        return block("<p>Nothing reaches this score.</p>")
    head = "<tr><td></td><td>object</td><td>score</td><td>box: x1 y1 x2 y2</td></tr>"
    return block(f'<table class="objects">{head}{rows}</table>')


def _labels(image: np.ndarray, boxes: np.ndarray, wordings: list[list[str]], colours: list[Colour]) -> str:
    """Captions on coloured grounds, at places that `label_places` chooses in pixels of the screen."""
    unit = unit_of(image)
    sizes = [[_size(text) for text in texts] for texts in wordings]
    height, width = (int(side / unit) for side in image.shape[:2])
    places = label_places(boxes / unit, sizes, height, width)
    return "".join(
        _label(texts[place.wording], place, colour, unit)
        for place, texts, colour in zip(places, wordings, colours)
        if place is not None
    )


def _label(text: str, place: Place, colour: Colour, unit: float) -> str:
    wide, tall = _size(text)
    x, y = place.x * unit, place.y * unit
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide * unit:.1f}" height="{tall * unit:.1f}"'
        f' fill="{code(colour)}"/>'
        f'<text x="{x + PADDING * unit:.1f}" y="{y + 0.77 * tall * unit:.1f}" font-size="{FONT * unit:.1f}"'
        f' font-weight="700" textLength="{(wide - 2 * PADDING) * unit:.1f}" lengthAdjust="spacingAndGlyphs"'
        f' fill="{code(ink(colour))}">{html.escape(text)}</text>'
    )


def _size(text: str) -> tuple[int, int]:
    width, height = text_size(text, FONT, bold=True)
    return width + 2 * PADDING, height


def _mask(outlines: list[np.ndarray], colour: Colour) -> str:
    path = "".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in outline) + "Z"
        for outline in outlines
        if len(outline) > 2
    )
    return f'<path d="{path}" fill="{code(colour)}" stroke="{code(colour)}"/>' if path else ""


def _mask_paths(boxes: np.ndarray, cells: np.ndarray, height: int, width: int) -> list[list[np.ndarray]]:
    """The outlines of each mask in pixels of the image, as exact as what is sent back of it: [K, 2] each."""
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    rows, columns = (max(1, round(side * scale)) for side in (height, width))
    return [
        [cv2.approxPolyDP(outline, SMOOTH, True)[:, 0] / scale for outline in mask_outlines(placed)]
        for placed in placed_masks(cells, boxes * np.float32(scale), rows, columns)
    ]


def code(colour: Colour) -> str:
    """A colour as CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
