"""Options about training, `TRAIN.*`; those about the detector's targets are in `detector`."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.option import BELOW_ONE, COUNT, NOT_NEGATIVE, POSITIVE, SIDE, Range, option


@dataclass(frozen=True)
class ScheduleOptions:
    """TRAIN.*: how long, how fast and on what a network learns."""

    epochs: int = option(20, "Epochs (file names call them iters).", within=COUNT)
    optimizer: str = option(
        "momentum",
        "SGD with momentum as in the release, Adam, or RMSprop as in Keras.",
        ("momentum", "adam", "rmsprop"),
    )
    learning_rate: float = option(0.001, "Initial learning rate.", within=POSITIVE)
    momentum: float = option(0.9, "Momentum of SGD.", within=BELOW_ONE)
    weight_decay: float = option(
        0.0001,
        "L2 regularisation: this factor times half the squared norm of each regularised kernel.",
        within=NOT_NEGATIVE,
    )
    gamma: float = option(
        0.5,
        "Factor of the learning rate at each drop (SCHEDULE steps and plateau).",
        within=Range(0, 1, above=True),
    )
    stepsize: tuple[int, ...] = option(
        (4, 8, 12, 16), "Epochs after which the learning rate drops.", within=COUNT
    )
    schedule: str = option(
        "steps",
        "The learning rate drops at STEPSIZE (steps), falls to zero along a cosine, or drops when validation "
        "(IoU; loss for baselines) stops improving (plateau).",
        ("steps", "cosine", "plateau"),
    )
    patience: int = option(
        3,
        "With SCHEDULE plateau: epochs in a row without improvement before the rate drops at each further "
        "one.",
        within=NOT_NEGATIVE,
    )
    warmup_steps: int = option(
        0, "Steps in which the learning rate rises linearly from zero.", within=NOT_NEGATIVE
    )
    average: float = option(
        0.0,
        "Decay of a running average of the weights, such as 0.999, that validation and the best snapshot use "
        "(0: no average).",
        within=BELOW_ONE,
    )
    clip_norm: float = option(
        0.0, "Gradients are scaled down to this global norm (0: not at all).", within=NOT_NEGATIVE
    )
    double_bias: bool = option(False, "Double the gradient of biases.")
    bias_decay: bool = option(False, "Also regularise biases.")
    truncated: bool = option(False, "Draw the initial weights of new layers from a truncated normal.")
    freeze_detector: bool = option(
        False,
        "Train neither the trunk nor the region proposal network, nor a feature pyramid and the detector's "
        "box head.",
    )
    use_gt: bool = option(False, "Use the ground-truth boxes instead of proposals.")
    ims_per_batch: int = option(1, "Images per step on each GPU (release: one).", within=COUNT)
    aspect_grouping: bool = option(
        True,
        "With a detector and more than one image per step, wide images share steps, and so do tall ones.",
    )
    scales: tuple[int, ...] = option(
        (600,),
        "Length of the shorter image side in pixels; one of the values is drawn for each image.",
        within=SIDE,
    )
    max_size: int = option(1000, "Longest image side in pixels.", within=COUNT)
    use_flipped: bool = option(True, "Add the mirror image of every training image.")
    flip_predicates: bool = option(False, "Mirroring swaps predicates such as left and right (release: no).")
    max_queries: int = option(
        0, "Queries drawn at random for each training image (0: all).", within=NOT_NEGATIVE
    )
    display: int = option(
        20, "Steps between progress lines if the output is not a terminal.", within=NOT_NEGATIVE
    )
    summary_interval: int = option(100, "Steps between TensorBoard entries.", within=NOT_NEGATIVE)
    profile: int = option(
        0,
        "Steps recorded by TensorFlow's profiler after a few warm-up steps; the profile goes to tensorboard/ "
        "(0: off).",
        within=NOT_NEGATIVE,
    )
    snapshot_iters: int = option(1, "Epochs between snapshots.", within=COUNT)
    snapshot_kept: int = option(3, "Snapshots kept besides the best one.", within=NOT_NEGATIVE)
    save_minutes: float = option(
        30.0,
        "Minutes between saves within an epoch, so that a crash loses no more (0: none).",
        within=NOT_NEGATIVE,
    )
    steps_per_epoch: int = option(
        0, "Steps in an epoch (0: as many as the images make).", within=NOT_NEGATIVE
    )
    validate_images: int = option(0, "Validate on the first N images only (0: on all).", within=NOT_NEGATIVE)
    max_bad_steps: int = option(
        10, "Stop after this many steps in a row whose loss is not finite.", within=COUNT
    )
    deterministic: bool = option(
        False, "Use deterministic operations, so that identical runs end with identical weights."
    )
    precision: str = option("float32", "Arithmetic of the layers.", ("float32", "bfloat16", "float16"))
    loss_scale: float = option(
        1024.0,
        "With PRECISION float16: factor of the losses in the backward pass, so that small gradients survive.",
        within=POSITIVE,
    )
