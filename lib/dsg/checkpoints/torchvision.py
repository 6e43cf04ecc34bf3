"""From torchvision's state dicts to our variables: names, layouts, and nothing else.

Read are ImageNet's ResNets, ResNeXt-101 32x8d and VGG-16, and the detectors `fasterrcnn_resnet50_fpn`,
`maskrcnn_resnet50_fpn` and their second generation (`_v2`); a detector's file under today's names or under
those of 2019, told apart by the names themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dsg.checkpoints.pth import read_pth
from dsg.checkpoints.published import EPSILON, EPSILON_COCO_V1, PUBLISHED, check_hash
from dsg.checkpoints.tf1 import LoadReport
from dsg.errors import UserError

NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# Ours -> theirs, of parts that are a convolution or a dense layer, in a detector maybe with a normalisation.
LAYERS = (
    (r"pyramid/lateral/(\d)", r"{backbone}fpn.inner_blocks.\1.0"),
    (r"pyramid/smooth/(\d)", r"{backbone}fpn.layer_blocks.\1.0"),
    (r"rpn/convs/(\d)", r"rpn.head.conv.\1.0"),
    (r"rpn/objectness", "rpn.head.cls_logits"),
    (r"rpn/boxes", "rpn.head.bbox_pred"),
    (r"box_head/convs/(\d)", r"roi_heads.box_head.\1.0"),
    (r"box_head/dense", "roi_heads.box_head.5"),
    (r"box_head/(fc[67])", r"roi_heads.box_head.\1"),
    (r"predictor/classes", "roi_heads.box_predictor.cls_score"),
    (r"predictor/boxes", "roi_heads.box_predictor.bbox_pred"),
    (r"mask_head/convs/(\d)", r"roi_heads.mask_head.\1.0"),
    (r"mask_head/up", "roi_heads.mask_predictor.conv5_mask"),
    (r"mask_head/masks", "roi_heads.mask_predictor.mask_fcn_logits"),
)
# The names of 2019 lack the inner number.
OLD = (
    (r"^(backbone\.fpn\.\w+_blocks\.\d)\.0\.", r"\1."),
    (r"^(rpn\.head\.conv)\.0\.0\.", r"\1."),
)
OLD_MASK = r"^roi_heads\.mask_head\.(\d)\.0\."
# VGG-16's convolutions by block, numbered as torchvision numbers all layers
VGG = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
VGG_DENSE = {"fc6": 0, "fc7": 3}
POOLED = 7  # cells at each side of the crop that a first dense layer reads
# The classifier of ImageNet and counters of training: nothing of ours
ASIDE = re.compile(r"(\.num_batches_tracked$|^fc\.|^classifier\.6\.)")
# RGB, of pixels in 0..1
MEANS, STDS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def torchvision_name(name: str, body: str = "") -> str | None:
    """The name of our variable in a state dict of today's torchvision, or None for one that it lacks.

    Args:
        name: ours, such as `trunk/block2/0/conv1/kernel`.
        body: what precedes the names of the ResNet: "backbone.body." in a detector, "" in ImageNet's files.

    Example:
        >>> torchvision_name("trunk/block2/0/conv1/gamma", "backbone.body.")
        'backbone.body.layer2.0.bn1.weight'
        >>> torchvision_name("pyramid/lateral/3/kernel", "backbone.body.")
        'backbone.fpn.inner_blocks.3.0.weight'
    """
    path, _, leaf = name.rpartition("/")
    return _body(path, leaf, body) or _layer(path, leaf, body)


def _body(path: str, leaf: str, prefix: str) -> str | None:
    """Names of a ResNet."""
    if path == "trunk/conv1":
        return f"{prefix}bn1.{NORM[leaf]}" if leaf in NORM else f"{prefix}conv1.{_plain(leaf)}"
    unit = re.search(r"(?:^trunk/block(\d)|/units)/(\d+)/(conv(\d)|shortcut)$", path)
    if unit is None:
        return None
    layer = f"{prefix}layer{unit[1] or 4}.{unit[2]}."
    if unit[3] == "shortcut":
        return f"{layer}downsample.1.{NORM[leaf]}" if leaf in NORM else f"{layer}downsample.0.{_plain(leaf)}"
    return f"{layer}bn{unit[4]}.{NORM[leaf]}" if leaf in NORM else f"{layer}conv{unit[4]}.{_plain(leaf)}"


def _layer(path: str, leaf: str, body: str) -> str | None:
    """Names of VGG and of what a detector has beside its body."""
    vgg = re.search(r"^trunk/conv(\d)/(\d)$", path)
    if vgg:
        return f"features.{VGG[int(vgg[1]) - 1][int(vgg[2])]}.{_plain(leaf)}"
    if not body and path.rpartition("/")[2] in VGG_DENSE:
        return f"classifier.{VGG_DENSE[path.rpartition('/')[2]]}.{_plain(leaf)}"
    for ours, theirs in LAYERS:
        match = re.fullmatch(ours, path)
        if match:
            layer = match.expand(theirs).format(backbone=body[: -len("body.")])
            return f"{layer[:-1]}1.{NORM[leaf]}" if leaf in NORM else f"{layer}.{_plain(leaf)}"
    return None


def _plain(leaf: str) -> str:
    return {"kernel": "weight"}.get(leaf, leaf)


def name_of_2019(name: str) -> str:
    """The name in a published detector's first file of what is called `name` today, often the same.

    Example:
        >>> name_of_2019("roi_heads.mask_head.0.0.weight")
        'roi_heads.mask_head.mask_fcn1.weight'
    """
    for today, then in OLD:
        name = re.sub(today, then, name)
    return re.sub(OLD_MASK, lambda m: f"roi_heads.mask_head.mask_fcn{int(m[1]) + 1}.", name)


def our_layout(name: str, value: np.ndarray) -> np.ndarray:
    """A tensor of theirs as our variable `name` holds it.

    Kernels [out, in, h, w] become [h, w, in, out] (in is that of a group), dense layers [out, in] become
    [in, out]. The first dense layer after a crop reads it flattened as (channel, y, x) there and as
    (y, x, channel) here. The transposed convolution is [in, out, h, w] there and [h, w, out, in] here: the
    same turn of the axes.
    """
    if value.ndim == 4:
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
    if value.ndim != 2:
        return value
    if re.search(r"/(fc6|dense)/kernel$", name) and value.shape[1] % (POOLED * POOLED) == 0:
        channels = value.shape[1] // (POOLED * POOLED)
        value = value.reshape(len(value), channels, POOLED, POOLED).transpose(0, 2, 3, 1).reshape(value.shape)
    return np.ascontiguousarray(value.T)


def for_pixels_bgr(kernel: np.ndarray) -> np.ndarray:
    """The first kernel [h, w, 3, out] for pixels B, G, R in 0..255 with the means subtracted, from theirs for
    R, G, B in 0..1 with means subtracted and divided by the deviations.
    """
    scaled = kernel / (255.0 * np.array(STDS)[:, None])
    return np.ascontiguousarray(scaled[:, :, ::-1]).astype(np.float32)


def read_state(path: str | Path) -> dict[str, np.ndarray]:
    """The state dict of a `.pth` file; where its name carries a hash, that is compared first.

    Raises:
        UserError: the file is damaged or hostile.
    """
    check_hash(path)
    return read_pth(path)


def is_detector(names: Iterable[str]) -> bool:
    """Whether the names are those of a detector's state dict."""
    return any(name.startswith("rpn.head.") for name in names)


