"""The map between our variable names and those of TensorFlow 1 checkpoints, and nothing else.

The scopes of the release's two label heads are swapped: `gpi/ent_score` is the classifier of relations,
`gpi/rel_score` that of entities (those of the ground-truth boxes, `gt_*`, are named rightly). This map undoes
it.
"""

from __future__ import annotations

import re

SLIM = {"kernel": "weights", "bias": "biases"}
NORM = ("gamma", "beta", "moving_mean", "moving_variance")

# prefix of ours -> prefix of theirs; {net} is resnet_v1_50, resnet_v1_101 or resnet_v1_152
PREFIXES = {
    "trunk/": "{net}/",
    "rpn/conv/": "{net}/rpn_conv/3x3/",
    "rpn/classes/": "{net}/rpn_cls_score/",
    "rpn/boxes/": "{net}/rpn_bbox_pred/",
    "regions/entity/block4/units/": "{net}__new/block4/",
    "regions/relation/block4/units/": "{net}_pw/block4/",
    "gpi/neighbour_mlp/": "gpi/nn_phi/",
    "gpi/neighbour_attention/": "gpi/nn_phi_atten/",
    "gpi/graph_mlp/": "gpi/nn_phi2/",
    "gpi/graph_attention/": "gpi/nn_phi2_atten/",
    "gpi/node_mlp/": "gpi/nn_obj/",
    "gpi/forget_gate/": "gpi/nn_obj_forgate/",
    "labels/entities/": "gpi/rel_score/0/",
    "labels/predicates/": "gpi/ent_score/",
    "gt_labels/entities/": "gpi/gt_ent_score/0/",
    "gt_labels/predicates/": "gpi/gt_rel_score/",
    "role_classifier/mlp/0/": "{net}/gpi/cls_score__new/",
    "role_classifier/mlp/1/": "{net}/gpi/cls_score2__new/",
    "box_refiner/linear/": "{net}/gpi/bbox_pred__new/",
    "role_baseline/mlp/0/": "{net}/baseline/cls_score__new/",
    "role_baseline/mlp/1/": "{net}/baseline/cls_score2__new/",
    "box_baseline/linear/": "{net}/baseline/bbox_pred__new/",
}
# These two are made by another layer library and keep its names.
KERAS = {"regions/entity/project/": "conv2d/", "regions/relation/project/": "pw/"}


def slim_net(net: str) -> str:
    """`res101` -> `resnet_v1_101`, the scope of slim's checkpoints."""
    return f"resnet_v1_{net[3:]}"


def release_name(name: str, net: str) -> str | None:
    """The name of our variable `name` in a checkpoint of the release, or None for one that the release does
    not have.

    Example:
        >>> release_name("trunk/block3/0/conv2/kernel", "res101")
        'resnet_v1_101/block3/unit_1/bottleneck_v1/conv2/weights'
    """
    for ours, theirs in KERAS.items():
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    for ours, theirs in PREFIXES.items():
        if name.startswith(ours):
            return theirs.format(net=slim_net(net)) + _tail(name[len(ours) :])
    return None


def _tail(rest: str) -> str:
    """`block3/0/conv2/gamma` -> `block3/unit_1/bottleneck_v1/conv2/BatchNorm/gamma`; `0/kernel` ->
    `0/weights`.
    """
    rest = re.sub(
        r"(^|/)(\d+)/(?=conv\d/|shortcut/)", lambda m: f"{m[1]}unit_{int(m[2]) + 1}/bottleneck_v1/", rest
    )
    *path, leaf = rest.split("/")
    if leaf in NORM:
        return "/".join([*path, "BatchNorm", leaf])
    return "/".join([*path, SLIM.get(leaf, leaf)])  # other leaves are those of layers that the release lacks
