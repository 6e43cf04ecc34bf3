"""What the tables of results consist of: a row a model, and the numbers that were published.

Tables 1 and 2 are the paper's (its table 3 is that of costs); table 4 asks what options beyond it bring.
"""

from __future__ import annotations

from dataclasses import dataclass

BASELINE, GRAPH = "baselines", "graph"  # kinds of rows


@dataclass(frozen=True)
class Row:
    """One model of a table."""

    key: str  # in names of runs and options
    title: str  # in the paper
    kind: str  # BASELINE, a net of its own, or GRAPH, the table's net; of grounded graphs, the setting
    variant: str = ""  # of a GRAPH; of grounded graphs, the detector
    pairs: tuple[str, ...] = ()  # further options, KEY VALUE ...
    groups: tuple[str, ...] = ()  # further names for options that are for several rows
    tests: str = ""  # key of the row whose snapshot it tests with its own options; empty: it is trained

    @property
    def names(self) -> tuple[str, ...]:
        """What options and --rows may call it."""
        return (*self.groups, self.kind, self.key)


_SS, _CO, _VRD, _SSAS = (Row(name, name.upper(), BASELINE) for name in ("ss", "co", "vrd", "ssas"))
_TWO_STEP = Row("two_step", "TWO STEP", GRAPH, "two_step")
_NO_DSG = Row("no_dsg", "NO-DSG", GRAPH, "no_dsg")
_SGL = Row("dsg_sgl", "DSG -SGL", GRAPH, "dsg_sgl")
_BR = Row("dsg_br", "DSG -BR", GRAPH, "dsg_br")
_DSG = Row("dsg", "DSG", GRAPH, "dsg")

_RELEASED = {
    "RR.MATCHING": "False",
    "RR.QUERY_ATTENTION": "0",
    "GPI.GEOMETRY": "0",
    "GPI.ATTENTION": "softmax",
    "REFINER_CHANNELS": "0",
    "REFINER_FINE": "0",
    "EXACT_BOXES": "False",
    "LOSS.BOX_KIND": "smooth_l1",
    "TRAIN.AVERAGE": "0",
}
"""The release's design in these options, whatever the net's file says; its other options, such as weights of
losses, stay. Small nets without matching begin with queries as loud as nodes, which the release has not."""

# What is added to it; sizes suit the small nets.
_MATCHING = {"RR.MATCHING": "True", "TEST.CLASSIFIER_WEIGHT": "0.5"}
_QUERY = {"RR.QUERY_ATTENTION": "64"}
_GEOMETRY = {"GPI.GEOMETRY": "32"}
_CELLS = {"REFINER_CHANNELS": "32"}
_FINE = {"REFINER_FINE": "32"}
_EXACT = {"EXACT_BOXES": "True"}
_AVERAGE = {"TRAIN.AVERAGE": "0.998"}
_SPARSEMAX = {"GPI.ATTENTION": "sparsemax"}  # needs tensorflow-addons, as does:
_GIOU = {"LOSS.BOX_KIND": "giou"}


def _beyond(key: str, title: str, *added: dict[str, str]) -> Row:
    """DSG as released, with options."""
    options = dict(_RELEASED)
    for one in added:
        options |= one
    return Row(key, title, GRAPH, "dsg", tuple(word for pair in options.items() for word in pair))


TABLES: dict[int, tuple[Row, ...]] = {
    1: (_SS, _CO, _VRD, _SSAS, _NO_DSG, _DSG),
    2: (_TWO_STEP, _NO_DSG, _SGL, _BR, _DSG),
    4: (
        _TWO_STEP,
        _NO_DSG,
        _beyond("released", "DSG as released"),
        _beyond("matching", "+ matching head, beside it half of the classifier", _MATCHING),
        _beyond("query", "+ query attention", _QUERY),
        _beyond("geometry", "+ geometry of pairs", _GEOMETRY),
        _beyond("cells", "+ refiner sees cells", _CELLS),
        _beyond("fine", "+ refiner sees a finer map", _FINE),
        _beyond("exact", "+ exact boxes", _EXACT),
        _beyond("average", "+ averaged weights", _AVERAGE),
        _beyond("sparsemax", "+ sparsemax attention", _SPARSEMAX),
        _beyond("giou", "+ generalised IoU", _GIOU),
        _beyond("all", "all but the last two", _MATCHING, _QUERY, _GEOMETRY, _CELLS, _FINE, _EXACT, _AVERAGE),
        _DSG,
    ),
}
"""Rows in the paper's order. Rows that are in several tables are the same runs; the row DSG has the options
of the net's file."""

TITLES = {
    1: "Referring relationships: all models",
    2: "Referring relationships: ablations",
    4: "Beyond the paper",
}

# Mean IoU of subject and object. Table 1: test splits; the first four measured with the columns rr, the
# others with dsg. Table 2: validation.
PUBLISHED: dict[tuple[int, str], dict[str, tuple[float, float]]] = {
    (1, "visualgenome"): {
        "ss": (0.399, 0.469),
        "co": (0.414, 0.490),
        "vrd": (0.417, 0.480),
        "ssas": (0.421, 0.482),
        "no_dsg": (0.412, 0.47),
        "dsg": (0.489, 0.539),
    },
    (1, "vrd"): {
        "ss": (0.320, 0.371),
        "co": (0.347, 0.389),
        "vrd": (0.345, 0.387),
        "ssas": (0.369, 0.410),
        "no_dsg": (0.333, 0.366),
        "dsg": (0.4, 0.435),
    },
    (1, "clevr"): {
        "ss": (0.740, 0.740),
        "co": (0.691, 0.691),
        "vrd": (0.734, 0.732),
        "ssas": (0.778, 0.778),
        "no_dsg": (0.937, 0.937),
        "dsg": (0.963, 0.963),
    },
    (2, "visualgenome"): {
        "two_step": (0.430, 0.491),
        "no_dsg": (0.405, 0.461),
        "dsg_sgl": (0.455, 0.511),
        "dsg_br": (0.469, 0.519),
        "dsg": (0.477, 0.528),
    },
}
PUBLISHED_SPLITS = {1: "test", 2: "validation"}
PUBLISHED_ERRORS = {
    "two_step": (0.0014, 0.0014),
    "no_dsg": (0.0013, 0.0013),
    "dsg_sgl": (0.0014, 0.0013),
    "dsg_br": (0.0014, 0.0014),
    "dsg": (0.0014, 0.0014),
}
"""Standard errors of table 2; table 1 has none."""


def published(table: int, dataset: str) -> dict[str, tuple[float, float]]:
    """Subject and object IoU by row; empty if the paper has not this table for the data set (its name, or
    that of its folder).
    """
    return PUBLISHED.get((table, dataset.lower()), {})
