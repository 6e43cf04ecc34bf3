"""`python -m fuzz.kernels`: the compiled box operations under AddressSanitizer and UBSan, `make sanitize`.

They are built once more, in a folder of their own, and called with arrays that are random, empty, no numbers,
inverted, not contiguous, not aligned or of the wrong type, in a process into which the sanitizers are loaded.
What they see ends it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "sanitize"
CHECKS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FLAGS = (*CHECKS, "-O1", "-g", "-fno-omit-frame-pointer", "-ffp-contract=off", "-DDSG_ONE_VERSION")
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",  # Python itself frees little at its end
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "PYTHONMALLOC": "malloc",  # so that every object has bounds of its own
}
ODD = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 3e38, -3e38, 1e-45, 16777217.0)
REFUSED = (ValueError, TypeError, OverflowError, IndexError)


def build() -> None:
    """Compiles both with the sanitizers."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    os.chdir(ROOT)
    sources = ROOT / "lib" / "dsg" / "boxes"
    modules = [
        Extension(
            f"dsg.boxes.{name}",
            [str((sources / f"{name}.pyx").relative_to(ROOT))],
            include_dirs=[str(sources)],
            extra_compile_args=list(FLAGS),
            extra_link_args=list(CHECKS),
        )
        for name in ("_nms", "_overlaps")
    ]
    made = cythonize(modules, language_level=3, quiet=True, build_dir=str(FOLDER / "c"))
    command = Distribution({"ext_modules": made}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(FOLDER / "lib"), str(FOLDER / "o")  # type: ignore[attr-defined]
    command.force = True  # type: ignore[attr-defined]
    command.ensure_finalized()
    command.run()


def libraries() -> str:
    """The sanitizers' libraries, which have to be loaded before Python."""
    compiler = os.environ.get("CC", "gcc")
    found = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    if not all(os.path.isabs(path) for path in found):
        raise SystemExit(f"dsg: {compiler} has no AddressSanitizer or UBSan; install its sanitizer libraries")
    return ":".join(found)


def loaded() -> None:
    """Puts the sanitized modules where `dsg.boxes` looks for them."""
    import dsg.boxes

    for name in ("_nms", "_overlaps"):
        (path,) = (FOLDER / "lib" / "dsg" / "boxes").glob(f"{name}.*.so")
        spec = importlib.util.spec_from_file_location(f"dsg.boxes.{name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[f"dsg.boxes.{name}"] = module
        setattr(dsg.boxes, name, module)


def odd_rows(rng: np.random.Generator, columns: int) -> Any:
    """Rows of boxes, in every state that an array can be in."""
    count = int(rng.choice([0, 1, 2, 7, 8, 9, 63, 64, 65, 130]))
    rows = rng.uniform(-50, 150, (count, columns)).astype(np.float32)
    if rng.random() < 0.5 and count:
        places = rng.integers(0, rows.size, max(1, rows.size // 3))
        rows.flat[places] = rng.choice(ODD, len(places)).astype(np.float32)
    ways: list[Callable[[np.ndarray], Any]] = [
        lambda a: a,
        lambda a: a[::-1],
        lambda a: np.repeat(a, 2, 0)[::2],
        lambda a: np.asfortranarray(a),
        lambda a: np.concatenate([a, a], 1)[:, ::2],
        lambda a: np.frombuffer(b"x" + a.tobytes(), np.float32, a.size, 1).reshape(a.shape),
        lambda a: a.astype(np.float64),
        lambda a: a.astype(">f4"),
        lambda a: np.nan_to_num(a).astype(np.int64),
        lambda a: a.tolist(),
        lambda a: a[:, : columns - 1],
        lambda a: a.ravel(),
        lambda a: a[None],
        lambda a: a.astype(str),
        lambda a: a.astype(complex),
        lambda a: a.tobytes(),
        lambda a: None,
        lambda a: np.broadcast_to(np.float32(1), a.shape),
        lambda a: np.ascontiguousarray(a).data,
        lambda a: np.ma.masked_invalid(a),
    ]
    with np.errstate(all="ignore"):
        return ways[int(rng.integers(len(ways)))](rows)


def odd_order(rng: np.random.Generator, count: int) -> Any:
    """Candidates, of which some may not exist."""
    order = rng.permutation(max(count, 1))
    choices = (
        *(None, order, order[::2], order[:0], order - 1, order + 1, order.astype(float), order.tolist()),
        *(np.array([np.nan]), np.array([2.0**40]), order.astype(np.uint64), order[None], order.astype(bool)),
    )
    return choices[int(rng.integers(len(choices)))]


def call(cases: int, seed: int) -> tuple[int, int]:
    """Calls both: how many arguments were taken, and how many refused."""
    from dsg.boxes.nms import nms
    from dsg.boxes.overlaps import overlaps

    rng, taken, refused = np.random.default_rng(seed), 0, 0
    for number in range(cases):
        try:
            if number % 2:
                boxes, query = odd_rows(rng, 4), odd_rows(rng, 4)
                dtype = (np.float32, np.float64, "f4", "f8")[rng.integers(4)]
                found = overlaps(boxes, query, dtype)
                assert found.shape == (len(boxes), len(query)), found.shape
            else:
                dets = odd_rows(rng, 5)
                most = (None, 0, 1, 8, 1000, -3, 2**40)[int(rng.integers(7))]
                threshold = float(rng.choice([0.0, 0.3, 1.0, -1.0, np.nan, np.inf]))
                order = odd_order(rng, len(dets) if hasattr(dets, "__len__") else 0)
                chosen = nms(dets, threshold, most, order=order)
                assert chosen.ndim == 1 and (not chosen.size or 0 <= chosen.min() <= chosen.max() < len(dets))
        except REFUSED:
            refused += 1
        else:
            taken += 1
    return taken, refused


def main() -> int:
    """The program; 1 where a sanitizer saw something."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.kernels", description=__doc__)
    parser.add_argument("--cases", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.inside:
        build()
        words = ["--cases", str(given.cases), "--seed", str(given.seed), "--inside"]
        environment = {**os.environ, **OPTIONS, "LD_PRELOAD": libraries()}
        return subprocess.run([sys.executable, "-m", "fuzz.kernels", *words], env=environment).returncode
    loaded()
    from dsg.boxes.selfcheck import find_problem

    problem = find_problem()
    taken, refused = call(given.cases, given.seed)
    print(f"box operations: {taken:,} calls taken, {refused:,} refused; {problem or 'as NumPy computes'}")
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main())
