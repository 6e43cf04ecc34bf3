"""Every option of the system: its name, type, default and meaning.

`Config` is a tree of frozen dataclasses. The option `TRAIN.LEARNING_RATE` of a YAML file or of the command
line is the attribute `config.train.learning_rate`. Defaults reproduce the TensorFlow 1 release; where the
paper's text differs, the option's description says so and `experiments/cfgs/res101_paper.yml` holds the
paper's values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from dsg.config.baseline import BaselineConfig
from dsg.config.option import BELOW_ONE, COUNT, NOT_NEGATIVE, POSITIVE, SHARE, Range, option

BASELINES = ("ss", "co", "vrd", "ssas")  # answer with maps instead of boxes, see docs/baselines.md
SIDE = Range(16)  # pixels: one cell of the coarsest feature map
NETS = ("res18", "res50", "res101", "res152", "mini", *BASELINES)


@dataclass(frozen=True)
class DataConfig:
    """Where annotations and images come from, and how they are read."""

    dir: str = option("data", "Folder that holds the data sets, or one data set's own folder.")
    split_rule: str = option(
        "rr",
        "Validation cut: last tenth of the sorted image names (rr), or the release's shuffled cut (dsg).",
        ("rr", "dsg"),
    )
    multi_predicate: str = option(
        "sample_once",
        "A pair with several predicates keeps one, drawn when loading or anew every epoch.",
        ("sample_once", "sample_each_epoch"),
    )
    max_images: int = option(0, "Use only the first images of a split (0: all).", within=NOT_NEGATIVE)
    workers: int = option(0, "Parallel image readers (0: as many as processors).", within=NOT_NEGATIVE)


@dataclass(frozen=True)
class TrainConfig:
    """Training schedule, optimiser, input and the detector's targets."""

    epochs: int = option(20, "Epochs (called iters in snapshot names).", within=COUNT)
    optimizer: str = option(
        "momentum",
        "SGD with momentum as in the release, Adam, or RMSprop as in Keras.",
        ("momentum", "adam", "rmsprop"),
    )
    learning_rate: float = option(0.001, "Initial learning rate.", within=POSITIVE)
    momentum: float = option(0.9, "Momentum of SGD.", within=BELOW_ONE)
    weight_decay: float = option(
        0.0001,
        "L2 regularisation: times half the squared norm of each regularised kernel.",
        within=NOT_NEGATIVE,
    )
    gamma: float = option(
        0.5,
        "The learning rate is multiplied by this at each drop (SCHEDULE steps and plateau).",
        within=Range(0, 1, above=True),
    )
    stepsize: tuple[int, ...] = option(
        (4, 8, 12, 16), "Epochs after which the learning rate drops.", within=COUNT
    )
    schedule: str = option(
        "steps",
        "Learning rate drops at STEPSIZE, falls along a cosine to zero, or drops where validation (the IoU, "
        "the loss of baselines) gets no better: plateau.",
        ("steps", "cosine", "plateau"),
    )
    patience: int = option(
        3,
        "With SCHEDULE plateau: epochs in a row that may bring no better validation; each further is a drop.",
        within=NOT_NEGATIVE,
    )
    warmup_steps: int = option(
        0, "Steps over which the learning rate rises linearly from zero.", within=NOT_NEGATIVE
    )
    average: float = option(
        0.0,
        "Decay of a running average of the weights, such as 0.999, with which validation and the best "
        "snapshot answer (0: none).",
        within=BELOW_ONE,
    )
    clip_norm: float = option(
        0.0, "Gradients are scaled down to this global norm (0: never).", within=NOT_NEGATIVE
    )
    double_bias: bool = option(False, "Double the gradient of biases.")
    bias_decay: bool = option(False, "Regularise biases, too.")
    truncated: bool = option(False, "Draw the initial weights of new layers from a truncated normal.")
    freeze_detector: bool = option(False, "Train neither the trunk nor the region proposal network.")
    use_gt: bool = option(False, "Use the ground-truth boxes in place of proposals.")
    ims_per_batch: int = option(1, "Images a step on each GPU; the release takes one.", within=COUNT)
    scales: tuple[int, ...] = option(
        (600,), "Length of the shorter image side in pixels; one is drawn for each image.", within=SIDE
    )
    max_size: int = option(1000, "Longest allowed image side in pixels.", within=COUNT)
    use_flipped: bool = option(True, "Add the mirror image of every training image.")
    flip_predicates: bool = option(
        False, "Mirroring exchanges predicates such as left and right (release: it does not)."
    )
    max_queries: int = option(
        0, "Queries drawn for each training image at random (0: all of them).", within=NOT_NEGATIVE
    )
    display: int = option(
        20, "Steps between two progress lines where the output is no terminal.", within=NOT_NEGATIVE
    )
    summary_interval: int = option(100, "Steps between two TensorBoard entries.", within=NOT_NEGATIVE)
    profile: int = option(
        0,
        "Steps that TensorFlow's profiler watches, after a few to warm up; what it saw goes to tensorboard/ "
        "(0: off).",
        within=NOT_NEGATIVE,
    )
    snapshot_iters: int = option(1, "Epochs between two snapshots.", within=COUNT)
    snapshot_kept: int = option(3, "Snapshots kept besides the best one.", within=NOT_NEGATIVE)
    save_minutes: int = option(
        30,
        "Minutes between two savings inside an epoch, so that a crash costs no more (0: none).",
        within=NOT_NEGATIVE,
    )
    steps_per_epoch: int = option(
        0, "End an epoch after so many steps (0: after all images).", within=NOT_NEGATIVE
    )
    validate_images: int = option(0, "Validate on the first images only (0: on all).", within=NOT_NEGATIVE)
    max_bad_steps: int = option(
        10, "Stop after so many steps in a row whose loss is not finite.", within=COUNT
    )
    deterministic: bool = option(
        False, "Use deterministic operations, so that equal runs end with equal weights."
    )
    precision: str = option("float32", "Arithmetic of the layers.", ("float32", "bfloat16", "float16"))
    loss_scale: float = option(
        1024.0,
        "With PRECISION float16: losses times this in the backward pass, so that small gradients survive.",
        within=POSITIVE,
    )
    fg_thresh: float = option(
        0.5, "IoU from which a proposal takes the label of a ground-truth box.", within=SHARE
    )
    bg_thresh: float = option(
        0.3, "IoU below which a proposal is background; between the two it is not used.", within=SHARE
    )
    assign: str = option(
        "released",
        "Subject and object labels need FG_THRESH (released), or only the best overlap (paper).",
        ("released", "paper"),
    )
    bbox_normalize_stds: tuple[float, ...] = option(
        (0.1, 0.1, 0.2, 0.2), "Unit of the refiner's four deltas.", within=POSITIVE
    )
    rpn_batchsize: int = option(
        256, "Anchors an image that the region proposal network learns from.", within=COUNT
    )
    rpn_fg_fraction: float = option(0.5, "Largest share of positive anchors among them.", within=SHARE)
    rpn_positive_overlap: float = option(0.8, "IoU from which an anchor is positive.", within=SHARE)
    rpn_negative_overlap: float = option(0.3, "IoU below which an anchor is negative.", within=SHARE)
    rpn_clobber_positives: bool = option(
        False, "An anchor that is both positive and negative becomes negative."
    )
    rpn_positive_weight: float = option(
        -1.0, "Weight share of positive anchors in the box loss (-1: all alike).", within=Range(-1, 1)
    )
    rpn_nms_thresh: float = option(
        0.5, "IoU of non-maximum suppression, in training and testing as in the release.", within=SHARE
    )
    rpn_pre_nms_top_n: int = option(
        12000,
        "Proposals before suppression; only where USE_E2E_TF is off, as in the release.",
        within=NOT_NEGATIVE,
    )
    rpn_post_nms_top_n: int = option(
        32, "Proposals after suppression, in training and testing.", within=COUNT
    )
    rpn_nms_min_score: float = option(
        0.8, "Proposals below this score, or 0.01 below the best if that is less, are dropped.", within=SHARE
    )


