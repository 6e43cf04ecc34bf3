"""The documentation says only what is so: paths, options, names, links exist; generated text is current."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest

from dsg.apps.commands import COMMANDS
from dsg.apps.main import parser_of
from dsg.apps.script_words import usage
from dsg.config import options
from dsg.config.reference import reference
from tests.shared import ROOT

PORTING = ROOT / "docs" / "porting.md"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "data" / "README.md", *(ROOT / "docs").glob("*.md")])
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
documents = pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)

FAMILIES = "|".join(sorted({name.partition(".")[0] for name in options() if "." in name}))
OPTION = re.compile(rf"\b(?:{FAMILIES})\.[A-Z][A-Z0-9_]*\b")
# Made where they are needed, and not part of the repository.
MADE = (
    "output/",
    "data/shapes",
    "data/vg150",
    "data/other_colours",
    "data/clevr_boxes",
    "data/imagenet_weights",
    "data/pretrained",
    "data/weights",
    ".venv",
    "tools/mcg_munge.py",
)


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def anchors(document: Path) -> set[str]:
    """Where links into a document may lead, as GitHub names its headings."""
    headings = re.findall(r"^#+ (.*)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def our_side(document: Path) -> str:
    """A document without what it says of the TensorFlow 1 code: the left column of the tables of files."""
    text = text_of(document)
    if document != PORTING:
        return text
    files, surprises, rest = text.partition("\n## Surprises")
    lines = [line for line in files.splitlines() if not line.startswith("#")]
    return (
        "\n".join(_without_first_cell(line) for line in lines) + surprises + rest.partition("\n## Options")[0]
    )


def _without_first_cell(line: str) -> str:
    return line.split(" | ", 1)[-1] if line.startswith("|") else line


def defined_names(module: Path) -> set[str]:
    """Functions, classes, methods (Class.method), variables at the top of a module, and what it imports."""
    names: set[str] = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
    return names


def is_there(dotted: str) -> bool:
    """Whether `dsg.a.b.name` is a module, or a name in one."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        place = ROOT.joinpath("lib", *parts[:count])
        module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if module.is_file():
            rest = ".".join(parts[count:])
            return not rest or rest in defined_names(module)
    return False


def test_configuration_is_current() -> None:
    written = text_of(ROOT / "docs" / "configuration.md")
    assert written == reference(), "run: dsg options --write"
    assert all(f"| `{name}` |" in written for name in options())


@documents
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        place = document.parent / path if path else document
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place), target


@documents
def test_paths_exist(document: Path) -> None:
    folders = "lib|tools|tests|data|docs|experiments"
    for path in re.findall(rf"(?<![\w/.<>-])\.?/?((?:{folders})/[\w./*-]*\w)", our_side(document)):
        if path.startswith(MADE):
            continue
        found = list(ROOT.glob(path)) if "*" in path else [ROOT / path] if (ROOT / path).exists() else []
        assert found, path


@documents
def test_options_exist(document: Path) -> None:
    text = our_side(document)
    if document == PORTING:
        renamed = text_of(document).partition("\n## Options")[2].partition("\nDropped, because")[0]
        text += "\n".join(map(_without_first_cell, renamed.splitlines()))
    for name in OPTION.findall(text):
        family = name.endswith("_") and any(known.startswith(name) for known in options())  # TRAIN.RPN_*
        assert name in options() or family, name


def test_the_reading_path_is_short() -> None:
    chapter = (
        text_of(ROOT / "docs" / "architecture.md").partition("## A reading path")[2].partition("\n## ")[0]
    )
    files = re.findall(r"^\| \d+ \| `([^`]+)` \|", chapter, re.MULTILINE)
    assert 10 <= len(files) <= 15
    assert sum(len(text_of(ROOT / file).splitlines()) for file in files) <= 2500


def test_every_option_of_the_release_has_a_place() -> None:
    chapter = text_of(PORTING).partition("\n## Options")[2].partition("\n## Names of variables")[0]
    for name in RELEASE_OPTIONS.split():
        documented = f"`{name}`" in chapter or (name.startswith("MOBILENET.") and "`MOBILENET.*`" in chapter)
        assert documented or name in options(), name
        assert not (documented and name in options()), (
            f"{name} is said to be renamed or dropped, but it is there"
        )


@documents
def test_names_of_the_package_exist(document: Path) -> None:
    for name in re.findall(r"(?<![\w/])dsg(?:\.\w+)+", text_of(document)):
        assert is_there(name), name


@documents
def test_targets_of_make_exist(document: Path) -> None:
    makefile = text_of(ROOT / "Makefile")
    for line in re.findall(r"`make ([^`]*)`|^ {4}make (.*)$", text_of(document), re.MULTILINE):
        for word in "".join(line).split("#")[0].split():
            if "=" not in word:
                assert re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE), word


