"""The words of train_sg.sh, test_sg.sh and table_sg.sh: `<gpu> <dataset> <net>`, then a context and a name, a
snapshot and a setting, or the number of a table. Only the standard library is loaded.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from dsg.apps.configurations import GRAPH_DATASETS, catalogued
from dsg.config.grounding import CONTEXTS, DETECTOR_STAGE, GRAPH_STAGE, SETTINGS, STAGES
from dsg.config.names import GROUNDING
from dsg.errors import UserError

PREFIX, DETECTOR = f"{GROUNDING}_", f"_{DETECTOR_STAGE}"
WEIGHTS = "WEIGHTS"
TABLES = ("1", "2", "3", "4")


def graph_nets(nets: Sequence[str]) -> list[str]:
    """Those of the known nets that are of grounded graphs, as the scripts name them.

    Example:
        >>> graph_nets(["mini", "grounding_mini", "grounding_mini_detector"])
        ['mini']
    """
    return [net[len(PREFIX) :] for net in nets if net.startswith(PREFIX) and not net.endswith(DETECTOR)]


def graph_net(word: str, stage: str | None, nets: Sequence[str]) -> str:
    """The one of the known nets that a word such as res101 stands for in a stage (None: that of the graph).

    Raises:
        UserError: there is no such net or stage.

    Example:
        >>> nets = ["grounding_mini", "grounding_mini_detector"]
        >>> graph_net("mini", "detector", nets), graph_net("grounding_mini", None, nets)
        ('grounding_mini_detector', 'grounding_mini')
    """
    if stage is not None and stage not in STAGES:
        raise UserError(f"--stage is one of {', '.join(STAGES)}, not {stage!r}")
    net = word if word.startswith(PREFIX) else f"{PREFIX}{word}"
    net += DETECTOR if stage == DETECTOR_STAGE and not net.endswith(DETECTOR) else ""
    if net not in nets:
        words = graph_nets(nets)
        close = difflib.get_close_matches(word, words, n=1)
        hint = f"did you mean {close[0]}? All nets: " if close else "one of "
        raise UserError(f"unknown net {word!r}: {hint}{' '.join(words)}")
    return net


def is_detector(net: str) -> bool:
    """Whether a net is the detector on which graphs are learned."""
    return net.endswith(DETECTOR)


def context_first(words: Sequence[str], net: str) -> tuple[list[str], list[str]]:
    """The pairs that a context in front of words stands for, and the words behind it.

    Raises:
        UserError: a graph is to be learned, and no context is named.
    """
    if words and words[0] in CONTEXTS:
        stage = [] if is_detector(net) else ["GROUNDING.CONTEXT", words[0]]
        return stage, list(words[1:])
    if is_detector(net):
        return [], list(words)
    raise UserError(
        f"behind the net comes what reads the objects together: one of {', '.join(CONTEXTS)}"
        + (f", not {words[0]!r}" if words else "")
        + " (or --stage detector, to train the detector)"
    )


def setting_pairs(setting: str | None, *, tested: bool = False) -> list[str]:
    """The pair that a setting stands for; none for None.

    Args:
        tested: in a test, which leaves that of the training as it is.

    Raises:
        UserError: there is no such setting.
    """
    if setting is not None and setting not in SETTINGS:
        raise UserError(f"the setting is one of {', '.join(SETTINGS)}, not {setting!r}")
    return [] if setting is None else [f"GROUNDING.{'TEST_' * tested}SETTING", setting]


def detector_weights(pairs: Sequence[str], net: str, dataset: str, output: str) -> list[str]:
    """KEY VALUE pairs in which WEIGHTS may be the name of a run of the detector on the same data set: there
    stands its folder.

    Raises:
        UserError: a graph is to be learned, and WEIGHTS is missing.
    """
    pairs = list(pairs)
    places = [place for place in range(0, len(pairs) - 1, 2) if pairs[place] == WEIGHTS]
    if not places and not is_detector(net):
        raise UserError(
            f"a graph is learned on a trained detector: add {WEIGHTS} and its snapshot, or the name of a run "
            "of --stage detector"
        )
    label = catalogued(dataset) or Path(dataset).resolve().name
    for place in places:
        folder = os.path.join(output, f"{net}{DETECTOR}", f"{label}_train", pairs[place + 1])
        if not is_detector(net) and not os.path.exists(pairs[place + 1]) and os.path.isdir(folder):
            pairs[place + 1] = folder
    return pairs


def table_number(words: Sequence[str]) -> tuple[str, list[str]]:
    """The number of a table in front of words, and the words behind it.

    Raises:
        UserError: there is none.
    """
    if not words or words[0] not in TABLES:
        raise UserError(
            f"behind the net comes the number of one of the paper's tables, {TABLES[0]} to {TABLES[-1]}"
            + (f", not {words[0]!r}" if words else "")
        )
    return words[0], list(words[1:])


def usage(name: str, nets: Sequence[str]) -> str:
    """The line that `--help` prints."""
    places = "[--data DIR] [--output DIR]"
    datasets = f"<dataset>: {' '.join(GRAPH_DATASETS)}, or a folder; <net>: {' '.join(graph_nets(nets))}"
    if name == "table_sg":
        return (
            f"usage: table_sg.sh <gpu> <dataset> <net> {'|'.join(TABLES)} [KEY VALUE ...] [--seeds N] "
            f"[--tag NAME] [--rows LIST] [--split validation] [--report] {places} (<gpu>: 0, or 0,1, or cpu; "
            f"{datasets}; detectors:KEY VALUE, graphs:KEY VALUE, SETTING:KEY VALUE and ROW:KEY VALUE are for "
            "some rows only)"
        )
    if name == "test_sg":
        return (
            f"usage: test_sg.sh <gpu> <dataset> <net> <snapshot> [{'|'.join(SETTINGS)}] [KEY VALUE ...] "
            f"[--stage {'|'.join(STAGES)}] {places} (<snapshot>: <name>_iter_N, or a file; <gpu>: 0 or cpu; "
            f"{datasets}; without a setting, that of the training)"
        )
    return (
        f"usage: train_sg.sh <gpu> <dataset> <net> {'|'.join(CONTEXTS)} [name] [KEY VALUE ...] [--name NAME] "
        f"[--stage {'|'.join(STAGES)}] [--setting {'|'.join(SETTINGS)}] [--no-test] {places} (<gpu>: 0, or "
        f"0,1, or cpu; {datasets}; --stage {DETECTOR_STAGE} needs no {CONTEXTS[0]}; --stage {GRAPH_STAGE}, "
        f"the default, needs {WEIGHTS}: a detector's snapshot, or the name of its run)"
    )