@dataclass(frozen=True)
class TestConfig:
    """Testing. Proposals follow the TRAIN.RPN_* options, as in the release."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    scales: tuple[int, ...] = option((600,), "Length of the shorter image side in pixels.", within=SIDE)
    max_size: int = option(1000, "Longest allowed image side in pixels.", within=COUNT)
    ims_per_batch: int = option(1, "Images a step.", within=COUNT)
    pictures: int = option(12, "Images whose answers and scene graphs are drawn.", within=NOT_NEGATIVE)
    always_include_best: bool = option(
        True, "The best-scoring box always enters the IoU map (paper: only when no box is predicted)."
    )
    role_conflict: str = option(
        "last_wins",
        "In the true maps of the columns dsg, a box that is subject and object has the role written last "
        "(release), or both (paper); in the columns rr it always has both.",
        ("last_wins", "both"),
    )
    two_step_topk: int = option(
        0,
        "With RR_SOURCE symbolic: only so many of an image's relations, the surest, are facts (0: all).",
        within=NOT_NEGATIVE,
    )
    classifier_weight: float = option(
        1.0,
        "With RR.MATCHING: factor of the role classifier's scores in answers; in training it is 1. "
        "The classifier memorises training images, so that a smaller factor answers better on others.",
        within=SHARE,
    )
    precision: str = option("float32", "Arithmetic of the layers.", ("float32", "bfloat16", "float16"))


@dataclass(frozen=True)
class ResnetConfig:
    """The ResNet trunk and the two copies of its fourth block."""

    fixed_blocks: int = option(1, "Blocks, besides conv1, that are never trained.", (0, 1, 2, 3))
    max_pool: bool = option(
        False,
        "Crop at twice the size and max-pool; as in the release, RELATION_POOLING_SIZE 1 then means "
        "POOLING_SIZE.",
    )
    rgb_weights: bool = option(
        False, "Reverse conv1's input channels when ImageNet weights are loaded (release: it does not)."
    )
    init_heads: bool = option(
        False, "Start both copies of block 4 from ImageNet (release: from random weights)."
    )


@dataclass(frozen=True)
class HeadConfig:
    """From crops of the feature map to entity and relation features."""

    dim: int = option(
        512, "Width of entity and relation features, without their four coordinates.", within=COUNT
    )
    channels: int = option(256, "Channels inside the heads of the small nets (mini, res18).", within=COUNT)
    relation_channels: int = option(128, "Channels inside their relation head.", within=COUNT)


@dataclass(frozen=True)
class GpiConfig:
    """The graph-permutation-invariant layer (paper, equations 1 and 2)."""

    aggregation: str = option(
        "feature_attention",
        "How neighbours are summed: attention per feature, one weight per neighbour, or a plain sum.",
        ("feature_attention", "neighbour_attention", "sum"),
    )
    attention: str = option(
        "softmax",
        "What makes weights of the attention's logits; sparsemax gives most neighbours none (needs "
        "tensorflow-addons).",
        ("softmax", "sparsemax"),
    )
    geometry: int = option(
        0,
        "Width of an embedding of both boxes' relative place and size that every pair carries besides its "
        "union box (0: none, as in the release).",
        within=NOT_NEGATIVE,
    )
    hidden: int = option(516, "Width of the hidden layers (paper: 512).", within=COUNT)
    hidden_layers: int = option(
        2,
        "Hidden layers of each network (1 gives the paper's number of weights: two layers with the output).",
        within=COUNT,
    )
    attention_hidden: int = option(
        1024,
        "Width of the hidden layer behind the one weight of neighbour_attention (0: none, it is linear).",
        within=NOT_NEGATIVE,
    )
    phi: int = option(1024, "Width of phi's output (paper: 512).", within=COUNT)
    alpha: int = option(1024, "Width of alpha's output (paper: 512).", within=COUNT)
    rho: int = option(1024, "Width of the refined node features.", within=COUNT)
    self_edge: bool = option(True, "A node is among its own neighbours (paper: it is not).")
    rho_neighbours: bool = option(True, "rho sees the sum over neighbours, too (paper: node and graph only).")
    rho_relation: bool = option(False, "Refine relation features as well (paper: yes).")
    unused_gate: bool = option(
        True,
        "Keep the release's forget gate, which nothing reads: its checkpoint and weight decay hold it.",
    )


@dataclass(frozen=True)
class RrConfig:
    """The referring-relationship classifier."""

    hidden: tuple[int, ...] = option((500,), "Hidden layers (paper: two of 512).", within=COUNT)
    loss: str = option(
        "released",
        "Reweighted and normalised cross-entropy (released), or its plain sum.",
        ("released", "sum"),
    )
    query_attention: int = option(
        0,
        "Width of an attention over a box's neighbours that the query steers; the classifier also reads what "
        "it gathers (0: none, as in the release).",
        within=NOT_NEGATIVE,
    )
    matching: bool = option(
        False,
        "Add a matching read-out to the role classifier: how well a box, its best partner and their "
        "relation, as the graph labels them, fit the query.",
    )


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms; VARIANT sets them, an explicit value wins."""

    rpn_class: float = option(1.0, "Region proposal network: object or not.", within=NOT_NEGATIVE)
    rpn_box: float = option(1.0, "Region proposal network: boxes.", within=NOT_NEGATIVE)
    box: float = option(1.0, "Box refiner.", within=NOT_NEGATIVE)
    rr: float = option(0.1, "Referring-relationship classifier on the graph.", within=NOT_NEGATIVE)
    rr_baseline: float = option(
        0.1,
        "Referring-relationship classifier on the unrefined features (itself halved).",
        within=NOT_NEGATIVE,
    )
    entity: float = option(0.01, "Entity labels of the proposals.", within=NOT_NEGATIVE)
    predicate: float = option(0.01, "Relation labels of pairs of proposals.", within=NOT_NEGATIVE)
    gt_entity: float = option(0.01, "Entity labels of the ground-truth boxes.", within=NOT_NEGATIVE)
    gt_predicate: float = option(0.01, "Relation labels of pairs of ground-truth boxes.", within=NOT_NEGATIVE)
    regularization: float = option(0.01, "Weight decay, on top of TRAIN.WEIGHT_DECAY.", within=NOT_NEGATIVE)
    box_kind: str = option(
        "smooth_l1",
        "Loss of the box refiner: of its deltas, or the generalised IoU of its boxes (needs "
        "tensorflow-addons).",
        ("smooth_l1", "giou"),
    )
    labels: str = option(
        "sum", "Label losses are summed over boxes and pairs (release) or averaged.", ("sum", "mean")
    )


