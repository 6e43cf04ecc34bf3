"""`report.html`: one file that opens from the disk, without scripts, a network or other files.

The template escapes every text; pictures are data URIs. Colours are the browser's, light or dark, and greys
that fit both.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import jinja2

from dsg.apps.report.contents import RunFiles
from dsg.apps.report.rows import (
    best_line,
    box_rows,
    epoch_rows,
    facts,
    option_rows,
    score_rows,
    total_time,
)

TEMPLATE = Path(__file__).with_name("page.html")
LARGE = 400_000  # bytes from which a picture is embedded as JPEG
QUALITY = 88


def as_html(run: RunFiles) -> str:
    """The whole page."""
    rows = (best_line, box_rows, epoch_rows, facts, option_rows, score_rows, total_time)
    return render(TEMPLATE, run=run, **{function.__name__: function for function in rows})


def render(template: Path, **values: Any) -> str:
    """A page of a template, which may import the macros of parts.html, and a filter `data_uri`."""
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, TEMPLATE.parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    pages.filters["data_uri"] = data_uri
    return pages.get_template(template.name).render(**values)


def data_uri(path: Path) -> str:
    """A PNG to be shown inside a page, a large one as JPEG; empty if it cannot be read."""
    try:
        content, kind = path.read_bytes(), "png"
    except OSError:
        return ""
    picture = cv2.imread(str(path))
    if picture is None:
        return ""
    if len(content) > LARGE:
        packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        content, kind = packed.tobytes(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
