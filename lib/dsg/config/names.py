"""The values of MODEL and BACKBONE, and of NET, the older name for both."""

from __future__ import annotations

BASELINES = ("ss", "co", "vrd", "ssas")  # answer with maps instead of boxes, see docs/baselines.md
DSG, DETECTOR, GROUNDING = "dsg", "detector", "grounding"
MODELS = (DSG, *BASELINES, DETECTOR, GROUNDING)
STRIDES: dict[str, tuple[int, ...]] = {
    "res18": (16, 8),
    "res50": (16,),
    "res101": (16,),
    "res152": (16,),
    "mini": (16, 8),
    "vgg16": (16,),
    "mobile": (16,),
    "res50_fpn": (16,),
    "res101_fpn": (16,),
    "x101_32x8d_fpn": (16,),
}
"""Every backbone with the values of FEATURE_STRIDE that it supports; `dsg.nets.backbones` builds them.
Pyramids have strides of their own, whatever it says.
"""
BACKBONES = tuple(STRIDES)
PYRAMIDS = tuple(name for name in BACKBONES if name.endswith("_fpn"))
DSG_BACKBONES = ("res18", "res50", "res101", "res152", "mini", *PYRAMIDS)
SMALL = ("res18", "mini")
BACKBONE = "res101"  # the default
DETECTORS = tuple(f"{DETECTOR}_{backbone}" for backbone in BACKBONES)
GROUNDED_BACKBONES = ("mini", "res18", "vgg16", "res101", "res50_fpn", "x101_32x8d_fpn")
GROUNDED = tuple(f"{GROUNDING}_{backbone}" for backbone in GROUNDED_BACKBONES)
NETS = (*DSG_BACKBONES, *BASELINES, *DETECTORS, *GROUNDED)


def net_of(model: str, backbone: str) -> str:
    """One name for both, as in `output/<net>/`: dsg's backbone, the baseline, detector_<backbone> or
    grounding_<backbone>.

    Example:
        >>> net_of("dsg", "mini"), net_of("ss", "res101"), net_of("detector", "mini")
        ('mini', 'ss', 'detector_mini')
    """
    if model in (DETECTOR, GROUNDING):
        return f"{model}_{backbone}"
    return backbone if model == DSG else model


def meaning(net: str) -> dict[str, str]:
    """The MODEL and BACKBONE that NET stands for.

    Example:
        >>> meaning("mini"), meaning("ss")
        ({'MODEL': 'dsg', 'BACKBONE': 'mini'}, {'MODEL': 'ss', 'BACKBONE': 'res101'})
    """
    if net in BASELINES:
        return {"MODEL": net, "BACKBONE": BACKBONE}
    if net in DETECTORS:
        return {"MODEL": DETECTOR, "BACKBONE": net[len(DETECTOR) + 1 :]}
    if net in GROUNDED:
        return {"MODEL": GROUNDING, "BACKBONE": net[len(GROUNDING) + 1 :]}
    return {"MODEL": DSG, "BACKBONE": net}


def with_stride(stride: int) -> str:
    """The backbones whose feature map can have that stride, as words: `res18 and mini`."""
    return " and ".join(name for name, strides in STRIDES.items() if stride in strides)
