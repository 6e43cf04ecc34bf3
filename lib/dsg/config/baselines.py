"""The options of the four baselines, `BASELINE.*`."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.option import BELOW_ONE, COUNT, NOT_NEGATIVE, POSITIVE, option


@dataclass(frozen=True)
class BaselineConfig:
    """The baselines ss, co, vrd and ssas; the defaults are the published settings for Visual Genome."""

    features: str = option(
        "resnet50",
        "Image features: Keras' ImageNet ResNet-50 up to conv4_block6_out, or our trunk of that name.",
        ("resnet50", "res18", "mini"),
    )
    finetune_cnn: bool = option(True, "Also train the CNN; otherwise its features stay fixed.")
    cache_gb: float = option(
        4.0,
        "Memory for what can be computed once per image: its pixels, or its features if they stay fixed.",
        within=NOT_NEGATIVE,
    )
    dropout: float = option(0.0, "Share of the features that are dropped in training.", within=BELOW_ONE)
    convolutions: int = option(0, "1x1 convolutions between features and attention.", within=NOT_NEGATIVE)
    embedding: int = option(512, "Width of the embeddings of categories and predicates.", within=COUNT)
    hidden: int = option(
        0,
        "Width of a query's vector (0: that of the features). Attention multiplies the two channel by "
        "channel, so they must be equal unless CONVOLUTIONS change the features' width.",
        within=NOT_NEGATIVE,
    )
    predicate_slots: int = option(
        0,
        "Predicates that there is room for (0: those of the data set; the release has 6 for CLEVR).",
        within=NOT_NEGATIVE,
    )
    iterations: int = option(3, "ssas: shifts of the attention, T.", within=NOT_NEGATIVE)
    discount: float = option(
        1.0, "ssas: weight of each attention map relative to the previous one, lambda.", within=POSITIVE
    )
    internal: str = option(
        "ensemble",
        "ssas: the answer is a weighted mean of all maps (ensemble, release); or the last map, with a loss "
        "on each map (loss, paper) or on the last only (last).",
        ("ensemble", "loss", "last"),
    )
    module_layers: int = option(6, "ssas: convolutions of a predicate's module, n.", within=COUNT)
    module_kernel: int = option(7, "ssas: cells per side of the modules' kernels, k.", within=COUNT)
    module_channels: int = option(10, "ssas: channels inside a module, c.", within=COUNT)
    shift_size: int = option(10, "ss: cells per side of a predicate's filter.", within=COUNT)
    shift_units: str = option(
        "cells", "ss: unit of the shifts: cells of the map, or pixels (release).", ("cells", "pixels")
    )
    positive_weight: float = option(
        7.5, "Weight of the positive cells in the cross-entropy.", within=POSITIVE
    )
    keep_self: bool = option(
        True, "Also ask for relations of an entity with itself, as the referring-relationships release does."
    )
    unknown_rate: float = option(
        0.0,
        "Discovery: rate at which training hides a query's subject, and its object (published: 0.3).",
        within=BELOW_ONE,
    )
    unknown_test: str = option(
        "none",
        "Discovery: what the queries of a test hide.",
        ("none", "subject", "object", "both"),
    )
    select: str = option(
        "loss",
        "The best snapshot has the lowest validation loss (release) or the highest validation IoU.",
        ("loss", "iou"),
    )
    drop_remainder: bool = option(
        False, "Leave the last queries of a test out if they do not fill a batch of 16, as the release does."
    )
