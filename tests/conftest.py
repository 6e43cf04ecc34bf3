"""What all tests share: how they are divided among workers, and ways to leave out work that is not a test's
subject.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# What takes longest comes first, so that workers end together; whatever is not here takes seconds.
LONGEST = (
    "golden",
    "tests/scripts/test_scripts.py",
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
# Tests of the golden networks, which take seconds to build and to run, share them on one worker.
GOLDEN = (
    "tests/parity/test_parity.py",
    "tests/models/dsg/test_model.py",
    "tests/models/dsg/test_golden_stages.py",
    "tests/models/dsg/test_losses.py",
    "tests/models/dsg/test_batches.py",
    "tests/models/test_weights.py",
    "tests/checkpoints/test_tf1_names.py",
)

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    # Each worker has its share of the processors: threads that wait for each other cost time, too.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a group are one worker's; the longest groups come first."""
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _place(groups[item]))


def _group(item: pytest.Item) -> str:
    file = item.nodeid.partition("::")[0]
    return "golden" if file in GOLDEN else file


def _place(group: str) -> int:
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


def _run_untraced() -> Iterator[None]:
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


# Functions run without being traced: the same operations, and no time spent on graphs that run a few times.
untraced = pytest.fixture(_run_untraced, name="untraced")
untraced_module = pytest.fixture(_run_untraced, scope="module", name="untraced_module")


@pytest.fixture(scope="module")
def unoptimized() -> Iterator[None]:
    """Graphs run as they were traced: optimising those that run a few times takes longer than it saves."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