def is_second_generation(names: Iterable[str]) -> bool:
    """Whether the names are those of a detector of 2022 (`_v2`)."""
    return any(name.startswith("rpn.head.conv.1.") for name in names)


def epsilon_of(file: str, names: Iterable[str]) -> float:
    """What a file's frozen normalisation adds to variances: nothing in COCO detectors of the first
    generation, known by the file or by its names of 2019.
    """
    if file in PUBLISHED:
        return PUBLISHED[file].epsilon
    of_2019 = any(re.search(r"fpn\.inner_blocks\.\d\.(weight|bias)$", name) for name in names)
    return EPSILON_COCO_V1 if of_2019 else EPSILON


def match_weights(
    theirs: Mapping[str, np.ndarray],
    wanted: Mapping[str, Sequence[int]],
    source: str,
    *,
    any_shape: Sequence[str] = (),
    epsilon: float = EPSILON,
) -> tuple[dict[str, np.ndarray], LoadReport]:
    """What a state dict of torchvision has for our variables, whose normalisation has `EPSILON`.

    Args:
        theirs: the state dict.
        wanted: names and shapes of our variables.
        source: the file, for messages.
        any_shape: starts of our names whose values may have another shape, such as `predictor/`.
        epsilon: of its normalisation, see `epsilon_of`.

    Returns:
        Our name -> float32 value, and the report; its `missing` are names that torchvision has and the file
        lacks, so that the caller decides whether the rest will do.

    Raises:
        UserError: it has nothing for this net, or another shape somewhere.
    """
    body = _body_prefix(theirs)
    report, values, used = LoadReport(source), {}, set()
    for name, shape in wanted.items():
        today = torchvision_name(name, body)
        if today is None:
            continue
        folded = _folded(name, theirs, body, epsilon) if _norm_path(name) + "gamma" not in wanted else None
        names, value = folded or _plain_value(name, today, theirs)
        if value is None:
            report.missing.append(name)
            continue
        if value.shape != tuple(shape) and not name.startswith(tuple(any_shape)):
            raise UserError(
                f"{source}: {names[0]} is {list(value.shape)} in our layout, "
                f"the model's {name} {list(shape)}; another network or number of classes"
            )
        if value.dtype.kind != "f":
            raise UserError(f"{source}: {names[0]} holds {value.dtype}, not floating point numbers")
        values[name] = value.astype(np.float32, copy=False)
        report.matched.append(name)
        used.update(names)
    if not values:
        raise UserError(f"{source}: has no weights of this net, such as {next(iter(wanted), 'any at all')}")
    if epsilon != EPSILON:
        _change_epsilon(values, epsilon)
    rest = [name for name in theirs if name not in used]
    aside = [name for name in rest if ASIDE.search(name)]
    report.bookkeeping, report.unused = len(aside), sorted(set(rest) - set(aside))
    return values, report


