"""`build_model` makes the whole model from a configuration and the size of a vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsg.errors import UserError

if TYPE_CHECKING:
    from dsg.config import Config
    from dsg.models.dsg.model import DSG


def build_model(config: Config, num_entities: int, num_predicates: int) -> DSG:
    """The model that `config` describes, with all its variables at their initial values (drawn from
    RNG_SEED).

    Args:
        config: the configuration.
        num_entities: E, entity categories of the vocabulary.
        num_predicates: R, predicates of the vocabulary.

    Raises:
        UserError: MODEL is a baseline or a detector, which `dsg.models.baselines` and `dsg.models.detector`
            build, or the anchors are `auto` still.
    """
    from dsg.config import BASELINES, DETECTORS, check_chosen

    if config.net in DETECTORS:
        raise UserError(
            f"MODEL {config.model} finds objects and answers no queries; this needs a network that does, "
            "such as res101"
        )
    if config.model in BASELINES:
        raise UserError(
            f"MODEL {config.model} is a baseline, which answers with maps; this needs a network that answers "
            "with boxes, such as res101"
        )
    check_chosen(config)
    from dsg.models.dsg.model import DSG
    from dsg.models.dsg.parts import make_parts
    from dsg.nets.initial import seed_initial_values

    seed_initial_values(config.rng_seed)
    return DSG(config, make_parts(config, num_entities, num_predicates))
