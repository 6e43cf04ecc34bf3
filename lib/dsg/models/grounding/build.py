"""The grounded model that a configuration describes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from dsg.config import Config
from dsg.config.grounding import DETECTOR_STAGE, NO_EDGE_MASK
from dsg.config.names import PYRAMIDS
from dsg.datasets.records import Vocabulary
from dsg.models.grounding.edge_masks import AVERAGE
from dsg.models.grounding.features import Reducer
from dsg.models.grounding.joint import build_joint_detector
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.motif import ContextSizes
from dsg.models.grounding.stage import GraphStage, StageOptions, StageSizes


def build_grounding(config: Config, vocabulary: Vocabulary) -> GroundingModel:
    """The model at its initial values, drawn from RNG_SEED; what follows from a data set (the transfer of
    masks, the frequencies of predicates, word vectors) is given by `initial.start_graph`, or by a snapshot.

    Args:
        config: BACKBONE, GROUNDING.* and what belongs to the detector.
        vocabulary: categories, predicates, and the categories of the data set with masks.
    """
    detector = build_joint_detector(config, vocabulary)
    if config.grounding.stage == DETECTOR_STAGE:
        model = GroundingModel(detector)
    else:
        masks = max(len(vocabulary.mask_objects), 1)  # without any, true masks are those of one category
        start = np.ones((masks, len(vocabulary.objects)), np.float32)
        transfer = tf.Variable(start, trainable=False, name="transfer")
        reducer, channels = None, detector.channels
        if config.backbone not in PYRAMIDS:
            channels = config.grounding.channels
            reducer = Reducer(detector.channels, channels)
        graph = GraphStage(stage_sizes(config, vocabulary, channels), transfer, stage_options(config))
        model = GroundingModel(detector, graph, reducer, transfer)
    model.decays_biases = config.train.bias_decay
    return model


def stage_sizes(config: Config, vocabulary: Vocabulary, channels: int) -> StageSizes:
    """The widths of the graph stage on maps of so many channels."""
    options, masks = config.grounding, max(len(vocabulary.mask_objects), 1)
    context = ContextSizes(
        *(len(vocabulary.objects) + 1, masks + 1, options.features, options.hidden, options.embedding)
    )
    return StageSizes(
        *(context, len(vocabulary.predicates) + 1, channels, options.roi_side, options.pooling),
        *(options.refiner, options.mask_convs),
    )


def stage_options(config: Config) -> StageOptions:
    """The variant of the graph stage."""
    options = config.grounding
    none = options.edge_mask == NO_EDGE_MASK
    return StageOptions(
        context=options.context,
        edge_mask=AVERAGE if none else options.edge_mask,  # which has no weights
        gauss_net=options.gauss_net,
        sigmoid_attention=options.sigmoid_attention,
        mask_frame=options.mask_frame,
        label_embed=options.label_embed,
        pos_swap=options.pos_swap,
        order=options.order,
        decoder_shift=options.decoder_shift,
        refine_input=options.refine_input,
        refine_at_inference=options.refine_at_inference,
        node_masks=options.node_masks,
        edge_masks=not none,
        frequency=options.frequency,
    )
