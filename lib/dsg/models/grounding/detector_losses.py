"""The losses of the joint detector (eq. 10): those of a detector on the images of graphs, and those of one
with masks on the images of masks, from one pass of what they share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from dsg.config import Config
from dsg.config.names import PYRAMIDS
from dsg.models.detector.batch_losses import training_proposals, unweighted_losses
from dsg.models.detector.losses import decay_loss
from dsg.models.grounding.domains import DomainDetector, domain_part, first_of
from dsg.models.grounding.model import GroundingModel
from dsg.pipeline.graph_batch import GRAPHS, MASKS
from dsg.pipeline.graph_examples import with_masks

if TYPE_CHECKING:
    from dsg.pipeline.graph_batch import GraphBatch

OF_MASKS = "masks_"
"""How the names of the losses of images of masks begin."""
BETA = 0.0  # on pyramids boxes have l1


def detector_losses(model: GroundingModel, batch: GraphBatch, config: Config) -> dict[str, tf.Tensor]:
    """Unweighted terms by the names of LOSS.*, those of images of masks with `masks_` before it, and `total`,
    their weighted sum: float32 scalars.

    Args:
        model: of `config`.
        batch: of training examples; of images of graphs alone, or of both.
        config: the whole configuration.
    """
    detector, train = model.detector, config.train
    images = tf.cast(batch["image"], train.precision)
    first = detector(images, batch["image_size"], training_proposals(config))
    domains = [(GRAPHS, "", train.ims_per_batch)]
    if config.grounding.joint:
        domains.append((MASKS, OF_MASKS, config.grounding.mask_ims_per_batch))
    losses: dict[str, tf.Tensor] = {}
    for domain, before, count in domains:
        masks = domain == MASKS
        own = domain_part(batch, domain, count if config.backbone in PYRAMIDS else None)
        view: Any = DomainDetector(detector, masks, (first, own.rows))
        part: Any = own.batch
        terms = unweighted_losses(
            *(view, first_of(first, own.rows), part, with_masks(config, masks)), images=count, beta=BETA
        )
        losses.update({before + name: own.present * value for name, value in terms.items()})
    total = tf.add_n(
        [getattr(config.loss, name.removeprefix(OF_MASKS)) * value for name, value in losses.items()]
    )
    if config.loss.regularization:
        decay = decay_loss(model, train.weight_decay)
        losses["regularization"] = decay
        total += config.loss.regularization * decay
    return {**losses, "total": total}
