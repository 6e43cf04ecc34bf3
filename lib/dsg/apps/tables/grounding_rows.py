"""What the tables of grounded scene graphs consist of, and the numbers that were published.

A row of a table is a model in one of the settings: options on one of two detectors, that of graphs and masks
(`joint`) or that of graphs alone (`plain`). Rows with the same key are the same run in every table.
"""

from __future__ import annotations

from dataclasses import dataclass

from dsg.apps.tables.rows import Row
from dsg.config.grounding import PREDCLS, SETTINGS, SGCLS, SGDET

DETECTORS, GRAPHS = "detectors", "graphs"
SETTING_TITLES = {PREDCLS: "PredCls", SGCLS: "SGCls", SGDET: "SGDet"}
FINAL = "vctree_final"

# BL: nothing of masks, on the plain detector. SG: the paper's, which also learns to refine.
_NO_MASKS = {"GROUNDING.NODE_MASKS": "False", "GROUNDING.EDGE_MASK": "none", "GROUNDING.REFINE": "False"}
_NODES = {**_NO_MASKS, "GROUNDING.NODE_MASKS": "True"}
_BL = {"GROUNDING.JOINT": "False", **_NO_MASKS}
_SG = {**_NODES, "GROUNDING.EDGE_MASK": "gaussian", "GROUNDING.REFINE": "True"}
# A row that only tests: the snapshot of SG, answering once more with refined masks.
_REFINED = {**_SG, "GROUNDING.REFINE_AT_INFERENCE": "True"}


def _words(options: dict[str, str]) -> tuple[str, ...]:
    return tuple(word for pair in options.items() for word in pair)


DETECTOR_ROWS = {
    "joint": Row("joint", "detector of graphs and masks", DETECTORS, pairs=("GROUNDING.JOINT", "True")),
    "plain": Row("plain", "detector of graphs alone", DETECTORS, pairs=("GROUNDING.JOINT", "False")),
}


@dataclass(frozen=True)
class Model:
    """A model of the tables: a row for each setting."""

    key: str
    title: str
    context: str
    options: dict[str, str]
    tests: str = ""  # key of the model whose snapshots it tests; empty: it is trained

    def row(self, setting: str) -> Row:
        """Its row in a setting."""
        detector = "plain" if self.options.get("GROUNDING.JOINT") == "False" else "joint"
        options = {"GROUNDING.CONTEXT": self.context, "GROUNDING.SETTING": setting, **self.options}
        return Row(
            f"{self.key}_{setting}",
            f"{self.title}, {SETTING_TITLES[setting]}",
            setting,
            detector,
            _words(options),
            (GRAPHS, self.key),
            f"{self.tests}_{setting}" if self.tests else "",
        )


MODELS = {
    model.key: model
    for model in (
        Model("imp", "IMP", "imp", _BL),
        Model("motif_bl", "MOTIF, BL", "motif", _BL),
        Model("motif_sg", "MOTIF, SG", "motif", _SG),
        Model("vctree_bl", "VCTree, BL", "vctree", _BL),
        Model("vctree_sg", "VCTree, SG", "vctree", _SG),
        Model("dsg", "DSG, SG", "dsg", _SG),
        Model("vctree_joint", "VCTree, Joint", "vctree", _NO_MASKS),
        Model("vctree_nodes", "VCTree, + OG", "vctree", _NODES),
        Model("vctree_average", "VCTree, + EG avg", "vctree", {**_NODES, "GROUNDING.EDGE_MASK": "average"}),
        Model("vctree_union", "VCTree, + EG union", "vctree", {**_NODES, "GROUNDING.EDGE_MASK": "union"}),
        Model(
            "vctree_gaussian",
            "VCTree, + EG Gaussian",
            "vctree",
            {**_NODES, "GROUNDING.EDGE_MASK": "gaussian"},
        ),
        Model(FINAL, "VCTree, Final", "vctree", _REFINED, "vctree_sg"),
    )
}
ALL_ROWS = {row.key: row for model in MODELS.values() for row in map(model.row, SETTINGS)}
STEPS = ("bl", "joint", "nodes", "average", "union", "gaussian", "final")  # of table 4
_MODELS = {
    1: ("imp", "motif_bl", "motif_sg", "vctree_bl", "vctree_sg", "dsg"),
    2: ("motif_sg", "vctree_sg"),
    3: ("motif_bl", "motif_sg", "vctree_bl", "vctree_sg"),
    4: tuple(f"vctree_{step}" for step in STEPS),
}
TABLES: dict[int, tuple[Row, ...]] = {
    table: tuple(
        ALL_ROWS[f"{model}_{setting}"]
        for setting in (SETTINGS if table < 4 else (SGCLS,))
        for model in models
    )
    for table, models in _MODELS.items()
}
TITLES = {
    1: "Scene graphs: mean recall",
    2: "Masks, refined by their context",
    3: "Scene graphs: triplets that never occur in training",
    4: "What each part brings (VCTree, SGCls)",
}