def _change_epsilon(values: dict[str, np.ndarray], epsilon: float) -> None:
    """Scale every normalisation so that with `EPSILON` it does what it did with `epsilon`."""
    for path in [_norm_path(name) for name in values if name.endswith("/gamma")]:
        if f"{path}moving_variance" in values:
            variance = values[f"{path}moving_variance"].astype(np.float64)
            scale = np.sqrt((variance + EPSILON) / (variance + epsilon))
            values[f"{path}gamma"] = (values[f"{path}gamma"] * scale).astype(np.float32)


def _body_prefix(theirs: Mapping[str, np.ndarray]) -> str:
    return next((m[0] for m in (re.match(r"(backbone\.)?body\.", name) for name in theirs) if m), "")


def _norm_path(name: str) -> str:
    return name[: name.rindex("/") + 1]


def _plain_value(
    name: str, today: str, theirs: Mapping[str, np.ndarray]
) -> tuple[list[str], np.ndarray | None]:
    source = today if today in theirs else name_of_2019(today)
    return [source], our_layout(name, theirs[source]) if source in theirs else None


def _folded(
    name: str, theirs: Mapping[str, np.ndarray], body: str, epsilon: float
) -> tuple[list[str], np.ndarray] | None:
    """A convolution of ours without normalisation, from one with: kernel times scale, the shift as bias."""
    path = _norm_path(name)
    sources = [torchvision_name(path + leaf, body) or "" for leaf in ("kernel", *NORM)]
    if not all(source in theirs for source in sources):
        return None
    kernel, gamma, beta, mean, variance = (theirs[source].astype(np.float64) for source in sources)
    scale = gamma / np.sqrt(variance + epsilon)
    if name.endswith("/bias"):
        return sources, (beta - mean * scale).astype(np.float32)
    return sources, our_layout(name, (kernel * scale[:, None, None, None]).astype(np.float32))
