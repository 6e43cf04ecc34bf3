"""Golden files in, a table of every stage out: what `dsg parity` does.

TensorFlow is imported when a file asks for it, so that mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from dsg.errors import UserError

NUMPY_ONLY = ("iou_metric", "roidb")  # kinds that need no TensorFlow


def compare(options: argparse.Namespace, settings: Path | None = None) -> int:
    """Compare the files that the options of `dsg parity` name; 0 where all stages hold, 1 where some do not,
    2 where a file cannot be used.

    Args:
        options: of `dsg.apps.commands.parity`.
        settings: folder of the nets' configuration files.
    """
    reports: list[dict[str, Any]] = []
    status = 0
    for checks, seconds in _run_files(options, settings):
        if isinstance(checks, UserError):
            print(f"error: {checks}", file=sys.stderr)
            status = 2
            continue
        from dsg.parity.report import as_dict, format_table, summary

        reports.append(as_dict(checks, seconds))
        if not options.quiet:
            print(format_table(checks, options.every_row))
        print(summary(checks, seconds) + ("" if options.quiet else "\n"), flush=True)
        status = max(status, 0 if checks.ok else 1)
    if options.json is not None:
        _write_json(options.json, {"ok": status == 0, "files": reports})
    return status


def _run_files(options: argparse.Namespace, settings: Path | None) -> Any:
    """For each file its `Checks`, or the `UserError` that it deserves, and the seconds it took."""
    from dsg.parity.golden import open_golden

    models: Any = None
    try:
        for file in options.files:
            start = time.monotonic()
            try:
                golden = open_golden(file)
                if golden.kind not in NUMPY_ONLY and models is None:
                    models = _models()
                extra = (options.forward,) if golden.kind == "gradients" else ()
                run = importlib.import_module(f"dsg.parity.runs.{golden.kind}").run
                checks = _run(run, golden, models, settings, extra, options.traceback)
                yield checks, time.monotonic() - start
            except UserError as error:
                yield error, time.monotonic() - start
    finally:
        if models is not None:
            models.__exit__()


def _run(
    run: Any, golden: Any, models: Any, settings: Path | None, extra: tuple[Any, ...], show: bool
) -> Any:
    """The file's `Checks`; what a computation raises over its arrays becomes a `UserError`, after the
    traceback where `show` asks for it.
    """
    from dsg.parity.failures import file_errors, refused

    try:
        return run(golden, models, settings, *extra)
    except file_errors() as error:
        if show:
            traceback.print_exc()
        raise refused(golden.path, golden.kind, error) from error


def _models() -> Any:
    import tensorflow as tf

    from dsg.parity.models import RecipeModels

    # Some GPUs round the factors of float32 products to 10 bits unless told otherwise.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return RecipeModels()


def _write_json(target: str, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error