VGG, X101 = "VGG-16", "X-101-FPN"
# Of Visual Genome, in percent, by the backbone, then by row.
PUBLISHED_MEAN_RECALL: dict[str, dict[str, tuple[float | None, float, float]]] = {  # at 20, 50, 100
    VGG: {
        "imp_predcls": (None, 9.8, 10.5),
        "imp_sgcls": (None, 5.8, 6.0),
        "imp_sgdet": (None, 3.8, 4.8),
        "motif_bl_predcls": (13.7, 17.5, 18.9),
        "motif_bl_sgcls": (7.5, 9.2, 9.8),
        "motif_bl_sgdet": (5.2, 6.8, 7.9),
        "motif_sg_predcls": (14.6, 18.7, 20.3),
        "motif_sg_sgcls": (7.9, 9.8, 10.5),
        "motif_sg_sgdet": (5.6, 7.3, 8.1),
        "vctree_bl_predcls": (14.4, 18.4, 19.8),
        "vctree_bl_sgcls": (8.1, 9.9, 10.7),
        "vctree_bl_sgdet": (4.4, 5.7, 6.4),
        "vctree_sg_predcls": (14.8, 18.9, 20.5),
        "vctree_sg_sgcls": (8.7, 10.8, 11.6),
        "vctree_sg_sgdet": (5.3, 7.0, 7.8),
    },
    X101: {
        "motif_bl_predcls": (14.1, 18.0, 19.4),
        "motif_bl_sgcls": (8.0, 9.9, 10.6),
        "motif_bl_sgdet": (5.8, 7.7, 9.0),
        "motif_sg_predcls": (14.5, 18.5, 20.2),
        "motif_sg_sgcls": (8.9, 11.2, 12.1),
        "motif_sg_sgdet": (6.4, 8.3, 9.2),
        "vctree_bl_predcls": (13.7, 17.4, 19.0),
        "vctree_bl_sgcls": (8.1, 9.9, 10.6),
        "vctree_bl_sgdet": (5.3, 6.9, 7.9),
        "vctree_sg_predcls": (15.0, 19.2, 21.1),
        "vctree_sg_sgcls": (9.3, 11.6, 12.3),
        "vctree_sg_sgdet": (6.3, 8.1, 9.0),
    },
}
PUBLISHED_ZERO_SHOT: dict[str, dict[str, tuple[float, float]]] = {  # at 20, 100
    VGG: {
        "motif_bl_predcls": (1.7, 6.7),
        "motif_bl_sgcls": (0.2, 1.1),
        "motif_bl_sgdet": (0.0, 0.4),
        "motif_sg_predcls": (3.2, 9.3),
        "motif_sg_sgcls": (0.4, 1.6),
        "motif_sg_sgdet": (0.1, 0.5),
        "vctree_bl_predcls": (1.8, 7.3),
        "vctree_bl_sgcls": (0.6, 1.8),
        "vctree_bl_sgdet": (0.1, 0.5),
        "vctree_sg_predcls": (3.5, 10.2),
        "vctree_sg_sgcls": (0.7, 2.4),
        "vctree_sg_sgdet": (0.3, 0.9),
    },
    X101: {
        "motif_bl_predcls": (1.9, 7.2),
        "motif_bl_sgcls": (0.3, 1.2),
        "motif_bl_sgdet": (0.0, 0.5),
        "motif_sg_predcls": (4.1, 10.5),
        "motif_sg_sgcls": (0.8, 2.5),
        "motif_sg_sgdet": (0.1, 1.0),
        "vctree_bl_predcls": (1.8, 7.1),
        "vctree_bl_sgcls": (0.4, 1.2),
        "vctree_bl_sgdet": (0.1, 0.7),
        "vctree_sg_predcls": (4.3, 10.6),
        "vctree_sg_sgcls": (0.8, 2.5),
        "vctree_sg_sgdet": (0.3, 1.5),
    },
}
PUBLISHED_STEPS: dict[str, tuple[float, ...]] = {  # X101: mR@20, 50, 100, zsR@20, 100
    "vctree_bl_sgcls": (8.1, 9.9, 10.6, 0.3, 1.2),
    "vctree_joint_sgcls": (8.5, 10.5, 11.1, 0.4, 1.5),
    "vctree_nodes_sgcls": (9.0, 11.1, 11.8, 0.6, 2.1),
    "vctree_average_sgcls": (9.1, 11.4, 12.2, 0.8, 2.4),
    "vctree_union_sgcls": (9.1, 11.3, 12.2, 0.7, 2.4),
    "vctree_gaussian_sgcls": (9.3, 11.5, 12.2, 0.7, 2.3),
    "vctree_final_sgcls": (9.4, 11.6, 12.3, 0.8, 2.5),
}
NO_REFINE = "no_refine"  # in the place of a model: the detector's masks
PUBLISHED_MASKS: dict[str, dict[str, tuple[float, ...]]] = {  # AP, AP50, AP75, of small, medium, large
    VGG: {
        "no_refine_predcls": (31.5, 63.8, 28.1, 21.8, 36.4, 43.9),
        "no_refine_sgcls": (32.5, 58.9, 31.8, 17.0, 35.3, 42.3),
        "no_refine_sgdet": (23.2, 44.7, 21.6, 8.1, 26.0, 35.1),
        "motif_sg_predcls": (42.4, 78.1, 40.9, 33.0, 46.6, 55.8),
        "motif_sg_sgcls": (37.5, 63.5, 38.8, 21.0, 40.7, 48.4),
        "motif_sg_sgdet": (24.7, 45.8, 23.9, 8.6, 27.9, 38.1),
        "vctree_sg_predcls": (41.9, 77.6, 40.3, 32.8, 46.1, 55.2),
        "vctree_sg_sgcls": (37.4, 63.4, 38.6, 20.9, 40.5, 48.4),
        "vctree_sg_sgdet": (24.9, 46.1, 24.1, 8.6, 28.1, 38.4),
    },
    X101: {
        "no_refine_predcls": (54.8, 87.6, 58.3, 46.3, 57.8, 68.1),
        "no_refine_sgcls": (51.6, 76.7, 56.9, 37.9, 53.7, 62.2),
        "no_refine_sgdet": (39.2, 61.2, 42.4, 20.0, 42.3, 55.7),
        "motif_sg_predcls": (59.3, 90.6, 64.7, 52.0, 62.2, 70.6),
        "motif_sg_sgcls": (54.6, 78.2, 61.1, 41.1, 56.8, 64.1),
        "motif_sg_sgdet": (39.2, 61.2, 42.4, 19.9, 42.3, 55.8),
        "vctree_sg_predcls": (59.0, 90.4, 64.2, 51.7, 62.0, 70.4),
        "vctree_sg_sgcls": (54.3, 77.9, 60.4, 41.0, 56.4, 63.8),
        "vctree_sg_sgdet": (39.2, 61.2, 42.4, 19.9, 42.3, 55.7),
    },
}
