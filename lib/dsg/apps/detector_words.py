"""The words of train_faster_rcnn.sh and test_faster_rcnn.sh that differ from ours: names of nets, and options
of tf-faster-rcnn. Only the standard library is loaded.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from dsg.config.names import DETECTOR
from dsg.errors import UserError

PREFIX = f"{DETECTOR}_"
OPTIONS = {
    "TRAIN.USE_GT": "DETECTOR.ADD_GT",
    "TRAIN.BG_THRESH_HI": "TRAIN.BG_THRESH",
    "POOLING_MODE": "DETECTOR.ROI_MODE",
}
"""tf-faster-rcnn's name of an option -> ours, where another option has the name, or none."""
VALUES = {"align": "aligned"}  # of POOLING_MODE, in forks of it


def detector_net(word: str, nets: Sequence[str]) -> str:
    """The one of the known nets that a word such as res101 stands for.

    Raises:
        UserError: there is no such detector.

    Example:
        >>> nets = ["res101", "detector_res101"]
        >>> detector_net("res101", nets), detector_net("detector_res101", nets)
        ('detector_res101', 'detector_res101')
    """
    net = word if word.startswith(PREFIX) else f"{PREFIX}{word}"
    if net not in nets:
        words = detector_nets(nets)
        close = difflib.get_close_matches(word, words, n=1)
        hint = f"did you mean {close[0]}? All nets: " if close else "one of "
        raise UserError(f"unknown net {word!r}: {hint}{' '.join(words)}")
    return net


def detector_nets(nets: Sequence[str]) -> list[str]:
    """Those of the known nets that are detectors, as the scripts name them.

    Example:
        >>> detector_nets(["mini", "detector_mini", "detector_vgg16"])
        ['mini', 'vgg16']
    """
    return [net[len(PREFIX) :] for net in nets if net.startswith(PREFIX)]


def detector_pairs(words: Sequence[str]) -> list[str]:
    """KEY VALUE pairs with tf-faster-rcnn's words replaced.

    Example:
        >>> detector_pairs(["TRAIN.USE_GT", "True", "POOLING_MODE", "crop", "TRAIN.GAMMA", "0.1"])
        ['DETECTOR.ADD_GT', 'True', 'DETECTOR.ROI_MODE', 'crop', 'TRAIN.GAMMA', '0.1']
    """
    pairs = list(words)
    for place in range(0, len(pairs), 2):
        if pairs[place] == "POOLING_MODE" and place + 1 < len(pairs):
            pairs[place + 1] = VALUES.get(pairs[place + 1], pairs[place + 1])
        pairs[place] = OPTIONS.get(pairs[place], pairs[place])
    return pairs