@documents
def test_commands_are_complete(document: Path) -> None:
    """Programs that are called exist, with the options that they are called with."""
    text = our_side(document)
    for program, rest in re.findall(r"(tools/\w+\.py|experiments/scripts/\w+\.sh)([^`\n]*)", text):
        for option in OPTION_WORD.findall(rest.split("#")[0]):
            assert option in options_of(program), f"{program} {option}"
    for command, rest in re.findall(r"(?:^ {4}|`|bin/)dsg ([a-z]+)\b([^`\n]*)", text, re.MULTILINE):
        assert command in COMMANDS, f"dsg {command}"
        for option in OPTION_WORD.findall(rest.split("#")[0]):
            assert option in spellings(command), f"dsg {command} {option}"


OPTION_WORD = re.compile(r"(?<!\S)--[a-z][\w-]*")


def spellings(command: str) -> set[str]:
    """All options of a command of `dsg`, and of those below it."""
    found: set[str] = set()
    parsers = [parser_of(command)]
    for parser in parsers:
        found |= set(parser._option_string_actions)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
    return found


def options_of(program: str) -> set[str]:
    """All options of a program of tools/ or experiments/scripts."""
    source = text_of(ROOT / program)
    if program.endswith(".sh"):
        name = Path(program).stem
        return {*OPTION_WORD.findall(usage(name).replace("[", " ")), "--data", "--output", "--help"}
    door = re.search(r'door\("(\w+)"', source)
    if door:
        return spellings(door[1])
    package = "peers/__main__.py" if program.endswith("bench_peers.py") else "__main__.py"
    return set(re.findall(r"--[a-z][\w-]*", source + text_of(ROOT / "benchmarks" / package)))


def test_dependencies_have_a_reason_each() -> None:
    reasons = text_of(ROOT / "docs" / "dependencies.md")
    for path in ROOT.glob("requirements*.txt"):
        for line in text_of(path).splitlines():
            name = re.match(r"[A-Za-z][\w.-]*", line)
            if name:
                assert f"`{name.group()}`" in reasons, f"{path.name}: {name.group()}"


@documents
def test_no_place_of_one_machine(document: Path) -> None:
    assert not re.search(r"(?<!\w)/(work|tmp|root|home)/", text_of(document))


RELEASE_OPTIONS = """
ANCHOR_RATIOS ANCHOR_SCALES DATA_DIR ENTITY_FEATURES_SIZE EXP_DIR MATLAB PIXEL_MEANS POOLING_MODE POOLING_SIZE
RELATION_FEATURES_SIZE RNG_SEED ROOT_DIR RPN_CHANNELS USE_E2E_TF USE_GPU_NMS
MOBILENET.DEPTH_MULTIPLIER MOBILENET.FIXED_LAYERS MOBILENET.REGU_DEPTH MOBILENET.WEIGHT_DECAY
RESNET.FIXED_BLOCKS RESNET.MAX_POOL
TEST.BBOX_REG TEST.HAS_RPN TEST.MASK_HEIGHT TEST.MASK_WIDTH TEST.MAX_SIZE TEST.MODE TEST.NMS
TEST.PROPOSAL_METHOD TEST.RPN_NMS_THRESH TEST.RPN_POST_NMS_TOP_N TEST.RPN_PRE_NMS_TOP_N TEST.RPN_TOP_N
TEST.SCALES TEST.SVM
TRAIN.ASPECT_GROUPING TRAIN.BATCH_SIZE TRAIN.BBOX_INSIDE_WEIGHTS TRAIN.BBOX_NORMALIZE_MEANS
TRAIN.BBOX_NORMALIZE_STDS TRAIN.BBOX_NORMALIZE_TARGETS TRAIN.BBOX_NORMALIZE_TARGETS_PRECOMPUTED TRAIN.BBOX_REG
TRAIN.BBOX_THRESH TRAIN.BG_THRESH_HI TRAIN.BG_THRESH_LO TRAIN.BIAS_DECAY TRAIN.DISPLAY TRAIN.DOUBLE_BIAS
TRAIN.FG_FRACTION TRAIN.FG_THRESH TRAIN.FREEZE_DETECTOR TRAIN.GAMMA TRAIN.HAS_RPN TRAIN.IMS_PER_BATCH
TRAIN.LEARNING_RATE TRAIN.MAX_SIZE TRAIN.MOMENTUM TRAIN.PROPOSAL_METHOD TRAIN.RPN_BATCHSIZE
TRAIN.RPN_BBOX_INSIDE_WEIGHTS TRAIN.RPN_CLOBBER_POSITIVES TRAIN.RPN_FG_FRACTION TRAIN.RPN_NEGATIVE_OVERLAP
TRAIN.RPN_NMS_MIN_SCORE TRAIN.RPN_NMS_THRESH TRAIN.RPN_POSITIVE_OVERLAP TRAIN.RPN_POSITIVE_WEIGHT
TRAIN.RPN_POST_NMS_TOP_N TRAIN.RPN_PRE_NMS_TOP_N TRAIN.SCALES TRAIN.SNAPSHOT_ITERS TRAIN.SNAPSHOT_KEPT
TRAIN.SNAPSHOT_LOAD_PREFIX TRAIN.SNAPSHOT_PREFIX TRAIN.STEPSIZE TRAIN.SUMMARY_INTERVAL TRAIN.TRUNCATED
TRAIN.USE_ALL_GT TRAIN.USE_FLIPPED TRAIN.USE_GT TRAIN.WEIGHT_DECAY
"""
