"""The commands of `dsg` that the words of experiments/scripts/*.sh, `<gpu> <dataset> <net> ...`, stand for.

Only the standard library is loaded. Paths are relative to where the script was started; the commands run in
the clone's root.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsg.apps.commands.fetch import PARTS
from dsg.apps.configurations import DATASETS, DETECTION_DATASETS, catalogued, files_of, known_nets
from dsg.apps.detector_words import PREFIX, detector_net, detector_nets, detector_pairs
from dsg.apps.parser import Parser
from dsg.config import BASELINES
from dsg.engine.names import check_run_name, is_snapshot_name
from dsg.errors import UserError

KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Z0-9_]+)*")
GPUS = re.compile(r"cpu|[0-9]+(,[0-9]+)*")
FILES = ("WEIGHTS", "DATA.DIR")  # options that name files
PLACES = "[--data DIR] [--output DIR]"
FASTER_RCNN = "_faster_rcnn"  # the end of the names of the detector's scripts
Command = list[str]


@dataclass(frozen=True)
class Place:
    """Where a script was started, and the root of the clone, where its commands run."""

    start: Path
    root: Path

    def absolute(self, path: str) -> str:
        """A path relative to where the script was started, made absolute."""
        return path if path.startswith("~") else os.path.join(self.start.absolute(), path)

    def pairs(self, words: Sequence[str]) -> list[str]:
        """KEY VALUE pairs, with absolute paths for files relative to where the script was started."""
        pairs = list(words)
        for index in range(0, len(pairs) - 1, 2):
            path = self.absolute(pairs[index + 1])
            if pairs[index].rpartition(":")[2] in FILES and _is_there(path):  # before a colon: a table's row
                pairs[index + 1] = path
        return pairs

    def snapshot(self, word: str) -> str:
        """A snapshot's name, or the absolute path of its file."""
        path = self.absolute(word)
        return path if "/" in word or _is_there(path) else word


def commands_of(name: str, words: Sequence[str], place: Place) -> list[Command]:
    """The commands of `dsg` that a script stands for.

    Args:
        name: of the script, without ending.
        words: its arguments.
        place: the folders that paths are relative to.

    Raises:
        UserError: the words are wrong.

    Example:
        >>> commands_of("table3", ["cpu", "mini", "RNG_SEED", "2"], Place(Path("/"), Path("/clone")))
        [['cost', '--net', 'mini', '--gpu', 'cpu', '--output', '/clone/output', '--set', 'RNG_SEED', '2']]
    """
    return _SCRIPTS[name.rstrip("1234")](name, words, place)


def usage(name: str) -> str:
    """The line that `--help` prints."""
    others = [net for net in known_nets() if not net.startswith(PREFIX)]
    nets = "<net>: " + " ".join(detector_nets(known_nets()) if name.endswith(FASTER_RCNN) else others)
    gpu = "<gpu>: 0, or 0,1, or cpu"
    datasets = f"<dataset>: {' '.join(_datasets(name.endswith(FASTER_RCNN)))}, or a folder"
    if name in ("train", f"train{FASTER_RCNN}"):
        pretrained = "or dsg_pretrained " * (name == "train")
        return (
            f"usage: {name}.sh <gpu> <dataset> <net> [name] [KEY VALUE ...] [--name NAME] [--no-test] "
            f"{PLACES} ({gpu}; {datasets}; {nets}; --no-test: only train; a snapshot such as <name>_iter_0 "
            f"{pretrained}in place of the name is only tested)"
        )
    if name in ("test", f"test{FASTER_RCNN}"):
        pretrained = ", dsg_pretrained" * (name == "test")
        return (
            f"usage: {name}.sh <gpu> <dataset> <net> <snapshot> [KEY VALUE ...] {PLACES} (<snapshot>: "
            f"<name>_iter_N{pretrained}, or a file; <gpu>: 0 or cpu; {datasets}; {nets})"
        )
    if name == "table3":
        return f"usage: table3.sh <gpu> <net> [KEY VALUE ...] [--output DIR] (<gpu>: 0 or cpu; {nets})"
    if name.startswith("table"):
        graphs = " ".join(net for net in others if net not in BASELINES)  # a baseline is a row
        return (
            f"usage: {name}.sh <gpu> <dataset> <net> [KEY VALUE ...] [--seeds N] [--tag NAME] [--rows LIST] "
            f"[--split validation] [--report] {PLACES} ({gpu}; {datasets}; <net>: {graphs}; ROW:KEY VALUE, "
            "baselines:KEY VALUE and graph:KEY VALUE are for some rows only)"
        )
    if name == "fetch":
        return (
            f"usage: fetch.sh {'|'.join(PARTS)} [PART ...] [--from FOLDER_OR_URL] [--data DIR] [--keep] "
            "[--verify] (PART: annotations, images, res101, resnet50 ...; --from: a folder or web address "
            "that has the files; --keep: keep the archives; --verify: compare existing files by checksum)"
        )
    return (
        "usage: serve.sh <gpu> [<snapshot>] [--host ADDRESS] [--port N] [--examples DIR] [--max-mb N] "
        "[--max-megapixels N] (<gpu>: 0 or cpu; <snapshot>: a file, by default the bundled model; only this "
        "machine can open the page, unless --host 0.0.0.0 is given)"
    )


