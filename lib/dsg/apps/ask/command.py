"""`ask`: queries about anyone's own pictures.

TensorFlow, which takes seconds to load, is loaded when what was asked has been read.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from dsg.apps.ask.answered import Answered, answer_scenes, output_folder, table
from dsg.apps.ask.scenes import image_files, own_scenes
from dsg.engine.snapshots import load_meta
from dsg.errors import UserError
from dsg.models.dsg.query_words import parse_query
from dsg.models.dsg.trained import TRACING_PAYS, load_trained
from dsg.models.kinds import check_answers_queries
from dsg.runtime.devices import parse_gpus, select_devices
from dsg.runtime.logs import console_messages
from dsg.visualize.answers import draw_answers
from dsg.visualize.canvas import save_png

LOG = logging.getLogger("dsg")


def ask(
    snapshot: Path,
    pictures: Sequence[Path],
    queries: Sequence[str] = (),
    *,
    out: Path | None = None,
    as_json: bool = False,
    devices: str = "",
) -> list[Answered]:
    """Ask every query about every picture; print a table of boxes, or JSON.

    Args:
        snapshot: of a trained model.
        pictures: files, or folders of them. One that cannot be read is reported, and left out.
        queries: in words; none: only scene graphs are decoded.
        out: a folder for pictures, scene graphs and answers.json, or a .png file for one picture's answers.
        as_json: print JSON and nothing else; messages go to standard error.
        devices: `cpu` or a GPU's number; empty: what TensorFlow takes.

    Raises:
        UserError: something cannot be read or written, or a query has unknown words. If some of several
            images cannot be read it comes after the others' answers.
    """
    parse_gpus(devices or "cpu")
    drawn = out is not None and out.suffix.lower() == ".png" and not out.is_dir()
    folder = None if drawn else out
    meta = load_meta(snapshot)
    check_answers_queries(snapshot, meta)
    asked = [parse_query(text, meta.objects, meta.predicates) for text in queries]
    unreadable: list[str] = []
    messages = console_messages("stderr") if as_json else contextlib.nullcontext()
    with output_folder(folder, "another"), messages:
        files = image_files(pictures)
        if drawn and len(files) > 1:
            raise UserError(f"{out}: a single file for {len(files)} images; give a folder")
        scenes = own_scenes(files, asked, unreadable)
        first = next(scenes, None)
        if first is None:
            raise UserError(
                unreadable[0] if len(unreadable) == 1 else f"none of the {len(unreadable)} images can be read"
            )
        if devices:
            select_devices(devices)
        traced = len(files) >= TRACING_PAYS
        scenes = itertools.chain([first], scenes)
        results = answer_scenes(load_trained(snapshot), scenes, folder, traced=traced)
    if drawn and out is not None:
        save_png(draw_answers(first.image[:, :, ::-1].copy(), results[0].answers), out)
    _show(results, out, as_json)
    if unreadable:
        count = len(unreadable) + len(results)
        raise UserError(f"{len(unreadable)} of {count} images cannot be read, for example {unreadable[0]}")
    return results


def _show(results: Sequence[Answered], out: Path | None, as_json: bool) -> None:
    if as_json:
        print(json.dumps([one.json for one in results], indent=1))
        return
    for line in table(results):
        LOG.info("%s", line)
    if out is not None:
        LOG.info("drawn: %s", out)
