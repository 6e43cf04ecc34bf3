"""What all tests share: how they are divided among workers, and ways to leave out work that is not a test's
subject.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator

import pytest

from tests import eager

# Importing the tests and all that they test makes millions of objects and hardly any garbage.
gc.disable()

ENOUGH = 256 << 20  # bytes that a worker may grow by before garbage is collected

# What takes longest comes first, so that workers end together; whatever is not here takes seconds.
LONGEST = (
    "tests/scripts/test_scripts.py",
    "tests/models/dsg/test_model.py",
    "tests/parity/test_parity.py",
    "tests/parity/test_detectors.py",
    "tests/apps/export/test_document.py",
    "tests/apps/export/test_onnx.py",
    "tests/apps/serve/test_page.py",
    "tests/benchmarks/test_bench.py",
    "tests/apps/tables/test_scripts.py",
    "tests/scripts/test_scripts_bad_input.py",
    "tests/models/baselines/test_training.py",
    "tests/apps/test_cost.py",
    "tests/apps/export/test_saved_model.py",
    "tests/engine/test_step.py",
    "tests/engine/test_tracing.py",
    "tests/models/baselines/test_scripts.py",
    "tests/test_own_data.py",
)
# What neither TensorFlow's version nor NumPy's changes, besides tests that are marked themselves.
ONE_LINE = (
    "tests/apps/convert/",
    "tests/apps/fetch/",
    "tests/apps/report/",
    "tests/apps/serve/test_browser.py",
    "tests/apps/serve/test_browser_detections.py",
    "tests/apps/serve/test_page.py",
    "tests/apps/tables/",
    "tests/apps/test_completion.py",
    "tests/apps/test_main.py",
    "tests/apps/test_parser.py",
    "tests/apps/test_run_options.py",
    "tests/apps/test_splits.py",
    "tests/benchmarks/test_annotations.py",
    "tests/benchmarks/test_scaling.py",
    "tests/config/",
    "tests/project/test_build.py",
    "tests/project/test_container.py",
    "tests/project/test_docs.py",
    "tests/project/test_install.py",
    "tests/project/test_layers.py",
    "tests/project/test_pre_commit.py",
    "tests/project/test_site.py",
    "tests/project/test_wheel.py",
    "tests/runtime/test_archives.py",
    "tests/runtime/test_files.py",
    "tests/runtime/test_interrupt.py",
    "tests/runtime/test_json_stream.py",
    "tests/runtime/test_locks.py",
    "tests/runtime/test_logs.py",
    "tests/runtime/test_progress.py",
    "tests/runtime/test_text.py",
)

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    # Each worker has its share of the processors: threads that wait for each other cost time, too.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first; a file's tests are one worker's (`make test`: --dist loadfile)."""
    places = {file: place for place, file in enumerate(LONGEST)}
    files = {item: item.nodeid.partition("::")[0] for item in items}
    for item, file in files.items():
        if file.startswith(ONE_LINE):
            item.add_marker(pytest.mark.one_line)
    items.sort(key=lambda item: places.get(files[item], len(places)))


def pytest_collection_finish() -> None:
    """What was imported stays, so garbage is looked for among what tests make, and less often. Graphs run as
    they were traced: optimising one that runs a few times takes longer than it saves. Programs in processes
    of their own, and tests that ask for `optimized`, run them as users do.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()
    if "tensorflow" in sys.modules:
        _optimize(False)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish() -> None:
    """Models and graphs are garbage in circles: what tests leave is collected before it fills the memory."""
    global _held
    if _resident() > _held + ENOUGH:
        gc.collect()
        if _give_back is not None:
            _give_back(0)
        _held = _resident()


_held = 0  # bytes, after garbage was last collected
try:  # glibc keeps what is freed in pieces, until it is told to give it back
    _give_back = ctypes.CDLL(None).malloc_trim
except (AttributeError, OSError):
    _give_back = None


def _resident() -> int:
    """Bytes of memory that the process holds; all there is where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return sys.maxsize


def _optimize(graphs: bool) -> None:
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not graphs})


@pytest.fixture
def optimized() -> Iterator[None]:
    """Graphs are optimised as they are by default."""
    _optimize(True)
    yield
    _optimize(False)


def _run_untraced() -> Iterator[None]:
    with eager.untraced():
        yield


untraced = pytest.fixture(_run_untraced, name="untraced")
untraced_module = pytest.fixture(_run_untraced, scope="module", name="untraced_module")
