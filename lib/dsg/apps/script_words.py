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
from typing import NamedTuple

from dsg.apps import graph_words
from dsg.apps.commands.fetch import PARTS
from dsg.apps.configurations import (
    DATASETS,
    DETECTION_DATASETS,
    GRAPH_DATASETS,
    catalogued,
    files_of,
    known_nets,
)
from dsg.apps.detector_words import PREFIX, detector_net, detector_nets, detector_pairs
from dsg.apps.parser import Parser
from dsg.config import BASELINES
from dsg.engine.names import check_run_name, is_snapshot_name
from dsg.errors import UserError

KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Z0-9_]+)*")
GPUS = re.compile(r"cpu|[0-9]+(,[0-9]+)*")
FILES = ("WEIGHTS", "DATA.DIR")  # options that name files
PLACES = "[--data DIR] [--output DIR]"
FASTER_RCNN, GRAPHS = "_faster_rcnn", "_sg"  # how the names of scripts end: detectors, grounded graphs
DATASETS_OF = {FASTER_RCNN: DETECTION_DATASETS, GRAPHS: GRAPH_DATASETS, "": DATASETS}
SCRIPTS_OF = {FASTER_RCNN: "train_faster_rcnn.sh", GRAPHS: "train_sg.sh", "": "train.sh and test.sh"}
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
    if name.endswith(GRAPHS):
        return graph_words.usage(name, known_nets())
    others = [net for net in known_nets() if not net.startswith((PREFIX, graph_words.PREFIX))]
    nets = "<net>: " + " ".join(detector_nets(known_nets()) if name.endswith(FASTER_RCNN) else others)
    gpu = "<gpu>: 0, or 0,1, or cpu"
    datasets = f"<dataset>: {' '.join(DATASETS_OF[_kind(name)])}, or a folder"
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
    of_graphs = script.endswith(GRAPHS)
    options = _read(
        script, words, ["--name", *(["--stage", "--setting"] if of_graphs else [])], ["--no-test"]
    )
    common, rest = _common(script, options, place)
    before: list[str] = []
    if of_graphs:
        before, rest = graph_words.context_first(rest, common.net)
    name, pairs = (options.name, rest) if options.name is not None else name_and_pairs(rest)
    pairs = detector_pairs(pairs) if script.endswith(FASTER_RCNN) else pairs
    trained = name is not None and (is_snapshot_name(name) or name.endswith((".npz", ".ckpt")))
    if of_graphs:
        before += graph_words.setting_pairs(options.setting, tested=trained)
    pairs = [*before, *pairs]
    if name is not None and trained:
        return [["test", *common.words, "--snapshot", place.snapshot(name), "--set", *place.pairs(pairs)]]
    if of_graphs:
        pairs = graph_words.detector_weights(pairs, common.net, common.dataset, common.output)
    named = [*common.words, "--name", check_run_name("default" if name is None else name)]
    given = ["--set", *place.pairs(pairs)]
    if options.no_test:
        return [["train", *named, *given]]
    return [["train", *named, "--then-test", *given], ["test", *named, "--reuse", *given]]


def _test(script: str, words: Sequence[str], place: Place) -> list[Command]:
    options = _read(script, words, ["--stage"] if script.endswith(GRAPHS) else [])
    common, rest = _common(script, options, place)
    if not rest:
        raise UserError(usage(script))
    snapshot, pairs = rest[0], rest[1:]
    if script.endswith(GRAPHS) and len(pairs) % 2:
        pairs = [*graph_words.setting_pairs(pairs[0], tested=True), *pairs[1:]]
    pairs = detector_pairs(pairs) if script.endswith(FASTER_RCNN) else pairs
    return [["test", *common.words, "--snapshot", place.snapshot(snapshot), "--set", *place.pairs(pairs)]]


