"""`report.html`: one file that opens from the disk, without scripts, a network or other files.

Every text is escaped; pictures are data URIs. Colours are the browser's, light or dark, and greys that fit
both.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2

from dsg.apps.report.contents import RunFiles, Tested
from dsg.apps.report.rows import Rows, best_line, epoch_rows, facts, option_rows, score_rows, total_time

LARGE = 400_000  # bytes from which a picture is embedded as JPEG
QUALITY = 88
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #8886; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #8883; text-align: right; white-space: nowrap; }
th { border-bottom-color: #888; font-weight: 600; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child, .words td, .words th { text-align: left; vertical-align: top; }
.words td { white-space: pre-wrap; overflow-wrap: anywhere; }
.words td:first-child { white-space: nowrap; }
.best td { background: #1a92; font-weight: 600; }
figure { margin: 1.5rem 0; }
figcaption { color: #888; font-size: 0.85rem; }
img { max-width: 100%; height: auto; box-sizing: border-box; padding: 6px; background: white; }
pre { overflow-x: auto; font-size: 0.8rem; }
summary { cursor: pointer; }
"""


def as_html(run: RunFiles) -> str:
    """The whole page."""
    title = html.escape(run.title)
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        f"<p>{html.escape(best_line(run))}</p>",
        *_section("What was run", [_table(facts(run), words=True, titles=False), _options(run)]),
    ]
    if run.history:
        best = str(run.best_epoch)
        rows = _table(epoch_rows(run), is_best=lambda row: row[0] == best)
        time = f"<p>time of all steps: {html.escape(total_time(run))}</p>"
        parts += _section("Epochs", [_figure(run.curves, "losses and validation"), rows, time])
    for position, tested in enumerate(run.tests):
        # Pictures of one test, that of the best snapshot if there is one, make the page large enough.
        shown = tested.pictures if position == 0 else ()
        pictures = [_figure(path, path.name) for path in shown]
        parts += _section(f"Test of {tested.name}", [*_test(tested), *pictures])
    return "\n".join([*filter(None, parts), "</body></html>\n"])


def data_uri(path: Path) -> str:
    """A PNG to be shown inside a page, a large one as JPEG; empty where it cannot be read."""
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


def _section(title: str, parts: Iterable[str]) -> list[str]:
    return [f"<h2>{html.escape(title)}</h2>", *parts]


def _options(run: RunFiles) -> str:
    rows = option_rows(run)
    if len(rows) == 1:
        return ""
    summary = f"{len(rows) - 1} options that are not at their defaults"
    return _folded(summary, _table(rows, words=True))


def _test(tested: Tested) -> list[str]:
    return [
        _table(score_rows(tested.results)),
        _figure(tested.curves, "queries that reach an IoU"),
        _folded("the whole table", f"<pre>{html.escape(tested.table)}</pre>"),
    ]


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def _figure(path: Path, caption: str) -> str:
    address, words = data_uri(path), html.escape(caption)
    if not address:
        return ""
    return f'<figure><img src="{address}" alt="{words}"><figcaption>{words}</figcaption></figure>'


def _table(
    rows: Rows,
    *,
    words: bool = False,
    titles: bool = True,
    is_best: Callable[[tuple[str, ...]], bool] = lambda row: False,
) -> str:
    """Rows as a table; `words`: to be read rather than compared, so set to the left."""
    lines = []
    for position, row in enumerate(rows):
        kind = "th" if titles and position == 0 else "td"
        cells = "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row)
        lines.append(
            f'<tr class="best">{cells}</tr>' if kind == "td" and is_best(row) else f"<tr>{cells}</tr>"
        )
    look = ' class="words"' if words else ""
    return f'<div class="wide"><table{look}>' + "\n".join(lines) + "</table></div>"
