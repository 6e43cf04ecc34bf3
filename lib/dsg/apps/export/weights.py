"""A file of weights to share: what answering needs of a snapshot and nothing else, packed.

Optimiser slots, the history of the scores and the folders of the machine that it was trained on stay behind;
network, options and vocabulary are inside. The result is a snapshot like any other: `dsg.load`, tests and the
demonstration read it.
"""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np

from dsg.config import options, stored_values
from dsg.engine.snapshots import Meta, Snapshot, load_snapshot, save_snapshot
from dsg.errors import UserError
from dsg.runtime.files import refuse_folder, replacing

KEPT_BITS = 12  # of the 23 that a float32 has behind its point: what is rounded to zeros packs well
PRECISIONS = ("float32", "rounded", "float16")
LOCAL = ("DATA.DIR", "WEIGHTS")  # options that name places


def share_weights(source: Path, target: Path, precision: str = "float32", largest: int | None = None) -> int:
    """Write the weights of a snapshot, with options and vocabulary, as a file of its own; its size in bytes.

    Args:
        source: a snapshot.
        target: the new file; it appears whole or not at all.
        precision: 'float32' keeps every bit; 'rounded' keeps float32 with a relative error of 1 in 8,192;
            'float16' stores kernels in half the bytes (1 in 2,048; loaded as float32), and what does not fit
            into its range, as well as all vectors, as 'float32' does.
        largest: refuse to write more bytes.

    Raises:
        UserError: `source` is no snapshot; the result would be too large (nothing is written then), or cannot
            be written.
        ValueError: an unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is one of {PRECISIONS}, not {precision!r}")
    refuse_folder(target)
    snapshot = load_snapshot(source)
    variables = {name: _stored(value, precision) for name, value in snapshot.variables.items()}
    plain = target.with_name(f".{target.name}.plain")
    try:
        save_snapshot(plain, variables, {}, shared_meta(snapshot))
        with replacing(target) as packed:
            _pack(plain, packed)
            size = packed.stat().st_size
            if largest is not None and size > largest:
                raise UserError(f"{source}: {size:,} bytes packed; at most {largest:,} are shipped")
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        plain.unlink(missing_ok=True)
    return size


def shared_meta(snapshot: Snapshot) -> Meta:
    """What a file of weights says of itself: network, options, vocabulary, scores; no history, no folders."""
    known = options()
    config = {**stored_values(snapshot.meta.config), **{name: known[name].default for name in LOCAL}}
    return dataclasses.replace(
        snapshot.meta, config=config, epoch_step=0, epoch_state={}, history=[], images_per_step=0
    )


def rounded(values: np.ndarray, bits: int = KEPT_BITS) -> np.ndarray:
    """Finite float32 values, rounded to `bits` binary digits behind the point of their mantissa.

    Example:
        >>> rounded(np.float32([1.0, 1.2, -3.3]), 2)
        array([ 1.  ,  1.25, -3.5 ], dtype=float32)
    """
    dropped = 23 - bits
    whole = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32(1 << (dropped - 1))
    return ((whole + half) & ~np.uint32((1 << dropped) - 1)).view(np.float32)


def _stored(values: np.ndarray, precision: str) -> np.ndarray:
    if precision == "rounded":
        return rounded(values)
    # Vectors (biases, norms) are few, and variances may exceed what 16 bits hold.
    if precision == "float16" and values.ndim > 1 and np.abs(values).max() <= np.finfo(np.float16).max:
        return values.astype(np.float16)
    return values


def _pack(plain: Path, packed: Path) -> None:
    """The same archive compressed; equal content gives equal bytes."""
    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as smaller:
        for name in archive.namelist():
            member = zipfile.ZipInfo(name)  # dated 1980, whenever it is written
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            smaller.writestr(member, archive.read(name))
