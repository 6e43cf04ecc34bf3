"""Answers as HTML: the image as SVG with boxes as layers, the attention of each box, no script and no fonts.

Layers are switched by boxes to tick, through CSS alone; what a box is stands in its tooltip and, for a reader
without a mouse, in its label for assistive technology. Every text from the vocabulary is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import cv2
import numpy as np

from dsg.api import ScoredBox
from dsg.apps.serve.svg import block, data_url, label_text, largest_first, rect, svg, unit_of
from dsg.visualize.canvas import OBJECT_COLOUR, SUBJECT_COLOUR, Colour

STYLE = """
.dsg svg { width: 100%; max-height: 75vh; height: auto; }
.dsg text { font-family: sans-serif; pointer-events: none; }
.dsg label { margin: 0 1.6em 0 0.4em; cursor: pointer; }
.dsg input.layer:not(:checked) + label { opacity: 0.55; }
.dsg #dsg-show-roles:not(:checked) ~ svg .roles { display: none; }
.dsg #dsg-show-all:not(:checked) ~ svg .all { display: none; }
.dsg .roles { pointer-events: none; }
.dsg .all rect { fill: transparent; stroke: #00c48c; stroke-width: var(--line); stroke-dasharray: 6 3;
  vector-effect: non-scaling-stroke; }
