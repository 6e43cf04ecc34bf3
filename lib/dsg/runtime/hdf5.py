"""Arrays from an HDF5 file that may have come from anywhere: numbers kept in the file itself, and no more of
them than a file of its size accounts for.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from dsg.errors import UserError
from dsg.runtime.limits import Limits

DAMAGE = (
    *(
        OSError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        RuntimeError,
        ArithmeticError,
        MemoryError,
    ),
)
"""What h5py raises for a file that is cut or damaged."""


def read_hdf5(path: Path, names: Collection[str], optional: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Arrays of numbers by name, at the top of the file.

    Args:
        names: must be there.
        optional: are left out if they are not.

    Raises:
        UserError: the file is missing, cut, damaged or not HDF5, or lacks an array.
    """
    import h5py

    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise UserError(f"{path}: lacks {', '.join(missing)}; is it the right file?")
            present = [*names, *(name for name in optional if name in file)]
            return {name: _array(file, name, path) for name in present}
    except DAMAGE as error:
        detail = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise UserError(f"{path}: cannot be read ({detail}); fetch it again") from error


def _array(file: Any, name: str, path: Path) -> np.ndarray:
    import h5py

    dataset = file.get(name) if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    # What lies in other files is not read: a file could name any.
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise UserError(f"{path}: {name} is not an array of the file itself")
    if dataset.dtype.kind not in "biuf":
        raise UserError(f"{path}: {name} holds {dataset.dtype}, not numbers")
    if dataset.nbytes > Limits().unpacked(path.stat().st_size):
        raise UserError(f"{path}: {name} claims to hold {dataset.nbytes:,} bytes, the file is shorter")
    return np.asarray(dataset[()])
