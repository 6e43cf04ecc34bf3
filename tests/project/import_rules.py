"""Who may import whom in `lib/dsg`, and how that is checked; `test_layers.py` does so.

A room is a folder or a module directly in the package; the folders in `models` are rooms of their own, a
system each. Inside a room everything may import everything, but never in a circle.

Every import counts: also inside functions, under `if TYPE_CHECKING`, and a module's name as a text, by which
`importlib` finds it. For circles of modules only what is imported when a module is loaded counts: that fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "dsg"

# What a system is made of; of the engine only what a task says of itself, and how weights are read.
PARTS = (
    "errors runtime boxes config datasets pipeline nets metrics visualize checkpoints "
    "engine.task engine.snapshots"
)
# room: what it may import besides the standard library and other packages. A name with a dot is a module of a
# room of which nothing else may be imported, or a system.
ROOMS: dict[str, str] = {
    # For everyone.
    "version": "",
    "errors": "",
    "runtime": "errors",
    # What takes plain values, arrays or tensors: no configuration, no data set.
    "boxes": "errors runtime",
    "nets": "errors runtime boxes",
    "metrics": "errors runtime boxes",
    "visualize": "errors runtime boxes",
    "checkpoints": "errors runtime",
    # From options and annotations to batches.
    "config": "errors runtime",
    "datasets": "errors runtime boxes config",
    "pipeline": "errors runtime boxes config datasets",
    # Training, of a system that is handed to it; what its scores mean is the system's business.
    "engine": "errors runtime config datasets pipeline visualize version",
    # What systems share; the detector; each other system; and the one place that knows them all.
    "models": PARTS,
    "models.detector": f"{PARTS} models",
    "models.*": f"{PARTS} models models.detector",
    "models.registry": "errors config engine.task models.detector models.*",
    # What asks a model, for other programs; what compares it with golden files; the programs.
    "api": "errors runtime config datasets pipeline metrics visualize models models.* models.detector",
    "parity": "errors runtime boxes config datasets pipeline nets metrics checkpoints engine "
    "models models.* models.detector models.registry",
    "apps": "*",
    # `import dsg` and `python -m dsg`.
    "__init__": "version runtime api",
    "__main__": "apps",
}

NETWORK = "urllib.request urllib3 http socket ssl ftplib requests httpx aiohttp pooch"
TENSORFLOW = "tensorflow tensorflow_addons keras"
# room: what it may not import of the rest of the world.
WITHOUT: dict[str, str] = {
    **{room: NETWORK for room in ROOMS if room != "apps"},
    **{room: f"{TENSORFLOW} {NETWORK}" for room in ("errors", "config", "datasets", "metrics", "visualize")},
}

TEXT = re.compile(rf"({PACKAGE}(\.\w+)+)(:\w+)?")


@dataclass(frozen=True)
class Import:
    """A module that another one imports; names of the package's own modules are without `dsg.`"""

    file: Path
    line: int
    text: str  # of the statement
    importer: str
    imported: str
    own: bool  # the package's
    loading: bool  # when the importer is loaded

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def modules_of(folder: Path) -> dict[str, Path]:
    """The modules of a package by name: `engine.train`; a folder's `__init__.py` has the folder's name, the
    package's own is `__init__`.
    """
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return modules


def imports_of(modules: Mapping[str, Path]) -> list[Import]:
    """Every import of these modules, in the order of files and lines."""
    return [one for name in modules for one in _imports(name, modules)]


