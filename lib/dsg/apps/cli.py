"""What all programs share: options of the command line, and how a program ends.

A user's mistake ends with one line on standard error and status 2, an interruption with 128 + the signal's
number; a bug keeps its traceback. Nothing here loads TensorFlow, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from dsg.config import NETS, Config, load_config
from dsg.errors import UserError
from dsg.runtime.paths import expanded

USER_ERROR_STATUS = 2
SPLITS = ("train", "val", "validation", "test", "trainval")


def main(program: Callable[[Sequence[str]], None], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `program` on the command line's arguments and leave with the right status.

    Example:
        >>> if __name__ == "__main__":
        ...     main(run)
    """
    from dsg.runtime.logs import log_to_console
    from dsg.runtime.noise import without_noise

    _escape_what_cannot_be_printed()
    log_to_console()
    # Whoever sets TensorFlow's own level wants to see all that it says; else its errors are enough.
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with without_noise() if quiet else contextlib.nullcontext():
            program(sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)
    except PermissionError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)
    except KeyboardInterrupt as error:
        number = getattr(error, "signal", signal.SIGINT)
        print(str(error) or "interrupted", file=sys.stderr)
        sys.exit(128 + number)
    finally:
        if quiet:  # as it was: who called this may start programs that are to decide for themselves
            os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
    sys.exit(0)


def _escape_what_cannot_be_printed() -> None:
    """A file's name that is not Unicode, or not of the terminal's encoding, must not end a program."""
    for stream in (sys.stdout, sys.stderr):
        # Whoever calls this may have put something else in their place.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, too."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} ({self.prog} --help tells the options)", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)


def run_parser(program: str, description: str) -> Parser:
    """A parser with the options that training and testing share."""
    parser = Parser(program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", default="cpu", help="0, or 0,1 for several, or cpu (default)")
    parser.add_argument("--net", default="", help="network: " + ", ".join(NETS))
    parser.add_argument(
        "--cfg",
        action="append",
        default=[],
        metavar="FILE",
        help="configuration; may be repeated, later ones win",
    )
    parser.add_argument("--tag", default="", help="name of the run (default: default)")
    parser.add_argument("--data", default="", metavar="DIR", help="folder of the data sets, or of this one")
    parser.add_argument(
        "--output", default="output", metavar="DIR", help="folder of all runs (default: output)"
    )
    parser.add_argument(
        "--set",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="KEY VALUE",
        help="options, such as TRAIN.EPOCHS 10",
    )
    return parser


def config_of(options: argparse.Namespace, extra: Sequence[str] = ()) -> tuple[Config, list[str]]:
    """The configuration of parsed options, and the KEY VALUE pairs that were given.

    Args:
        options: parsed by a `run_parser`.
        extra: pairs that other options stand for; those after --set win.
    """
    pairs = list(extra)
    if options.data:
        pairs += ["DATA.DIR", str(expanded(options.data).resolve())]
    pairs += options.set
    net = options.net if options.net in NETS else ""  # others, such as mini_best, have a file of their own
    return load_config(options.cfg, pairs, net), pairs


def dataset_and_split(text: str, default_split: str, data_dir: Path) -> tuple[str, str]:
    """The release's `--imdb`: a data set's name or folder, with or without a split at its end.

    A folder that is called so, ending included, comes first.

    Example:
        >>> dataset_and_split("visualgenome_train", "test", Path("data"))
        ('visualgenome', 'train')
    """
    name, _, ending = text.rpartition("_")
    if name and ending in SPLITS and not _is_folder(text, data_dir):
        return name, _split(ending)
    return text, default_split


def split_at_end(text: str, option: str) -> str:
    """The release's `--imdbval`: a split, alone or at the end of a data set's name.

    Raises:
        UserError: it ends otherwise; the message names `option`.

    Example:
        >>> split_at_end("visualgenome_val", "--imdbval")
        'validation'
    """
    ending = text.rpartition("_")[2]
    if ending not in SPLITS:
        raise UserError(f"{option} {text!r} ends with no split: {', '.join(SPLITS)}")
    return _split(ending)


def _split(name: str) -> str:
    return {"val": "validation"}.get(name, name)


def _is_folder(text: str, data_dir: Path) -> bool:
    """Whether it is a path, or names a data set in the data folder; there, images alone may be called so."""
    from dsg.datasets.catalogue import folder_of, holds_annotations

    folder = folder_of(text, data_dir)
    return folder is not None and (folder == Path(text) or holds_annotations(folder))
