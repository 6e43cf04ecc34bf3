"""The program `dsg`: its commands, their help without requirements, and its mistakes."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dsg
from dsg.apps.commands import COMMANDS, fetch
from dsg.apps.fetch.catalogue import catalogue
from dsg.apps.main import main, module_of
from tests.shared import ROOT

LIB = ROOT / "lib"
BARE = [sys.executable, "-S", "-I", "-c"]  # neither packages nor variables of the environment


def test_every_module_is_a_command_and_the_other_way_round():
    folder = LIB / "dsg" / "apps" / "commands"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(COMMANDS)
    for command in COMMANDS:
        module = module_of(command)
        assert callable(module.add_arguments) and callable(module.run)
        examples = [line for line in module.__doc__.splitlines() if line.lstrip().startswith("dsg ")]
        assert all(line.startswith(f"    dsg {command}") for line in examples), examples


def test_help_needs_nothing_but_the_standard_library():
    """In an interpreter that has nothing else: all commands, and what was imported for them."""
    code = (
        f"import sys; sys.path.insert(0, {str(LIB)!r})\n"
        "from dsg.apps.main import main\n"
        f"words = {[[], *([command] for command in COMMANDS), ['convert', 'coco']]}\n"
        "failed = [one for one in words if main([*one, '--help'])]\n"
        "known = {*sys.stdlib_module_names, 'dsg', '__main__'} if sys.version_info >= (3, 10) else None\n"
        "foreign = {name.split('.')[0] for name in sys.modules} - known if known else set()\n"
        "sys.exit(f'{failed} {foreign}' if failed or foreign else 0)"
    )
    done = subprocess.run([*BARE, code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert f"usage: dsg {command} " in done.stdout


def test_help_answers_at_once():
    """In under half a second on an idle machine."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "dsg", "train", "--help"], cwd=LIB, check=True, capture_output=True
        )
        times.append(time.perf_counter() - started)
    assert min(times) < 1.5


def test_without_requirements_one_line_says_what_to_install():
    code = f"import sys; sys.path.insert(0, {str(LIB)!r})\nfrom dsg.apps.main import console; console()"
    for words in (["train", "--dataset", "vrd", "--net", "mini"], ["options"], ["completion", "bash"]):
        done = subprocess.run([*BARE, code, *words], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("error: ") and " is not installed: pip install" in done.stderr


def test_parts_that_help_lists_are_those_of_the_mirrors():
    assert {name: tuple(parts) for name, parts in catalogue().items()} == fetch.PARTS


def test_overview_and_version(capsys):
    assert main(["--help"]) == 0
    helped = capsys.readouterr().out
    assert all(f"  {name} " in helped and text in helped for name, text in COMMANDS.items())
    assert main([]) == 2 and capsys.readouterr().out == helped
    assert main(["--version"]) == 0 and capsys.readouterr().out == f"dsg {dsg.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "unknown command 'trian'; did you mean train?"),
        (["xyzzy"], "unknown command 'xyzzy'; `dsg --help` lists the commands"),
        (["check"], "DATASET is missing (dsg check --help lists the options)"),
        (["check", "vrd", "--no-imags"], "unknown option --no-imags; did you mean --no-images?"),
        (["train", "--imbd", "vrd"], "unknown option --imbd; did you mean --dataset?"),
        (["train", "--net"], "--net needs a value"),
        (["table", "--table", "3", "--dataset", "vrd", "--net", "mini"], "is made by `dsg cost --net mini`"),
        (["ask"], "no image to ask about"),
        (["ask", "photo.jpg"], "no query: give one"),
        (["ask", "man, riding, horse"], "no image to ask about"),
        (["graph"], "nothing to decode"),
        (["convert", "coco"], "BOXES, DIR is missing"),
        (["completion", "fish"], "invalid choice: 'fish'"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and message in said


@pytest.mark.parametrize(
    "words",
    [
        ["check", "~nosuchuser/data"],
        ["check", "vrd", "--data", "~nosuchuser/data"],
        ["convert", "coco", "boxes.json", "-", "~nosuchuser/data"],
        ["convert", "coco", "boxes.json", "-", "new", "--images", "~nosuchuser/data"],
        ["convert", "coco", "boxes.json", "-", "new", "--categories", "~nosuchuser/data"],
        ["convert", "coco", "boxes.json", "-", "new", "--test-ids", "~nosuchuser/data"],
        ["fetch", "vrd", "--data", "~nosuchuser/data"],
        ["fetch", "vrd", "--from", "~nosuchuser/data"],
        ["table", "--table", "2", "--imdb", "vrd", "--net", "mini", "--data", "~nosuchuser/data"],
        ["train", "--imdb", "vrd", "--net", "mini", "--data", "~nosuchuser/data"],
    ],
)
def test_the_home_folder_of_nobody(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ~nosuchuser/data: ") and said.count("\n") == 1
    assert not list(tmp_path.glob("~*"))


DOORS = {
    "demo_detect": "detect",
    "trainval_net": "train",
    "test_net": "test",
    "demo": "demo",
    "scene_graph": "graph",
    "check_dataset": "check",
    "generate_shapes": "shapes",
    "list_options": "options",
    "figures": "figure",
}


def test_every_old_program_is_a_door():
    """Its help is that of its command, under its own name, and mentions no old spelling."""
    folder = ROOT / "tools"
    for path in sorted(folder.glob("*.py")):
        if path.stem in ("install", "check_machine", "make_demo", "bench", "bench_peers"):
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        (door,) = (node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "door")
        assert isinstance(door.args[0], ast.Constant)
        assert door.args[0].value == DOORS.get(path.stem, path.stem) and door.args[0].value in COMMANDS


def test_a_door_answers_under_its_own_name(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "trainval_net.py", "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0 and done.stdout.startswith("usage: trainval_net.py ")
    assert "--dataset" in done.stdout and "--imdb" not in done.stdout