def name_and_pairs(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """What follows <net>: a run's name, if given, and pairs.

    Pairs are even in number. If the number of words is odd, the first is the name, unless it can only be an
    option, such as TRAIN.EPOCHS; if it is even, the first is the name only if it cannot be an option, not
    even a misspelt one.

    Example:
        >>> name_and_pairs(["mine", "TRAIN.EPOCHS", "3"]), name_and_pairs(["TRAIN.EPOCHS", "3"])
        (('mine', ['TRAIN.EPOCHS', '3']), (None, ['TRAIN.EPOCHS', '3']))
    """
    if not words:
        return None, []
    signs = ("." in words[0]) + (KEY.fullmatch(words[0]) is not None)
    if signs <= len(words) % 2:
        return words[0], list(words[1:])
    return None, list(words)


def _train(script: str, words: Sequence[str], place: Place) -> list[Command]:
    options = _read(script, words, ["--name"], ["--no-test"])
    common, rest = _common(script, options, place)
    name, pairs = (options.name, rest) if options.name is not None else name_and_pairs(rest)
    pairs = detector_pairs(pairs) if script.endswith(FASTER_RCNN) else pairs
    if name is not None and (is_snapshot_name(name) or name.endswith((".npz", ".ckpt"))):
        return [["test", *common, "--snapshot", place.snapshot(name), "--set", *place.pairs(pairs)]]
    named = [*common, "--name", check_run_name("default" if name is None else name)]
    given = ["--set", *place.pairs(pairs)]
    if options.no_test:
        return [["train", *named, *given]]
    return [["train", *named, "--then-test", *given], ["test", *named, "--reuse", *given]]


def _test(script: str, words: Sequence[str], place: Place) -> list[Command]:
    options = _read(script, words)
    common, rest = _common(script, options, place)
    if not rest:
        raise UserError(usage(script))
    pairs = detector_pairs(rest[1:]) if script.endswith(FASTER_RCNN) else rest[1:]
    return [["test", *common, "--snapshot", place.snapshot(rest[0]), "--set", *place.pairs(pairs)]]


def _table(script: str, words: Sequence[str], place: Place) -> list[Command]:
    if script == "table3":
        return _cost(script, words, place)
    options = _read(script, words, ["--seeds", "--tag", "--rows", "--split"], ["--report"])
    common, rest = _common(script, options, place)
    chosen = [
        word
        for key in ("seeds", "tag", "rows", "split")
        if getattr(options, key) is not None
        for word in (f"--{key}", getattr(options, key))
    ]
    chosen += ["--report"] if options.report else []
    return [["table", "--table", script[-1], *common, *chosen, "--set", *place.pairs(rest)]]


def _cost(script: str, words: Sequence[str], place: Place) -> list[Command]:
    options = _read(script, words)
    if len(options.words) < 2:
        raise UserError(usage(script))
    gpu, net, *rest = options.words
    _check_gpu(gpu)
    files_of("", net)  # refuses an unknown net
    where = ["--gpu", gpu, "--output", _output(options, place)]
    return [["cost", "--net", net, *where, "--set", *place.pairs(rest)]]


def _fetch(script: str, words: Sequence[str], place: Place) -> list[Command]:
    parser = _parser(script, ["--from", "--data"], ["--keep", "--verify"])
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse(words)
    if not options.words:
        raise UserError(usage(script))
    source, data = getattr(options, "from"), options.data or os.environ.get("DATA_DIR", "")
    command = ["fetch", *options.words]
    command += [word for part in options.only for word in ("--only", part)]
    command += ["--from", source if "://" in source else place.absolute(source)] if source else []
    command += ["--data", place.absolute(data)] if data else []
    return [command + [f"--{name}" for name in ("keep", "verify") if getattr(options, name)]]


def _serve(script: str, words: Sequence[str], place: Place) -> list[Command]:
    values = ["--host", "--port", "--max-mb", "--max-megapixels", "--examples"]
    options = _parser(script, values).parse(words)
    if len(options.words) not in (1, 2):
        raise UserError(usage(script))
    gpu, *snapshots = options.words
    if not gpu.isdecimal() and gpu != "cpu":
        raise UserError(f"unknown GPU {gpu!r}: give its number (0), or cpu")
    command = ["serve", "--gpu", gpu]
    for snapshot in map(place.absolute, snapshots):
        if not os.path.isfile(snapshot):
            raise UserError(f"{snapshot}: no such snapshot")
        command += ["--snapshot", snapshot]
    if options.examples is not None:
        options.examples = place.absolute(options.examples)
    for option in values:
        value = getattr(options, option[2:].replace("-", "_"))
        command += [option, value] if value is not None else []
    return [command]


_SCRIPTS: dict[str, Callable[[str, Sequence[str], Place], list[Command]]] = {
    "train": _train,
    "test": _test,
    f"train{FASTER_RCNN}": _train,
    f"test{FASTER_RCNN}": _test,
    "table": _table,
    "fetch": _fetch,
    "serve": _serve,
}


def _parser(script: str, values: Sequence[str], flags: Sequence[str] = ()) -> Parser:
    parser = Parser(f"{script}.sh", bare="words", add_help=False)
    for option in values:
        parser.add_argument(option)
    for option in flags:
        parser.add_argument(option, action="store_true")
    return parser


def _read(
    script: str, words: Sequence[str], values: Sequence[str] = (), flags: Sequence[str] = ()
) -> argparse.Namespace:
    """The options of a script, including --data and --output, which may be anywhere."""
    return _parser(script, ["--data", "--output", *values], flags).parse(words)


def _common(script: str, options: argparse.Namespace, place: Place) -> tuple[Command, list[str]]:
    """The options that `<gpu> <dataset> <net>`, --data and --output stand for, and the remaining words."""
    if len(options.words) < 3:
        raise UserError(usage(script))
    gpu, dataset, net, *rest = options.words
    net = detector_net(net, known_nets()) if script.endswith(FASTER_RCNN) else net
    data = options.data or os.environ.get("DATA_DIR", "")
    data = place.absolute(data) if data else ""
    _check_gpu(gpu)
    files_of("", net)  # refuses an unknown net
    detects = net.startswith(PREFIX)
    dataset = _dataset(dataset, detects, Path(data).expanduser() if data else place.root / "data", place)
    words = ["--dataset", dataset, "--net", net, "--gpu", gpu, "--output", _output(options, place)]
    return words + (["--data", data] if data else []), rest


def _output(options: argparse.Namespace, place: Place) -> str:
    output = options.output or os.environ.get("OUTPUT_DIR", "")
    return place.absolute(output) if output else str(place.root / "output")


def _datasets(detects: bool) -> tuple[str, ...]:
    """The names of data sets for detectors, or for other nets."""
    return DETECTION_DATASETS if detects else DATASETS


def _dataset(word: str, detects: bool, data: Path, place: Place) -> str:
    """A data set's name, its folder, or its name in the data folder."""
    known = catalogued(word)
    if known in _datasets(detects):
        return known
    folder = os.path.expanduser(place.absolute(word))
    if os.path.isdir(folder):
        return folder
    if os.path.isdir(data / word):
        return word
    wrong = f"unknown data set {word!r}"
    if known:
        wrong = f"{known} is for {'train.sh and test.sh' if detects else 'detectors (train_faster_rcnn.sh)'}"
    raise UserError(
        f"{wrong}: give one of {' '.join(_datasets(detects))}, or a folder, also one in the folder of --data"
    )


def _check_gpu(gpu: str) -> None:
    if not GPUS.fullmatch(gpu):
        raise UserError(f"unknown GPU {gpu!r}: give its number (0), several (0,1), or cpu")


def _is_there(path: str) -> bool:
    """Whether such a file exists, or a snapshot without its ending, or a TensorFlow 1 checkpoint."""
    return any(os.path.exists(file) for file in (path, f"{path}.npz", f"{path}.index"))