def _imports(importer: str, modules: Mapping[str, Path]) -> Iterator[Import]:
    file = modules[importer]
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    loading = set(_loaded(tree.body))
    package = importer.split(".") if file.name == "__init__.py" else importer.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = [] if node.module is None else node.module.split(".")
            if node.level:
                inside = [] if importer == "__init__" else package
                parts = [PACKAGE, *inside[: len(inside) - node.level + 1], *parts]
            names = [".".join([*parts, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = TEXT.fullmatch(node.value)
            names = [match[1]] if match else []
        else:
            continue
        text = ast.unparse(node)
        for name in dict.fromkeys(names):
            own = name == PACKAGE or name.startswith(f"{PACKAGE}.")
            imported = _module(name[len(PACKAGE) + 1 :], modules) if own else name
            if imported is not None and imported != importer:
                yield Import(file, node.lineno, text, importer, imported, own, node in loading)


def _loaded(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The imports that are made when a module is loaded: neither in functions nor for type checkers."""
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _loaded(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for field in ("body", "orelse", "finalbody", "handlers"):
                yield from _loaded(getattr(node, field, []))


def _module(name: str, modules: Mapping[str, Path]) -> str | None:
    """The module that a dotted name means, or the one that holds what it means; None for a mere text."""
    while name not in modules:
        if not name:
            return "__init__" if "__init__" in modules else None
        name = name.rpartition(".")[0]
    return name


def room_of(module: str, modules: Mapping[str, Path], rooms: Mapping[str, str] = ROOMS) -> str:
    """The room of a module: the row of the table that describes it, else its top folder or module."""
    top, _, rest = module.partition(".")
    second = f"{top}.{rest.split('.')[0]}"
    if rest and second in rooms:
        return second
    if rest and f"{top}.*" in rooms and modules[second].name == "__init__.py":
        return second  # a system
    return top


def broken_rules(
    folder: Path, rooms: Mapping[str, str] = ROOMS, without: Mapping[str, str] = WITHOUT
) -> list[str]:
    """A line for each import that breaks a rule: where it is, what it says, and the rule."""
    modules = modules_of(folder)
    problems = []
    for found in imports_of(modules):
        room = room_of(found.importer, modules, rooms)
        row = _row(room, rooms)
        if row is None:
            problems.append(f"{found}: {room} has no row in the table")
        elif not found.own:
            banned = without.get(row, "").split()
            if any(f"{found.imported}.".startswith(f"{name}.") for name in banned):
                problems.append(f"{found}: {room} does without {found.imported.split('.')[0]}")
        elif not _allowed(found.imported, room, rooms[row].split(), modules, rooms):
            problems.append(f"{found}: {room} may import {rooms[row] or 'nothing'}")
    return problems


def _row(room: str, rooms: Mapping[str, str]) -> str | None:
    wildcard = f"{room.partition('.')[0]}.*"
    return room if room in rooms else wildcard if "." in room and wildcard in rooms else None


def _allowed(
    imported: str, room: str, allowed: list[str], modules: Mapping[str, Path], rooms: Mapping[str, str]
) -> bool:
    target = room_of(imported, modules, rooms)
    return (
        target == room
        or "*" in allowed
        or target in allowed
        or _row(target, rooms) in allowed
        or any(f"{imported}.".startswith(f"{name}.") for name in allowed if name.startswith(f"{target}."))
    )


def circles(folder: Path) -> list[str]:
    """A text for each circle: modules that import one another when they are loaded, and rooms that import one
    another at all.
    """
    modules = modules_of(folder)
    between_modules: dict[str, dict[str, Import]] = {name: {} for name in modules}
    between_rooms: dict[str, dict[str, Import]] = {}
    for found in imports_of(modules):
        if not found.own:
            continue
        if found.loading:
            between_modules[found.importer].setdefault(found.imported, found)
        rooms = [room_of(name, modules) for name in (found.importer, found.imported)]
        if rooms[0] != rooms[1]:
            between_rooms.setdefault(rooms[0], {}).setdefault(rooms[1], found)
    return [*_circles(between_modules), *_circles(between_rooms)]


def _circles(graph: Mapping[str, Mapping[str, Import]]) -> Iterator[str]:
    """One circle through every group of nodes that reach each other."""
    reached = {start: _reachable(start, graph) for start in graph}
    seen: set[str] = set()
    for start in graph:
        if start in reached[start] and start not in seen:
            group = {node for node in reached[start] if start in reached.get(node, ())}
            seen |= group
            way = _way_back(start, graph, group)
            steps = [str(graph[a][b]) for a, b in zip(way, way[1:])]
            yield "\n  ".join([f"a circle: {' -> '.join(way)}", *steps])


def _reachable(start: str, graph: Mapping[str, Mapping[str, Import]]) -> set[str]:
    reached: set[str] = set()
    todo = list(graph[start])
    while todo:
        node = todo.pop()
        if node not in reached:
            reached.add(node)
            todo += graph.get(node, ())
    return reached


def _way_back(start: str, graph: Mapping[str, Mapping[str, Import]], group: set[str]) -> list[str]:
    """The shortest way from a node to itself."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:  # grows meanwhile
        for node in graph[way[-1]]:
            if node == start:
                return [*way, start]
            if node in group and node not in seen:
                seen.add(node)
                ways.append([*way, node])
    raise AssertionError(f"{start} does not reach itself")
