"""torchvision's Faster R-CNN and Mask R-CNN as their documentation uses them, run by the peers' interpreter.

Weights are those of the parity recipe, values by name and shape; they go to the folder as a `.pth` file, from
which the other side takes them by the road of published files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from benchmarks.peers.settings import BFLOAT16, CLASSES, Case, PeerSettings
from benchmarks.peers.side import Contender, Found
from benchmarks.peers.subject import WEIGHTS, Subject, masks_of, read_subject
from dsg.parity.recipes import torch_value

MOMENTUM, DECAY = 0.9, 1e-4
VERSIONS = {"torch": torch.__version__, "torchvision": torchvision.__version__}


def contender(case: Case, settings: PeerSettings, folder: Path) -> Contender:
    """The detector in this process."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(0)
    subject, model = read_subject(folder), _model(case, settings, folder)
    if case.step:
        return _training(case, model, subject)
    model.eval()

    def answer(picture: np.ndarray) -> Found:
        image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
        with torch.inference_mode(), _precision(case):
            found = model([image])[0]
        arrays = {name: value.float().numpy() for name, value in found.items()}
        if case.masks:
            arrays["masks"] = arrays["masks"][:, 0] > 0.5
        arrays["classes"] = arrays.pop("labels").astype(np.int32)
        return arrays

    def compare() -> Found:
        limits = model.transform.min_size, model.transform.max_size
        shorter, longer = sorted(settings.compared)
        model.transform.min_size, model.transform.max_size = (shorter,), longer
        found = answer(subject.compared)
        model.transform.min_size, model.transform.max_size = limits
        return found

    return Contender(lambda: len(answer(subject.picture)["scores"]), compare, VERSIONS)


def _training(case: Case, model: Any, subject: Subject) -> Contender:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # learning rate 0: a step does all its work, and the next one finds the same weights
    optimizer = torch.optim.SGD(trained, lr=0.0, momentum=MOMENTUM, weight_decay=DECAY)
    masks = masks_of(subject)
    model.train()

    def step() -> float:
        image = torch.from_numpy(subject.picture).permute(2, 0, 1).float() / 255
        target = {"boxes": torch.from_numpy(subject.boxes), "labels": torch.from_numpy(subject.classes)}
        if case.masks:
            target["masks"] = torch.from_numpy(masks)
        with _precision(case):
            total = sum(model([image], [target]).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return float(total.detach())

    return Contender(step, lambda: {"loss": np.array(step())}, VERSIONS)


def _model(case: Case, settings: PeerSettings, folder: Path) -> Any:
    """With frozen batch norm and three trained blocks, as with published weights."""
    body = resnet_fpn_backbone(backbone_name="resnet50", weights=None, trainable_layers=3)
    shorter, longer = sorted((settings.height, settings.width))
    model = (MaskRCNN if case.masks else FasterRCNN)(
        body,
        CLASSES,
        min_size=shorter,
        max_size=longer,
        rpn_pre_nms_top_n_test=settings.candidates,
        rpn_post_nms_top_n_test=settings.proposals,
        rpn_pre_nms_top_n_train=settings.train_proposals,
        rpn_post_nms_top_n_train=settings.train_proposals,
        box_score_thresh=settings.threshold,
        box_detections_per_img=settings.detections,
        box_batch_size_per_image=settings.regions,
    )
    state = {
        name: torch.from_numpy(np.asarray(torch_value(name, value.shape)))
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    torch.save(state, folder / f"{case.masks}.part")
    (folder / f"{case.masks}.part").rename(folder / WEIGHTS)
    return model


def _precision(case: Case) -> Any:
    return torch.autocast("cpu", torch.bfloat16, enabled=case.precision == BFLOAT16)
