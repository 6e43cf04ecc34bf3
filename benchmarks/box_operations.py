"""The section on the compiled box operations: against NumPy, against TensorFlow's suppression, against
loops like the release's.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.settings import Settings
from dsg.apps.cost.timing import Timing, in_turns
from dsg.boxes.anchors import anchor_grid
from dsg.boxes.nms import nms, nms_np
from dsg.boxes.overlaps import overlaps, overlaps_np
from dsg.errors import UserError

LOOPS = "release_loops"
THRESHOLD = 0.5  # of suppression, as in the release's proposals
IMAGE = (600, 800)  # height, width: 38 x 50 cells with 12 anchors are 22,800 boxes
SETUP = """
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
extension = Extension({name!r}, [{name!r} + ".pyx"], include_dirs=[numpy.get_include()])
setup(script_args=["-q", "build_ext", "--inplace"], ext_modules=cythonize([extension], quiet=True))
"""


def box_operations(settings: Settings) -> dict[str, Any]:
    """Seconds of overlaps at several sizes, and of suppression with and without a limit."""
    with tempfile.TemporaryDirectory() as folder:
        loops = compile_loops(Path(folder))
        timings = overlap_timings(settings, loops)
        timings.update(nms_timings(settings, loops))
    return {"cases": {name: timing.as_case() for name, timing in timings.items()}, "checks": {}}


def overlap_timings(settings: Settings, loops: ModuleType) -> dict[str, Timing]:
    """By `overlaps/<N>x<K>/<library, library_f64, numpy or release>`."""
    found: dict[str, Timing] = {}
    rng = np.random.default_rng(0)
    for count, targets in settings.overlap_sizes:
        boxes, query = spread_boxes(rng, count), spread_boxes(rng, targets)
        wide = boxes.astype(np.float64), query.astype(np.float64)
        expected = loops.overlaps(*wide)
        np.testing.assert_allclose(overlaps(boxes, query, np.float64), expected, atol=1e-12)
        np.testing.assert_allclose(overlaps(boxes, query), expected, atol=1e-5)

        name = f"overlaps/{count}x{targets}/"
        contenders: dict[str, Callable[[], object]] = {
            f"{name}library": lambda b=boxes, q=query: overlaps(b, q),  # type: ignore[misc]
            f"{name}library_f64": lambda b=boxes, q=query: overlaps(b, q, np.float64),  # type: ignore[misc]
            f"{name}numpy": lambda b=boxes, q=query: overlaps_np(b, q),  # type: ignore[misc]
            f"{name}release": lambda w=wide: loops.overlaps(*w),  # type: ignore[misc]
        }
        found.update(_timed(contenders, settings))
    return found


def nms_timings(settings: Settings, loops: ModuleType) -> dict[str, Timing]:
    """By `nms/<all or best>/<library, numpy, release or tensorflow>`: all that survive, or the best."""
    import tensorflow as tf

    best = settings.nms_best
    dets = proposals(np.random.default_rng(0), settings.nms_boxes)
    np.testing.assert_array_equal(nms(dets, THRESHOLD), loops.nms(dets, THRESHOLD))

    boxes, scores = tf.constant(dets[:, :4]), tf.constant(dets[:, 4])
    suppress = tf.function(lambda b, s: tf.image.non_max_suppression(b, s, best, THRESHOLD))
    contenders: dict[str, Callable[[], object]] = {
        "nms/all/library": lambda: nms(dets, THRESHOLD),
        "nms/all/release": lambda: loops.nms(dets, THRESHOLD),
        "nms/best/library": lambda: nms(dets, THRESHOLD, best),
        "nms/best/numpy": lambda: nms_np(dets, THRESHOLD, best),
        "nms/best/release": lambda: loops.nms(dets, THRESHOLD)[:best],
        "nms/best/tensorflow": lambda: suppress(boxes, scores).numpy(),
    }
    return _timed(contenders, settings)


def compile_loops(folder: Path) -> ModuleType:
    """`release_loops.pyx`, compiled in `folder` with the compiler's usual flags, as the release is."""
    source = Path(__file__).with_name(f"{LOOPS}.pyx")
    (folder / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-c", SETUP.format(name=LOOPS)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise UserError(
            f"{source}: the baseline cannot be compiled ({said}); has Python its C compiler and headers?"
        )
    spec = importlib.util.spec_from_file_location(
        LOOPS, folder / f"{LOOPS}{sysconfig.get_config_var('EXT_SUFFIX')}"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def spread_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """float32 [count, 4], all over an image."""
    low = rng.uniform(0, 1, (count, 2)) * IMAGE[::-1] * 0.8
    return np.concatenate([low, low + rng.uniform(16, 300, (count, 2))], 1).astype(np.float32)


def proposals(rng: np.random.Generator, count: int) -> np.ndarray:
    """float32 [count, 5]: anchors moved a little, as a proposal network moves them, with a score each."""
    rows, columns = (-(-side // 16) for side in IMAGE)
    anchors = anchor_grid(rows, columns, 16, (4, 8, 16, 32), (0.5, 1, 2))
    anchors = np.resize(anchors, (count, 4)) + rng.normal(0, 8, (count, 4))
    limit = np.array([IMAGE[1], IMAGE[0]] * 2) - 1
    scores = (rng.permutation(count)[:, None] + 1) / count  # no ties: their order is nobody's promise
    return np.ascontiguousarray(np.concatenate([np.clip(anchors, 0, limit), scores], 1), np.float32)


def _timed(contenders: dict[str, Callable[[], object]], settings: Settings) -> dict[str, Timing]:
    return in_turns(contenders, settings.operation_repeats, least=settings.operation_seconds)
