"""Options of scene graphs that are grounded by masks: `GROUNDING.*`. The defaults are the release's."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.option import COUNT, NOT_NEGATIVE, SHARE, option

DETECTOR_STAGE, GRAPH_STAGE = "detector", "graph"
STAGES = (GRAPH_STAGE, DETECTOR_STAGE)
PREDCLS, SGCLS, SGDET = "predcls", "sgcls", "sgdet"
SETTINGS = (PREDCLS, SGCLS, SGDET)
CONTEXTS = ("motif", "vctree", "imp", "dsg")
NO_EDGE_MASK = "none"


@dataclass(frozen=True)
class GroundingStages:
    """What is learned from what."""

    stage: str = option(
        GRAPH_STAGE,
        "The detector of objects and masks, or the graph on a trained detector, which WEIGHTS names and "
        "which stays as it is.",
        STAGES,
    )
    setting: str = option(
        PREDCLS,
        "What is given beside the image: boxes and labels (predcls), boxes (sgcls), or nothing (sgdet). A "
        "graph is trained for one of them.",
        SETTINGS,
    )
    test_setting: str = option(
        "",
        "What is given in a test, if it is not that of SETTING. A graph that was trained with labels given "
        "never learned to find any: it then takes the detector's.",
        ("", *SETTINGS),
    )
    context: str = option(
        "motif",
        "What reads the objects of an image together: the paper's MOTIF and VCTree, IMP, or the graph layer "
        "of dsg.",
        CONTEXTS,
    )
    joint: bool = option(
        True,
        "The detector also learns boxes and masks of MASK_DATA. Without, as the baseline, it has boxes of "
        "the graphs' categories alone.",
    )
    mask_data: str = option(
        "",
        "Data set with masks in COCO's layout: a folder or a name (empty: the folder auxiliary of the data "
        "set, else coco beside it).",
    )
    mask_ims_per_batch: int = option(
        8,
        "Images of MASK_DATA per step on each GPU, beside TRAIN.IMS_PER_BATCH of the graphs'.",
        within=COUNT,
    )
    masks_from: str = option(
        "detector",
        "Masks of the objects: the detector's, or the true ones, which only generated data have, to see "
        "what better masks would bring.",
        ("detector", "true"),
    )
    sgdet_sampler: str = option(
        "fixed",
        "Pairs of detected boxes to learn from (sgdet): all, or as released, where predicate 0 is lost and "
        "the category with the number of predicates is in no pair.",
        ("fixed", "released"),
    )
    pairs: int = option(64, "Pairs of an image to learn relations from.", within=COUNT)
    related_share: float = option(0.25, "Largest share of related pairs among them.", within=SHARE)
    boxes: int = option(40, "With sgdet: detections that become objects of the graph, at most.", within=COUNT)
    most_boxes: int = option(
        40,
        "Images to be tested with more objects are left out, as in the release (0: none).",
        within=NOT_NEGATIVE,
    )


@dataclass(frozen=True)
class GroundingMasks:
    """How masks ground objects, pairs and each other."""

    node_masks: bool = option(True, "Objects are seen with their masks.")
    edge_mask: str = option(
        "gaussian",
        "What pairs are seen with: both masks, blurred by Gaussians and multiplied; their average; their "
        "union; what the release calls union, which is the average; or no mask.",
        ("gaussian", "average", "union", "union_released", NO_EDGE_MASK),
    )
    transfer: str = option(
        "released",
        "Masks of categories that have none: copied by name or mixed by the likeness of names; all mixed "
        "(softmax_all); or all mixed by plain dot products, as in the paper (paper_dot).",
        ("released", "softmax_all", "paper_dot"),
    )
    transfer_threshold: float = option(0.05, "Shares below it are left out of a mixture.", within=SHARE)
    gauss_net: str = option(
        "joint",
        "The Gaussian of an object in a pair follows from the scores of both, or of its own (paper).",
        ("joint", "per_object"),
    )
    sigmoid_attention: bool = option(True, "A sigmoid of the product of the two blurred masks (paper: no).")
    mask_frame: str = option(
        "own",
        "The two masks are multiplied cell by cell, each in the frame of its own box, or in that of the "
        "union box (paper).",
        ("own", "union"),
    )
    refine: bool = option(False, "Learn to refine masks by what is known of an object's context.")
    refine_input: str = option(
        "features",
        "Refinement sees the context and the image, or the context alone (paper).",
        ("features", "context"),
    )
    refine_at_inference: bool = option(
        False, "Answer once more with refined masks (paper: yes; the release's commands: no)."
    )


@dataclass(frozen=True)
class GroundingContext:
    """How objects are read together."""

    label_embed: str = option(
        "double_softmax",
        "Predicted labels are embedded by a softmax of probabilities, which makes them nearly alike, or by "
        "the probabilities (prob).",
        ("double_softmax", "prob"),
    )
    pos_swap: bool = option(True, "Places are divided by the image's other side, as in the release.")
    order: str = option(
        "right_left",
        "Direction in which motif reads objects (paper: by x).",
        ("right_left", "left_right"),
    )
    decoder_shift: int = option(
        0,
        "Row of a label in the decoder's table: its own, which is its predecessor's vector, or the next.",
        (0, 1),
    )
    frequency: bool = option(True, "How often a predicate relates two categories in training counts.")


@dataclass(frozen=True)
class GroundingSizes:
    """Widths."""

    roi_side: int = option(28, "Cells a side of crops and masks that graphs are read from.", (28, 14, 7))
    channels: int = option(256, "Channels to which the map of a net of one map is reduced.", within=COUNT)
    features: int = option(1024, "Width of the features of an object and of a pair.", within=COUNT)
    hidden: int = option(512, "Width of the context.", within=COUNT)
    embedding: int = option(200, "Width of the embeddings of labels.", within=COUNT)
    pooling: int = option(4096, "Width of a pair before its predicate.", within=COUNT)
    refiner: int = option(256, "Width of the refinement of masks.", within=COUNT)
    mask_convs: int = option(
        4,
        "Convolutions of the mask head and of the refinement (release: none with vgg16).",
        within=NOT_NEGATIVE,
    )


@dataclass(frozen=True)
class GroundingConfig(GroundingSizes, GroundingContext, GroundingMasks, GroundingStages):
    """Segmentation-grounded scene graphs, a system of its own."""

    @property
    def tested_in(self) -> str:
        """The setting of tests."""
        return self.test_setting or self.setting
