"""The options of the four baselines, `BASELINE.*`."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.config.option import BELOW_ONE, COUNT, NOT_NEGATIVE, POSITIVE, option


@dataclass(frozen=True)
class BaselineConfig:
    """The baselines ss, co, vrd and ssas; defaults are the published settings for Visual Genome."""

    features: str = option(
        "resnet50",
        "What sees the image: Keras' ImageNet ResNet-50 up to conv4_block6_out, or our trunk of that name.",
        ("resnet50", "res18", "mini"),
    )
    finetune_cnn: bool = option(
        True, "Train what sees the image, too; else its features are kept as they are."
    )
    cache_gb: float = option(
        4.0,
        "Memory for what an image gives again and again: its pixels, or its features where they are kept.",
        within=NOT_NEGATIVE,
    )
    dropout: float = option(0.0, "Share of the features that is dropped in training.", within=BELOW_ONE)
    convolutions: int = option(0, "1x1 convolutions between features and attention.", within=NOT_NEGATIVE)
    embedding: int = option(512, "Width of the embeddings of categories and predicates.", within=COUNT)
    hidden: int = option(
        0,
        "Width of a query's vector; attention multiplies it with the features, channel by channel, so it has "
        "their width (0) unless CONVOLUTIONS change theirs.",
        within=NOT_NEGATIVE,
    )
    predicate_slots: int = option(
        0,
        "Predicates that are provided for (0: those of the data set; the release has 6 for CLEVR).",
        within=NOT_NEGATIVE,
    )
    iterations: int = option(3, "ssas: shifts of the attention, T.", within=NOT_NEGATIVE)
    discount: float = option(
        1.0, "ssas: weight of each attention map over that of the one before, lambda.", within=POSITIVE
    )
    internal: str = option(
        "ensemble",
        "ssas: a weighted mean of all maps is the answer (release), or each has a loss and the last is the "
        "answer (paper), or only the last is used.",
        ("ensemble", "loss", "last"),
    )
    module_layers: int = option(6, "ssas: convolutions of a predicate's module, n.", within=COUNT)
    module_kernel: int = option(7, "ssas: cells a side of their kernels, k.", within=COUNT)
    module_channels: int = option(10, "ssas: channels between them, c.", within=COUNT)
    shift_size: int = option(10, "ss: cells a side of a predicate's filter.", within=COUNT)
    shift_units: str = option(
        "cells", "ss: shifts are measured in cells of the map, or in pixels (release).", ("cells", "pixels")
    )
    positive_weight: float = option(
        7.5, "Weight of the cells to be marked in the cross-entropy.", within=POSITIVE
    )
    keep_self: bool = option(
        True, "Ask for relations of a thing to itself as well, as the referring-relationships release does."
    )
    unknown_rate: float = option(
        0.0,
        "Discovery: rate at which training hides the query's subject, and its object (published: 0.3).",
        within=BELOW_ONE,
    )
    unknown_test: str = option(
        "none",
        "Discovery: what is hidden in the queries of a test.",
        ("none", "subject", "object", "both"),
    )
    select: str = option(
        "loss",
        "The best snapshot has the lowest loss on validation (release), or the highest IoU.",
        ("loss", "iou"),
    )
    drop_remainder: bool = option(
        False, "Leave out of a test the last queries that fill no batch of 16, as the release does."
    )