def _table(script: str, words: Sequence[str], place: Place) -> list[Command]:
    if script == "table3":
        return _cost(script, words, place)
    options = _read(script, words, ["--seeds", "--tag", "--rows", "--split"], ["--report"])
    common, rest = _common(script, options, place)
    table = script[-1]
    if script.endswith(GRAPHS):
        table, rest = graph_words.table_number(rest)
    chosen = [
        word
        for key in ("seeds", "tag", "rows", "split")
        if getattr(options, key) is not None
        for word in (f"--{key}", getattr(options, key))
    ]
    chosen += ["--report"] if options.report else []
    return [["table", "--table", table, *common.words, *chosen, "--set", *place.pairs(rest)]]


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
    f"train{GRAPHS}": _train,
    f"test{GRAPHS}": _test,
    f"table{GRAPHS}": _table,
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


class Common(NamedTuple):
    """What `<gpu> <dataset> <net>`, --data and --output stand for."""

    gpu: str
    dataset: str
    net: str
    output: str
    data: str

    @property
    def words(self) -> Command:
        """As options of a command."""
        words = ["--dataset", self.dataset, "--net", self.net, "--gpu", self.gpu, "--output", self.output]
        return words + (["--data", self.data] if self.data else [])


def _common(script: str, options: argparse.Namespace, place: Place) -> tuple[Common, list[str]]:
    """The beginning of a script's words, and the remaining ones."""
    if len(options.words) < 3:
        raise UserError(usage(script))
    gpu, dataset, net, *rest = options.words
    if script.endswith(FASTER_RCNN):
        net = detector_net(net, known_nets())
    if script.endswith(GRAPHS):
        net = graph_words.graph_net(net, getattr(options, "stage", None), known_nets())
    data = options.data or os.environ.get("DATA_DIR", "")
    data = place.absolute(data) if data else ""
    _check_gpu(gpu)
    files_of("", net)  # refuses an unknown net
    kind = _kind(script)
    if net.startswith((PREFIX, graph_words.PREFIX)):  # named in full, for a script of others
        kind = FASTER_RCNN if net.startswith(PREFIX) else GRAPHS
    dataset = _dataset(dataset, kind, Path(data).expanduser() if data else place.root / "data", place)
    return Common(gpu, dataset, net, _output(options, place), data), rest


def _kind(script: str) -> str:
    """The end of a script's name that says what it is for."""
    return next((end for end in (FASTER_RCNN, GRAPHS) if script.endswith(end)), "")


def _output(options: argparse.Namespace, place: Place) -> str:
    output = options.output or os.environ.get("OUTPUT_DIR", "")
    return place.absolute(output) if output else str(place.root / "output")


def _dataset(word: str, kind: str, data: Path, place: Place) -> str:
    """A data set's name, its folder, or its name in the data folder."""
    known = catalogued(word)
    if known in DATASETS_OF[kind]:
        return known
    folder = os.path.expanduser(place.absolute(word))
    if os.path.isdir(folder):
        return folder
    if os.path.isdir(data / word):
        return word
    wrong = f"unknown data set {word!r}"
    if known:
        other = next(end for end, names in DATASETS_OF.items() if known in names)
        whose = {FASTER_RCNN: "detectors ({})", GRAPHS: "scene graphs ({})", "": "{}"}[other]
        wrong = f"{known} is for {whose.format(SCRIPTS_OF[other])}"
    raise UserError(
        f"{wrong}: give one of {' '.join(DATASETS_OF[kind])}, or a folder, also one in the folder of --data"
    )


def _check_gpu(gpu: str) -> None:
    if not GPUS.fullmatch(gpu):
        raise UserError(f"unknown GPU {gpu!r}: give its number (0), several (0,1), or cpu")


def _is_there(path: str) -> bool:
    """Whether such a file exists, or a snapshot without its ending, or a TensorFlow 1 checkpoint."""
    return any(os.path.exists(file) for file in (path, f"{path}.npz", f"{path}.index"))
