"""Options about training, `TRAIN.*`; those about the detector's targets are in `detector`."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.option import BELOW_ONE, COUNT, NOT_NEGATIVE, POSITIVE, SIDE, Range, option


@dataclass(frozen=True)
class ScheduleOptions:
    """TRAIN.*: how long, how fast and on what a network learns."""

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