@dataclass(frozen=True)
class Config:
    """The whole configuration; build it with `dsg.config.load_config`."""

    net: str = option("res101", "Backbone, or a baseline.", NETS)
    variant: str = option(
        "dsg",
        "Full model; detector and classifier without a graph; scene graph and symbolic matching; full model "
        "without labels; full model whose boxes are refined without the graph.",
        ("dsg", "no_dsg", "two_step", "dsg_sgl", "dsg_br"),
    )
    weights: str = option(
        "",
        "Trunk weights to start from; empty: where data/README.md says they lie; none: random weights.",
    )
    rng_seed: int = option(3, "Seed of every random draw.", within=Range(0, 2**32 - 1))
    pixel_means: tuple[float, ...] = option(
        (102.9801, 115.9465, 122.7717), "Subtracted from the B, G and R values.", within=Range(0, 255)
    )
    feature_stride: int = option(
        16, "Pixels between two cells of the feature map (8: res18 and mini only).", (8, 16)
    )
    anchor_scales: tuple[float, ...] = option(
        (4.0, 8.0, 16.0, 32.0), "Anchor sides, in units of FEATURE_STRIDE.", within=POSITIVE
    )
    anchor_ratios: tuple[float, ...] = option((0.5, 1.0, 2.0), "Anchor heights over widths.", within=POSITIVE)
    rpn_channels: int = option(512, "Channels of the region proposal network.", within=COUNT)
    pooling_size: int = option(7, "Cells a side of an entity's crop.", within=COUNT)
    relation_pooling_size: int = option(
        1, "Cells a side of a relation's crop; 1: the union box's centre (paper: 7).", within=COUNT
    )
    refiner_channels: int = option(
        0,
        "Channels through which the box refiner also sees each cell of a box's crop (0: none, it sees node "
        "features only, as in the release).",
        within=NOT_NEGATIVE,
    )
    refiner_fine: int = option(
        0,
        "Channels through which the box refiner sees a box and what is around it on the finer map of the "
        "first block (0: none, as in the release).",
        within=NOT_NEGATIVE,
    )
    exact_boxes: bool = option(
        False,
        "Corrected boxes end where they should, and mirrored ones lie on their objects. The release's are a "
        "pixel wider and taller, and a pixel to the left, which small objects suffer from.",
    )
    use_e2e_tf: bool = option(
        True, "Suppress proposals with TensorFlow's operation (on) or the compiled one (off)."
    )
    box_source: str = option(
        "dsg",
        "Boxes come from the graph, from the features, or from the detector.",
        ("dsg", "feature", "rpn"),
    )
    rr_source: str = option(
        "dsg",
        "Roles come from the graph's classifier, from that on the features, or from matching the labelled "
        "graph with the query.",
        ("dsg", "feature", "symbolic"),
    )
    aux_first_stage: bool = option(
        True,
        "Besides, learn roles from the unrefined features and labels of the ground-truth boxes (paper: "
        "neither); False beats LOSS.RR_BASELINE, LOSS.GT_ENTITY and LOSS.GT_PREDICATE.",
    )
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    test: TestConfig = field(default_factory=TestConfig)
    resnet: ResnetConfig = field(default_factory=ResnetConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    gpi: GpiConfig = field(default_factory=GpiConfig)
    rr: RrConfig = field(default_factory=RrConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph layer: boxes or roles come from it, or from the labels read off it."""
        return self.box_source == "dsg" or self.rr_source != "feature"


# What a variant sets (rr_source says what answers; a weight of 0 leaves a branch unbuilt).
VARIANTS: dict[str, dict[str, Any]] = {
    "dsg": {},
    "no_dsg": {
        "BOX_SOURCE": "rpn",
        "RR_SOURCE": "feature",
        "LOSS.BOX": 0.0,
        "LOSS.RR": 0.0,
        "LOSS.RR_BASELINE": 0.2,
        "LOSS.ENTITY": 0.0,
        "LOSS.PREDICATE": 0.0,
        "LOSS.GT_ENTITY": 0.0,
        "LOSS.GT_PREDICATE": 0.0,
    },
    "two_step": {
        "RR_SOURCE": "symbolic",
        "RR.MATCHING": False,
        "LOSS.RR": 0.0,
        "LOSS.RR_BASELINE": 0.0,
    },
    "dsg_sgl": {
        "RR.MATCHING": False,
        "LOSS.RR": 0.2,
        "LOSS.RR_BASELINE": 0.2,
        "LOSS.ENTITY": 0.0,
        "LOSS.PREDICATE": 0.0,
        "LOSS.GT_ENTITY": 0.0,
        "LOSS.GT_PREDICATE": 0.0,
    },
    "dsg_br": {"BOX_SOURCE": "feature"},
}
# What AUX_FIRST_STAGE switches off; where the features' own classifier answers, it is no auxiliary.
AUXILIARY = ("LOSS.RR_BASELINE", "LOSS.GT_ENTITY", "LOSS.GT_PREDICATE")


def options(node: type | Any = Config, prefix: str = "") -> dict[str, Any]:
    """Every option by its upper-case name: `{"TRAIN.LEARNING_RATE": <dataclass field>, ...}` in the order of
    definition.
    """
    found: dict[str, Any] = {}
    for item in fields(node):
        name = prefix + item.name.upper()
        group = item.default_factory
        if isinstance(group, type):
            found.update(options(group, name + "."))
        else:
            found[name] = item
    return found
