"""The configuration files of a data set and a net: `experiments/cfgs`, or the wheel's copy of it.

Only the standard library is loaded, so that help can list the nets.
"""

from __future__ import annotations

import os
from pathlib import Path

from dsg.config import config_files, net_names
from dsg.runtime.clone import clone_root

# As in dsg.datasets.catalogue, .instance_layouts and .scene_graph_layout, which need NumPy.
DATASETS = ("visualgenome", "vrd", "clevr", "shapes")
DETECTION_DATASETS = ("pascal_voc", "pascal_voc_0712", "coco", "shapes")
GRAPH_DATASETS = ("vg150", "shapes150")


def configuration_folder() -> Path:
    """The folder of the configuration files."""
    root = clone_root()
    return root / "experiments" / "cfgs" if root else Path(os.path.abspath(__file__)).parents[1] / "cfgs"


def known_nets() -> list[str]:
    """The nets of `configuration_folder`."""
    return net_names(configuration_folder())


def catalogued(dataset: str) -> str | None:
    """The name of a known data set, in whatever spelling; None for anything else.

    Example:
        >>> catalogued("Visual_Genome"), catalogued("pascal-voc"), catalogued("photos")
        ('visualgenome', 'pascal_voc', None)
    """
    plain = dataset.lower().replace("_", "").replace("-", "")
    names = (*DATASETS, *DETECTION_DATASETS, *GRAPH_DATASETS)
    return next((name for name in names if name.replace("_", "") == plain), None)


def files_of(dataset: str, net: str) -> list[Path]:
    """The files that apply to a data set and a net, in reading order.

    Args:
        dataset: a name of the catalogue, a folder, or empty.
        net: one of `known_nets`, or empty.

    Raises:
        UserError: the net is unknown.
    """
    label = catalogued(dataset) or (Path(dataset).resolve().name if dataset else "")
    return config_files(configuration_folder(), label, net)
