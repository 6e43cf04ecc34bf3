"""Reads configuration files: YAML without duplicate keys, and the files that a file is based on (BASE)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsg.config.checks import check, members, short, without_net
from dsg.config.schema import options
from dsg.errors import UserError

CFGS = (Path(__file__).resolve().parents[3] / "experiments" / "cfgs").resolve()  # of the clone


def read_sources(path: Path) -> list[dict[str, Any]]:
    """The values of a file by upper-case name, NET as MODEL and BACKBONE, preceded by those of the files it
    is based on. Later values win.

    Raises:
        UserError: as `chain`, and for an unknown option or a wrong value.
    """
    return [_values(file, tree) for file, tree in reversed(chain(path))]


def chain(path: Path) -> list[tuple[Path, dict[Any, Any]]]:
    """A file with its contents, unchecked, then the file that it names with BASE, and so on.

    Raises:
        UserError: a file cannot be read, is not YAML or gives a key twice; or BASE leads in a circle, or to a
            file that is neither beside it nor below it nor in experiments/cfgs.
    """
    files: list[tuple[Path, dict[Any, Any]]] = []
    following: Path | None = path
    while following is not None:
        if _real(following) in [_real(file) for file, _ in files]:
            circle = ", ".join(str(file) for file in [*(file for file, _ in files), following])
            raise UserError(f"{path}: BASE leads in a circle ({circle}); remove it from one of these files")
        tree = _read_tree(following)
        files.append((following, tree))
        following = _base_of(following, tree)
    return files


def _read_tree(path: Path) -> dict[Any, Any]:
    """The contents of a YAML file, unchecked.

    Raises:
        UserError: it cannot be read, is not YAML or not a mapping, or gives a key twice.
    """
    from dsg.config.yaml_text import GivenTwice, NotYaml, parse

    try:
        tree = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    except GivenTwice as error:
        raise UserError(f"{path}: {error}") from error
    except NotYaml as error:
        raise UserError(f"{path}: not valid YAML ({error})") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected `KEY: value` lines")
    return tree


def _base_of(path: Path, tree: Mapping[Any, Any]) -> Path | None:
    """The file that `path` names with BASE in its contents `tree`, relative to its folder; None without BASE.

    Raises:
        UserError: it is not a file name, does not exist, or is neither beside nor below `path` nor in
            experiments/cfgs.
    """
    if "BASE" not in tree:
        return None
    named = tree["BASE"]
    if not isinstance(named, str) or not named or "\0" in named:
        raise UserError(f"{path}: BASE takes the name of a file, such as mini.yml, not {short(named)}")
    base = path.parent / named
    folder = _real(path.parent)
    if not any(root in _real(base).parents for root in (folder, CFGS)):
        raise UserError(
            f"{path}: BASE {named} leads out of {folder}; name a file in or below that folder, or one in "
            "experiments/cfgs"
        )
    if not os.path.isfile(base):  # unlike Path.is_file, also of a name that is too long
        raise UserError(f"{path}: BASE {named}: no such file in {folder}")
    return base


def _real(path: Path) -> Path:
    """A path without symbolic links, unless these lead in a circle."""
    return Path(os.path.realpath(path))


def _values(path: Path, tree: Mapping[Any, Any]) -> dict[str, Any]:
    """The options in the file itself, NET as MODEL and BACKBONE."""
    known = options()
    try:
        given = _flat({key: value for key, value in tree.items() if key != "BASE"}, known)
        values = without_net(given)
        for name, value in values.items():
            check(name, value, known)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return values


def _flat(tree: Mapping[Any, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The values of nested groups by full name. An empty group, such as one whose lines are all commented
    out, has none.
    """
    deepest = max(name.count(".") for name in known)
    values: dict[str, Any] = {}

    def walk(node: Mapping[Any, Any], prefix: str) -> None:
        for key, value in node.items():
            name = f"{prefix}{key}"
            if isinstance(value, dict) and name.count(".") < deepest:  # a group may hold itself
                walk(value, name + ".")
            elif name in values:
                raise UserError(f"{name} is given twice, in its group and with its full name")
            elif value is not None or not members(name, known):
                values[name] = value

    walk(tree, "")
    return values
