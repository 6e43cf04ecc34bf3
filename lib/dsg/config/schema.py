"""Every option of the system: its name, type, default and meaning.

`Config` is a tree of frozen dataclasses, one file per subject. The option `TRAIN.LEARNING_RATE` of a YAML
file or of the command line is the attribute `config.train.learning_rate`. Defaults reproduce the TensorFlow 1
release; where the paper's text differs, the option's description says so and
`experiments/cfgs/res101_paper.yml` holds the paper's values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from dsg.config.baselines import BaselineConfig
from dsg.config.data import DataConfig
from dsg.config.detector import DetectorOptions, ResnetConfig, TargetOptions
from dsg.config.dsg import DsgOptions, GpiConfig, HeadConfig, LossConfig, NodesConfig, RrConfig
from dsg.config.grounding import GroundingConfig
from dsg.config.names import BACKBONE, BACKBONES, BASELINES, DSG, MODELS, net_of
from dsg.config.option import Range, option
from dsg.config.testing import TestOptions
from dsg.config.train import ScheduleOptions
from dsg.config.two_stage import DetectionOptions, DetectorConfig, MobilenetConfig, RegionOptions


@dataclass(frozen=True)
class TrainConfig(RegionOptions, TargetOptions, ScheduleOptions):  # fields: those of the last base first
    """Training schedule, optimiser, input and the detector's targets."""


@dataclass(frozen=True)
class TestConfig(DetectionOptions, TestOptions):
    """Testing. Proposals of dsg use the TRAIN.RPN_* options, as in the release."""

    __test__ = False  # not a test class, whatever pytest thinks of its name


@dataclass(frozen=True)
class SystemOptions:
    """What is built, and where its weights come from."""

    model: str = option(
        DSG,
        "The system: dsg, a baseline, the detector on its own, or graphs grounded by masks.",
        MODELS,
    )
    backbone: str = option(
        BACKBONE,
        "The trunk of dsg (all but vgg16 and mobile), of the detector, or of grounding (mini, res18, vgg16, "
        "res101, res50_fpn, x101_32x8d_fpn); baselines use BASELINE.FEATURES instead.",
        BACKBONES,
    )
    weights: str = option(
        "",
        "What a new run starts from: a snapshot, ImageNet weights, another program's detector, or the name "
        "of a file that torchvision publishes (empty: the trunk's ImageNet weights; none: random weights).",
    )
    rng_seed: int = option(3, "Seed of all random numbers.", within=Range(0, 2**32 - 1))


@dataclass(frozen=True)
class Config(DsgOptions, DetectorOptions, SystemOptions):
    """The whole configuration; build it with `dsg.config.load_config`."""

    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    test: TestConfig = field(default_factory=TestConfig)
    resnet: ResnetConfig = field(default_factory=ResnetConfig)
    mobilenet: MobilenetConfig = field(default_factory=MobilenetConfig)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    nodes: NodesConfig = field(default_factory=NodesConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    gpi: GpiConfig = field(default_factory=GpiConfig)
    rr: RrConfig = field(default_factory=RrConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)
    grounding: GroundingConfig = field(default_factory=GroundingConfig)

    @property
    def net(self) -> str:
        """MODEL and BACKBONE in one word, as in names of folders, tables and snapshots."""
        return net_of(self.model, self.backbone)

    @property
    def keep_self(self) -> bool:
        """Whether a query may relate an entity to itself: BASELINE.KEEP_SELF, for baselines only."""
        return self.model in BASELINES and self.baseline.keep_self


def options(node: type | Any = Config, prefix: str = "") -> dict[str, Any]:
    """Every option by its upper-case name: `{"TRAIN.LEARNING_RATE": <dataclass field>, ...}` in the order of
    definition.
    """
    named: dict[str, Any] = {}
    for item in fields(node):
        name = prefix + item.name.upper()
        group = item.default_factory
        if isinstance(group, type):
            named.update(options(group, name + "."))
        else:
            named[name] = item
    return named
