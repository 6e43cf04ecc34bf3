"""Which options of grounded scene graphs exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsg.config.grounding import GRAPH_STAGE, NO_EDGE_MASK, SGDET
from dsg.config.names import GROUNDED_BACKBONES
from dsg.config.two_stage_checks import check_detector
from dsg.errors import UserError

if TYPE_CHECKING:
    from dsg.config.schema import Config


def check_grounding(config: Config) -> None:
    """Refuse values that are valid one by one but not together in a grounded scene graph.

    Raises:
        UserError: two options exclude each other.
    """
    options = config.grounding
    if config.backbone not in GROUNDED_BACKBONES:
        known = ", ".join(GROUNDED_BACKBONES)
        raise UserError(f"BACKBONE {config.backbone} is not for MODEL grounding, which has {known}")
    check_detector(config)
    if config.detector.class_agnostic:
        raise UserError("DETECTOR.CLASS_AGNOSTIC is for MODEL detector; masks are transferred by category")
    if options.stage == GRAPH_STAGE:
        _check_graph(config)


def _check_graph(config: Config) -> None:
    options = config.grounding
    masked = options.node_masks or options.edge_mask != NO_EDGE_MASK
    if not options.joint and (options.refine or options.refine_at_inference):
        raise UserError("GROUNDING.REFINE needs GROUNDING.JOINT True: there are no masks to learn from")
    if not options.joint and masked and options.masks_from == "detector":
        raise UserError(
            "without masks (GROUNDING.JOINT False), set GROUNDING.NODE_MASKS False and GROUNDING.EDGE_MASK "
            f"{NO_EDGE_MASK}"
        )
    if options.masks_from == "true" and SGDET in (options.setting, options.test_setting):
        raise UserError(
            "GROUNDING.MASKS_FROM true is for GROUNDING.SETTING predcls and sgcls, whose boxes are given"
        )
    if options.refine_at_inference and not options.refine:
        raise UserError("GROUNDING.REFINE_AT_INFERENCE needs GROUNDING.REFINE True, which is learned")
    if options.refine and options.masks_from == "true":
        raise UserError("GROUNDING.MASKS_FROM true leaves nothing to refine: set GROUNDING.REFINE False")