.dsg .all g:hover rect, .dsg .all g:focus rect { fill: rgba(0, 196, 140, 0.25); stroke-dasharray: none; }
.dsg .pays .given { visibility: hidden; pointer-events: none; }
.dsg .pays:hover .given, .dsg .pays:focus .given { visibility: visible; }
.dsg .pays .own { fill: transparent; stroke: white; stroke-width: 1.5px; vector-effect: non-scaling-stroke; }
.dsg .pays:hover .own, .dsg .pays:focus .own { stroke: #d55e00; stroke-width: 4px; }
.dsg .refused { border-left: 4px solid #d55e00; padding: 0.6em 1em; font-weight: 600; }
.dsg table.timings td { padding: 0 1em 0 0; border: 0; }
.dsg img { max-width: 100%; }
"""


def answer_figure(
    image: np.ndarray,
    subjects: Sequence[ScoredBox],
    objects: Sequence[ScoredBox],
    boxes: np.ndarray,
    captions: Sequence[str],
) -> str:
    """The image with the boxes of subject and object as one layer, and all N boxes as another.

    Args:
        image: uint8 [H, W, 3], B, G, R.
        subjects: boxes that answer as the subject.
        objects: the boxes that answer as the object.
        boxes: [N, 4], x1 y1 x2 y2 in pixels of `image`.
        captions: of each of the N boxes.
    """
    unit = unit_of(image)
    roles = [
        _role(one, name, colour, unit)
        for name, colour, several in (
            ("subject", SUBJECT_COLOUR, subjects),
            ("object", OBJECT_COLOUR, objects),
        )
        for one in several
    ]
    # Large ones first: a small box inside a large one lies on top and can be pointed at.
    everything = [
        f'<g tabindex="0" role="img" aria-label="{html.escape(captions[index])}">{rect(boxes[index])}'
        f"{_number(boxes[index], index, '#00875f', unit)}"
        f"<title>{html.escape(captions[index])}</title></g>"
        for index in largest_first(boxes)
    ]
    switches = (
        '<input type="checkbox" class="layer" id="dsg-show-roles" checked>'
        '<label for="dsg-show-roles">subject and object</label>'
        '<input type="checkbox" class="layer" id="dsg-show-all">'
        f'<label for="dsg-show-all">all {len(boxes)} boxes (point at one)</label>'
    )
    layers = f'<g class="all">{"".join(everything)}</g><g class="roles">{"".join(roles)}</g>'
    return block(f"{switches}{svg(image, layers)}")


def attention_figure(
    image: np.ndarray, boxes: np.ndarray, attention: np.ndarray | None, names: Sequence[str]
) -> str:
    """The attention that each box pays to the others, on the image while it is pointed at, and as a matrix.

    Args:
        image: uint8 [H, W, 3], B, G, R.
        boxes: [N, 4].
        attention: [N, N], rows sum to 1; None if the model has none.
        names: of the boxes.
    """
    if attention is None:
        return message("This model sums over boxes without attention.")
    count, unit = len(boxes), unit_of(image) * 1.5  # the matrix beside it makes the image smaller
    cell = max(image.shape[0] / (count + 1), 1.0)
    left = image.shape[1] + 16 * unit
    size = min(14 * unit, 0.7 * cell)
    peak = float(attention.max(initial=0)) or 1.0
    heads = "".join(
        _at(left + (column + 1.5) * cell, 0.7 * cell, column + 1, size) for column in range(count)
    )
    parts = [f"<g>{heads}</g>"]
    for index in largest_first(boxes):
        title = html.escape(f"{index + 1} {names[index]} pays attention to: {_most(attention[index], names)}")
        top = (index + 1) * cell
        row = _at(left + 0.5 * cell, top + 0.7 * cell, index + 1, size) + "".join(
            f'<rect class="cell" x="{left + (column + 1) * cell:.1f}" y="{top:.1f}" width="{cell:.1f}"'
            f' height="{cell:.1f}" fill="{_heat(weight / peak)}"/>'
            for column, weight in enumerate(attention[index])
        )
        given = "".join(
            f"{rect(boxes[other], f'fill:{_heat(weight / peak)};fill-opacity:{0.7 * weight / peak:.2f}')}"
            f"{label_text(boxes[other], f'{100 * weight:.0f}%', '#b04a00', unit)}"
            for other, weight in enumerate(attention[index])
            if weight >= 0.01
        )
        parts.append(
            f'<g class="pays" tabindex="0" role="img" aria-label="{title}"><title>{title}</title>'
            f"{rect(boxes[index], kind='own')}{_number(boxes[index], index, '#000000', unit)}{row}"
            f'<g class="given">{given}</g></g>'
        )
    note = (
        f"<p>Point at one of the {count} boxes, or at a row of the matrix: how much of its attention the box "
        "pays to each box, itself included. Averaged over the features.</p>"
    )
    return block(note + svg(image, "".join(parts), width=left + (count + 1) * cell))


def message(text: str) -> str:
    """A line of text."""
    return block(f"<p>{html.escape(text)}</p>")


def refusal(text: str) -> str:
    """Why there is no answer."""
    return block(f'<p class="refused" role="alert">{html.escape(text)}</p>')


def plain_figure(image: np.ndarray) -> str:
    """The image alone."""
    return block(svg(image, ""))


def picture(image: np.ndarray, text: str) -> str:
    """A drawn picture, uint8 [H, W, 3] RGB, with a text for those who cannot see it."""
    encoded = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))[1].tobytes()
    return block(f'<img alt="{html.escape(text)}" src="{data_url("png", encoded)}">')


def timings_table(timings: dict[str, float]) -> str:
    """Milliseconds by what took them."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{1000 * seconds:.0f} ms</td></tr>"
        for name, seconds in timings.items()
    )
    return block(f'<table class="timings">{rows}</table>')


def _role(one: ScoredBox, name: str, colour: Colour, unit: float) -> str:
    code = "#{:02x}{:02x}{:02x}".format(*colour)
    title = f"{name} {one.score:.2f}"
    style = f"fill:none;stroke:{code};stroke-width:4px;vector-effect:non-scaling-stroke"
    return (
        f'<g class="{name}">{rect(one.box, style)}{label_text(one.box, title, code, unit)}'
        f"<title>{title}</title></g>"
    )


def _number(box: np.ndarray, index: int, colour: str, unit: float) -> str:
    """A box's number in its lower left corner, where no label is."""
    low = (box[0] + 4 * unit, max(box[3], 20 * unit), 0, 0)
    return label_text(low, str(index + 1), colour, unit)


def _at(x: float, y: float, number: int, size: float) -> str:
    """A number of the matrix's edge, centred."""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" text-anchor="middle">{number}</text>'


def _heat(weight: float) -> str:
    """White for 0 to vermillion for 1."""
    share = float(np.clip(weight, 0, 1))
    return "#{:02x}{:02x}{:02x}".format(*(round(255 + (end - 255) * share) for end in (213, 94, 0)))


def _most(weights: np.ndarray, names: Sequence[str]) -> str:
    order = np.argsort(-weights, kind="stable")[:4]
    return ", ".join(f"{index + 1} {names[index]} {100 * weights[index]:.0f}%" for index in order)
