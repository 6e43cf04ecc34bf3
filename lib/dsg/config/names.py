"""The values of MODEL and BACKBONE, and of NET, the older name for both."""

from __future__ import annotations

BASELINES = ("ss", "co", "vrd", "ssas")  # answer with maps instead of boxes, see docs/baselines.md
MODELS = ("dsg", *BASELINES)
DSG = MODELS[0]
STRIDES: dict[str, tuple[int, ...]] = {
    "res18": (16, 8),
    "res50": (16,),
    "res101": (16,),
    "res152": (16,),
    "mini": (16, 8),
}
"""Every backbone with the values of FEATURE_STRIDE that it supports; `dsg.nets.backbones` builds them."""
BACKBONES = tuple(STRIDES)
BACKBONE = "res101"  # the default
NETS = (*BACKBONES, *BASELINES)


def net_of(model: str, backbone: str) -> str:
    """One name for both, as in `output/<net>/`: the baseline's, or that of dsg's backbone."""
    return backbone if model == DSG else model


def meaning(net: str) -> dict[str, str]:
    """The MODEL and BACKBONE that NET stands for.

    Example:
        >>> meaning("mini"), meaning("ss")
        ({'MODEL': 'dsg', 'BACKBONE': 'mini'}, {'MODEL': 'ss', 'BACKBONE': 'res101'})
    """
    if net in BASELINES:
        return {"MODEL": net, "BACKBONE": BACKBONE}
    return {"MODEL": DSG, "BACKBONE": net}


def with_stride(stride: int) -> str:
    """The backbones whose feature map can have that stride, as words: `res18 and mini`."""
    return " and ".join(name for name, strides in STRIDES.items() if stride in strides)
