from __future__ import annotations

from collections.abc import Iterator

import pytest
import tensorflow as tf


@pytest.fixture
def untraced() -> Iterator[None]:
    """Functions are computed step by step: to trace them takes longer than all the rest."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
