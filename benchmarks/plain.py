"""The plain formulation: what the release computes, the way it computes it, with the weights of a `DSG`.

It is the baseline that the library is measured against, and nothing else. Every pair of boxes [i, j] is
cropped and convolved on its own, [j, i] too; a 3x3 convolution on a 1x1 crop stays one; batch norm is an
operation of its own; the projections of the heads come before the mean over the crop; nodes, pairs and
queries are repeated and concatenated before a dense layer; the labels of the ground-truth boxes are
computed at test time, too. `Savings` turns these off one at a time, to tell what each is worth.

One image, float32, ResNet, the release's graph layer. Letters as in `dsg.pipeline.batch`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import tensorflow as tf

from dsg.boxes.transform import union_boxes
from dsg.models.dsg.model import DSG
from dsg.models.dsg.outputs import (
    Detection,
    HeadOutputs,
    LabelLogits,
    Outputs,
    RegionFeatures,
    Regions,
)
from dsg.models.dsg.predictions import Predictions
from dsg.nets.backbones.resnet import BLOCK4_UNITS, UNITS
from dsg.nets.graph_layer import GraphFeatures
from dsg.nets.kernels import winograd
from dsg.nets.outputs import Proposals, TrunkFeatures
from dsg.nets.roi import crop, normalise
from dsg.nets.rpn import propose
from dsg.pipeline.batch import Batch

EPSILON = 1e-5
BLOCK_STRIDES = {"block1": 2, "block2": 2, "block3": 1}


@dataclass(frozen=True)
class Savings:
    """What the library spares itself; all off is the release."""

    fold: bool = False  # batch norm within the convolutions
    symmetric: bool = False  # pairs i <= j only
    centre_tap: bool = False  # 3x3 as 1x1 on crops of one cell
    mean_first: bool = False  # the heads' projection after the mean
    split: bool = False  # dense layers in terms; queries are looked up
    skip_ground_truth: bool = False  # no labels of ground-truth boxes at test time
    winograd: bool = False  # 3x3 convolutions by `dsg.nets.kernels.winograd` where it pays


ALL_SAVINGS = Savings(**{item.name: True for item in fields(Savings)})


class Plain:
    """The plain formulation of `model`; it may stand where a `DSG` stands in a training step.

    Args:
        model: its variables are used, not copied.
        savings: what is done the library's way all the same.

    Raises:
        ValueError: the configuration is not one that the release has.
    """

    def __init__(self, model: DSG, savings: Savings | None = None) -> None:
        config, gpi = model.config, model.config.gpi
        released = (
            config.backbone in UNITS
            and gpi.aggregation == "feature_attention"
            and gpi.self_edge
            and gpi.rho_neighbours
            and not (gpi.rho_relation or config.rr.matching or config.resnet.max_pool or config.train.use_gt)
            and config.rr_source == config.box_source == "dsg"
        )
        if not released:
            raise ValueError(
                "the plain formulation is that of the release: its nets, its graph layer, one classifier"
            )
        self.model, self._parts = model, model.parts
        self.config = config
        self._savings = savings or Savings()
        self._weights = model.named_variables()
        self.named_variables = model.named_variables
        self.trainable_names = model.trainable_names
        self.regularised_names = model.regularised_names

    def __call__(self, batch: Batch, training: bool = False, proposals: Proposals | None = None) -> Outputs:
        """All stages for a batch of one image, as `DSG` returns them; packed pairs hold [i, j] and [j, i].

        Args:
            batch: with ground truth, unless `training` is off and ground truth is skipped.
            training: compute the labels of ground-truth boxes whatever the savings.
            proposals: instead of those that the scores give; rounding may order equal scores otherwise.
        """
        image_size = batch["image_size"]
        trunk = self._trunk(batch["image"])
        rpn = self._parts["rpn"].read(self._rpn_hidden(trunk.features), image_size)
        proposals = proposals or self._propose(rpn)
        regions = self._regions(trunk.features, proposals.boxes, image_size)
        graph, labels = self._graph(regions, proposals.valid)
        gt_regions = gt_labels = None
        if training or not self._savings.skip_ground_truth:
            gt_regions = self._regions(trunk.features, batch["gt_boxes"], image_size, coordinates=False)
            gt_labels = self._gt_labels(gt_regions)
        queries = batch["queries"]
        heads = HeadOutputs(
            labels=labels,
            role_logits=self._roles(graph.nodes, queries, "role_classifier"),
            box_deltas=self._parts["box_refiner"](graph.nodes),
            first_stage_role_logits=self._roles(regions.nodes, queries, "role_baseline"),
            first_stage_box_deltas=self._parts["box_baseline"](regions.nodes),
            gt_labels=gt_labels,
        )
        detection = Detection(image_size, trunk, rpn, proposals)
        return Outputs(detection, Regions(regions, gt_regions), graph, heads)

    def predict_roles(self, batch: Batch) -> tuple[Predictions, LabelLogits | None]:
        """The answer to the batch's queries and, as it is computed, the labels of the ground-truth boxes."""
        outputs = self(batch)
        return self.model.answer(outputs), outputs.heads.gt_labels

    def _trunk(self, images: tf.Tensor) -> TrunkFeatures:
        x = self._norm_conv(images, "trunk/conv1", 2)
        x = base = tf.nn.max_pool2d(_pad(x, 1), 3, 2, "VALID")
        maps = []
        for units, (block, stride) in zip(UNITS[self.config.backbone], BLOCK_STRIDES.items()):
            for unit in range(units):
                x = self._bottleneck(x, f"trunk/{block}/{unit}", stride if unit == units - 1 else 1)
            maps.append(x)
        return TrunkFeatures(base, *maps)

    def _bottleneck(self, x: tf.Tensor, name: str, stride: int = 1) -> tf.Tensor:
        if f"{name}/shortcut/kernel" in self._weights:
            shortcut = self._norm_conv(x, f"{name}/shortcut", stride, relu=False)
        else:
            shortcut = x if stride == 1 else tf.nn.max_pool2d(x, 1, stride, "VALID")
        inner = self._norm_conv(x, f"{name}/conv1")
        inner = self._norm_conv(inner, f"{name}/conv2", stride)
        return tf.nn.relu(shortcut + self._norm_conv(inner, f"{name}/conv3", relu=False))

    def _norm_conv(self, x: tf.Tensor, name: str, stride: int = 1, relu: bool = True) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self._weights[f"{name}/kernel"])
        leaves = ("gamma", "beta", "moving_mean", "moving_variance")
        gamma, beta, mean, variance = (
            tf.convert_to_tensor(self._weights[f"{name}/{leaf}"]) for leaf in leaves
        )
        half = kernel.shape[0] // 2
        if half and self._savings.centre_tap and x.shape[1] == x.shape[2] == 1:
            kernel, half = kernel[half : half + 1, half : half + 1], 0
        if self._savings.fold:
            scale = gamma * tf.math.rsqrt(variance + EPSILON)
            kernel = kernel * scale
        if stride > 1 and half:
            y = tf.nn.conv2d(_pad(x, half), kernel, stride, "VALID")
        elif stride == 1 and self._savings.winograd and winograd.pays(x, kernel):
            y = winograd.convolve(x, kernel)
        else:
            y = tf.nn.conv2d(x, kernel, stride, "SAME")
        if self._savings.fold:
            y = tf.nn.bias_add(y, beta - mean * scale)
        else:
            normalise_op = tf.raw_ops.FusedBatchNormV3
            y = normalise_op(
                x=y,
                scale=gamma,
                offset=beta,
                mean=mean,
                variance=variance,
                epsilon=EPSILON,
                is_training=False,
            ).y
        return tf.nn.relu(y) if relu else y

    def _rpn_hidden(self, features: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self._weights["rpn/conv/kernel"])
        if self._savings.winograd and winograd.pays(features, kernel):
            hidden = winograd.convolve(features, kernel)
        else:
            hidden = tf.nn.conv2d(features, kernel, 1, "SAME")
        return tf.nn.relu(tf.nn.bias_add(hidden, self._weights["rpn/conv/bias"]))

    def _propose(self, rpn: Any) -> Proposals:
        train = self.config.train
        return propose(
            rpn,
            iou=train.rpn_nms_thresh,
            post_nms=train.rpn_post_nms_top_n,
            pre_nms=train.rpn_pre_nms_top_n,
            min_score=train.rpn_nms_min_score,
            in_graph=self.config.use_e2e_tf,
        )

    def _regions(
        self, features: tf.Tensor, boxes: tf.Tensor, image_size: tf.Tensor, coordinates: bool = True
    ) -> RegionFeatures:
        count, config = tf.shape(boxes)[1], self.config
        crops = self._crop(features, boxes[0], image_size, config.pooling_size)
        maps, nodes = self._head(crops, "entity")
        if coordinates:
            nodes = tf.concat([nodes, normalise(boxes, image_size, config.feature_stride)[0]], -1)
        pair_boxes = union_boxes(boxes)[0]  # [N, N, 4]
        pair_index = tf.reshape(tf.range(count * count), [count, count])
        if self._savings.symmetric:
            half = tf.linalg.band_part(tf.ones([count, count], tf.int32), 0, -1) > 0
            row = tf.reshape(tf.cumsum(tf.reshape(tf.cast(half, tf.int32), [-1])) - 1, [count, count])
            pair_index = tf.where(half, row, tf.transpose(row))
            pair_boxes = tf.boolean_mask(pair_boxes, half)
        pair_boxes = tf.reshape(pair_boxes, [-1, 4])
        pair_crops = self._crop(features, pair_boxes, image_size, config.relation_pooling_size)
        pair_maps, pairs = self._head(pair_crops, "relation")
        if coordinates:
            places = normalise(pair_boxes[None], image_size, config.feature_stride)[0]
            pairs = tf.concat([pairs, places], -1)
        row = tf.range(count)[None]
        return RegionFeatures(crops, maps, nodes[None], row, pair_crops, pair_maps, pairs, pair_index[None])

    def _crop(self, features: tf.Tensor, boxes: tf.Tensor, image_size: tf.Tensor, size: int) -> tf.Tensor:
        image = tf.zeros(tf.shape(boxes)[:1], tf.int32)
        return crop(features, boxes, image, size, image_size=image_size, stride=self.config.feature_stride)

    def _head(self, crops: tf.Tensor, kind: str) -> tuple[tf.Tensor, tf.Tensor]:
        name, maps = f"regions/{kind}", crops
        for unit in range(BLOCK4_UNITS):
            maps = self._bottleneck(maps, f"{name}/block4/units/{unit}")
        features = tf.reduce_mean(maps, [1, 2], keepdims=True) if self._savings.mean_first else maps
        features = tf.nn.conv2d(features, self._weights[f"{name}/project/kernel"], 1, "SAME")
        return maps, tf.reduce_mean(tf.nn.bias_add(features, self._weights[f"{name}/project/bias"]), [1, 2])

    def _graph(self, regions: RegionFeatures, valid: tf.Tensor) -> tuple[GraphFeatures, LabelLogits]:
        if self._savings.split:
            packed = (regions.nodes, regions.pairs, regions.pair_index)
            graph = self._parts["gpi"](*packed, valid)
            return graph, self._parts["labels"](*packed, graph.nodes, graph.graph, graph.edges)
        assert regions.pair_index is not None
        nodes = regions.nodes[0]
        ordered = _ordered(nodes, tf.gather(regions.pairs, regions.pair_index[0]))  # [N, N, 3 D]
        phi = self._mlp(ordered, "gpi/neighbour_mlp", relu_last=True)
        phi_logits = self._mlp(ordered, "gpi/neighbour_attention")
        phi_weights = tf.nn.softmax(phi_logits, 1)
        aggregated = tf.reduce_sum(phi_weights * phi, 1)
        heard = tf.concat([nodes, aggregated], -1)
        alpha = self._mlp(heard, "gpi/graph_mlp", relu_last=True)
        alpha_logits = self._mlp(heard, "gpi/graph_attention")
        alpha_weights = tf.nn.softmax(alpha_logits, 0)
        graph = tf.reduce_sum(alpha_weights * alpha, 0)
        everywhere = tf.tile(graph[None], [tf.shape(nodes)[0], 1])
        refined = self._mlp(tf.concat([nodes, everywhere, aggregated], -1), "gpi/node_mlp")
        attended = (phi, phi_logits, phi_weights, aggregated, alpha, alpha_logits, alpha_weights)
        stages: list[Any] = [stage[None] for stage in (*attended, graph, refined)]
        count = tf.shape(nodes)[0]
        with_graph = tf.concat([ordered, tf.tile(graph[None, None], [count, count, 1])], -1)
        predicates = self._mlp(with_graph, "labels/predicates")
        labels = LabelLogits(self._parts["labels"].entities(refined)[None], predicates[None])
        return GraphFeatures._make([*stages, None, None]), labels

    def _gt_labels(self, regions: RegionFeatures) -> LabelLogits:
        if self._savings.split:
            return self._parts["gt_labels"](regions.nodes, regions.pairs, regions.pair_index)
        assert regions.pair_index is not None
        nodes = regions.nodes[0]
        pairs = tf.gather(regions.pairs, regions.pair_index[0])
        predicates = self._mlp(_ordered(nodes, pairs, pairs_first=True), "gt_labels/predicates")
        return LabelLogits(self._parts["gt_labels"].entities(nodes)[None], predicates[None])

    def _roles(self, nodes: tf.Tensor, queries: tf.Tensor, name: str) -> tf.Tensor:
        if self._savings.split:
            return self._parts[name](nodes, queries)
        entities = self._weights["labels/entities/kernel"].shape[1]
        predicates = self._weights["labels/predicates/0/kernel"].shape[1]
        depths = (entities, predicates, entities)
        hot = [tf.one_hot(queries[0, :, slot], depth) for slot, depth in enumerate(depths)]
        query = tf.concat(hot, -1)  # [Q, 2 E + R]
        asked, count = tf.shape(query)[0], tf.shape(nodes)[1]
        tiled = [tf.tile(nodes, [asked, 1, 1]), tf.tile(query[:, None], [1, count, 1])]
        return self._mlp(tf.concat(tiled, -1), f"{name}/mlp")[None]

    def _mlp(self, x: tf.Tensor, name: str, relu_last: bool = False) -> tf.Tensor:
        """Dense layers on the last axis; ReLUs between them."""
        layer, shape = 0, tf.shape(x)[:-1]
        x = tf.reshape(x, [-1, x.shape[-1]])
        while f"{name}/{layer}/kernel" in self._weights:
            x = tf.nn.relu(x) if layer else x
            x = tf.matmul(x, self._weights[f"{name}/{layer}/kernel"]) + self._weights[f"{name}/{layer}/bias"]
            layer += 1
        x = tf.nn.relu(x) if relu_last else x
        return tf.reshape(x, tf.concat([shape, [x.shape[-1]]], 0))


def _ordered(nodes: tf.Tensor, pairs: tf.Tensor, pairs_first: bool = False) -> tf.Tensor:
    """[N, N, ...]: at [i, j] node j, node i, pair ij (or the pair first)."""
    count = tf.shape(nodes)[0]
    speaker = tf.tile(nodes[None], [count, 1, 1])
    listener = tf.tile(nodes[:, None], [1, count, 1])
    return tf.concat([pairs, speaker, listener] if pairs_first else [speaker, listener, pairs], -1)


def _pad(x: tf.Tensor, by: int) -> tf.Tensor:
    return tf.pad(x, [[0, 0], [by, by], [by, by], [0, 0]])
