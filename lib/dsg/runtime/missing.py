"""What is said where a package that this one needs is not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dsg.errors import UserError

PACKAGES = {
    "tensorflow": "TensorFlow",
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "yaml": "pyyaml",
    "PIL": "pillow",
    "tqdm": "tqdm",
    "matplotlib": "matplotlib",
    "shtab": "shtab",
    "jinja2": "jinja2",
}
"""What is imported -> what is installed."""


@contextlib.contextmanager
def missing_packages_named() -> Iterator[None]:
    """An import of a package that is not there raises one line that says what to install.

    Raises:
        UserError: one of `PACKAGES` is missing. Other imports fail as they do elsewhere.

    Example:
        >>> with missing_packages_named():
        ...     raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
        Traceback (most recent call last):
            ...
        dsg.errors.UserError: TensorFlow is not installed: pip install ".[cpu]" in the clone of dsg; ...
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        raise UserError(_remedy(error.name)) from None


def _remedy(module: str) -> str:
    ours = 'pip install ".[cpu]" in the clone of dsg'
    if module == "tensorflow":
        ours += '; for NVIDIA GPUs pip install . "tensorflow[and-cuda]"'
    return f"{PACKAGES[module]} is not installed: {ours}"
