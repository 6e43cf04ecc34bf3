"""The files of experiments/cfgs: which of them a run reads, what their comments promise, what they change."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from dsg.apps.configurations import DETECTION_DATASETS
from dsg.apps.detector_words import detector_net
from dsg.config import DETECTORS, DSG_BACKBONES, GROUNDED, config_files, flatten, load_config, net_names
from dsg.config.dsg import AUXILIARY
from dsg.config.yaml_file import chain, read_sources
from dsg.datasets.catalogue import CATALOGUE
from dsg.datasets.scene_graph_layout import NAMES as GRAPH_DATASETS
from dsg.errors import UserError
from tests.shared import ROOT

CFGS = ROOT / "experiments" / "cfgs"
FILES = sorted(CFGS.rglob("*.yml"))
OLDER_NAMES = {"ss.yml": "ss", "co.yml": "co", "ssas.yml": "ssas", "vrd_net.yml": "vrd"}
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CFGS).as_posix())
with_base = pytest.mark.parametrize(
    "path",
    [path for path in FILES if len(chain(path)) > 1],
    ids=lambda path: path.relative_to(CFGS).as_posix(),
)


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(CFGS).as_posix() for path in paths]


def comment(path: Path) -> list[str]:
    """The lines of comment that a file begins with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return [line[1:].strip() for line in lines[:first]]


@every_file
def test_a_file_begins_with_the_command_that_reads_it(path: Path) -> None:
    line = re.sub(r"<[^<>]*>", lambda gap: shlex.quote(gap[0]), comment(path)[0])
    script, gpu, dataset, net, name, *pairs = shlex.split(line)
    if script.endswith("train_sg.sh"):
        _check_command_of_graphs(path, dataset, net, [name, *pairs])
        return
    detector = path.stem.startswith("detector") or path.stem in set(DETECTION_DATASETS) - set(CATALOGUE)
    assert script == f"./experiments/scripts/train{'_faster_rcnn' * detector}.sh"
    assert gpu in ("0", "cpu") and name == "<name>"
    net = detector_net(net, net_names(CFGS)) if detector else net
    assert dataset in (DETECTION_DATASETS if detector else CATALOGUE) and net in net_names(CFGS)
    pairs = pairs[: pairs.index("--data")] if "--data" in pairs else pairs
    read = config_files(CFGS, dataset, net)
    load_config(read, pairs)
    assert path in [file for each in read for file, _ in chain(each)] or OLDER_NAMES[path.name] == net


def _check_command_of_graphs(path: Path, dataset: str, net: str, words: list[str]) -> None:
    detector = words == ["<name>", "--stage", "detector"]
    assert detector or words == ["motif", "<name>", "WEIGHTS", "<detector>"]
    read = config_files(CFGS, dataset, f"grounding_{net}{'_detector' * detector}")
    assert dataset in GRAPH_DATASETS
    assert load_config(read).grounding.stage == ("detector" if detector else "graph")
    assert path in [file for each in read for file, _ in chain(each)]


@every_file
def test_a_comment_tells_the_score_or_that_it_is_not_known_yet(path: Path) -> None:
    text = " ".join(comment(path)[1:])
    if path.name in OLDER_NAMES and path.parent == CFGS:
        assert f"models/{OLDER_NAMES[path.name]}.yml" in text
        return
    assert "docs/results.md" in text
    scores = re.findall(r"\b0\.\d{3}\b", text)
    assert scores or "ot trained yet" in text
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert all(score in results for score in scores)


@with_base
def test_every_line_changes_what_the_base_says(path: Path) -> None:
    base = chain(path)[1][0]
    before, after = flatten(load_config([base])), flatten(load_config([path]))
    stated = read_sources(path)[-1]
    changed = {name for name in after if after[name] != before[name]}
    if "MODEL" in stated:  # a baseline's takes back the backbone
        del stated["BACKBONE"]
        changed.discard("BACKBONE")
    if stated.get("AUX_FIRST_STAGE") is False:  # switches these off
        changed -= set(AUXILIARY)
    assert changed == set(stated)


def test_the_nets() -> None:
    nets = net_names(CFGS)
    assert {*DSG_BACKBONES, *DETECTORS, *GROUNDED, *(f"{net}_detector" for net in GROUNDED)} <= set(nets)
    assert {"ss", "co", "vrd", "ssas", "mini_best", "res101_paper"} <= set(nets)
    assert not {"visualgenome", "clevr", "shapes", "vrd_net", "ssas_vrd"} & set(nets)
    for net in nets:
        config = load_config(config_files(CFGS, "elsewhere", net))
        assert config.net == (net if net in DETECTORS else re.sub("_(best|paper|photos|detector)$", "", net))


def test_which_files_a_run_reads() -> None:
    assert names(config_files(CFGS, "vrd", "vrd")) == ["vrd.yml", "models/vrd.yml"]
    assert names(config_files(CFGS, "clevr", "ssas")) == ["clevr.yml", "models/ssas.yml", "ssas_clevr.yml"]
    assert names(config_files(CFGS, "Shapes", "mini_best")) == ["shapes.yml", "mini_best.yml"]
    # A data set's folder that is called like a net, or like the end of its name.
    for dataset, net in (
        ("mini", "res101"),
        ("best", "res18"),
        ("paper", "res101"),
        ("net", "vrd"),
        ("ss", "ss"),
    ):
        assert [path.stem for path in config_files(CFGS, dataset, net)] == [net]


@pytest.mark.parametrize(
    ("net", "hint"),
    [
        ("vrd_net", "did you mean vrd"),
        ("visualgenome", "one of co detector_mini .* grounding_mini .* mini mini_best"),
        ("res10", "did you mean res101"),
        ("../cfgs/mini", "co detector_mini .* mini mini_best"),
        ("models/ss", "one of co"),
    ],
)
def test_what_is_no_net(net: str, hint: str) -> None:
    with pytest.raises(UserError, match=f"unknown net '{net}': .*{hint}"):
        config_files(CFGS, "vrd", net)


def test_a_data_set_or_a_net_alone() -> None:
    assert names(config_files(CFGS, "vrd", "")) == ["vrd.yml"] and config_files(CFGS, "mini", "") == []
    assert names(config_files(CFGS, "", "vrd")) == ["models/vrd.yml"] and config_files(CFGS, "", "") == []


def test_files_of_ones_own(tmp_path: Path) -> None:
    cfgs = tmp_path / "cfgs"
    shutil.copytree(CFGS, cfgs)
    (cfgs / "photos.yml").write_text("BASE: shapes.yml\nTRAIN: {EPOCHS: 3}\n")  # of a data set
    (cfgs / "larger.yml").write_text("BASE: mini.yml\nHEAD: {DIM: 252}\n")
    (cfgs / "broken.yml").write_text("NET: [\n")
    assert set(net_names(cfgs)) == {*net_names(CFGS), "larger", "broken"}
    files = config_files(cfgs, "photos", "larger")
    assert [path.name for path in files] == ["photos.yml", "larger.yml"]
    config = load_config(files)
    assert (config.net, config.head.dim, config.train.epochs, config.train.scales) == ("mini", 252, 2, (128,))
    with pytest.raises(UserError, match="broken.yml: not valid YAML"):
        load_config(config_files(cfgs, "photos", "broken"))


def test_paths_that_commands_name_still_work() -> None:
    for older, net in OLDER_NAMES.items():
        assert load_config([CFGS / older]) == load_config([CFGS / "models" / f"{net}.yml"])
