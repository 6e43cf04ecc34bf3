"""Generated data sets that are asked for by their names and do not exist yet."""

from __future__ import annotations

from pathlib import Path

from dsg.apps.configurations import catalogued


def absent_shapes(dataset: str, data_dir: Path) -> Path | None:
    """Where to generate the data set `shapes`, if it is requested and does not exist."""
    there = (data_dir / "annotations_train.json").is_file() or (data_dir / "shapes").is_dir()
    return data_dir / "shapes" if catalogued(dataset) == "shapes" and not there else None


def absent_graphs(dataset: str, data_dir: Path) -> Path | None:
    """Where to generate the data set `shapes150`, if it is requested and does not exist."""
    from dsg.datasets.scene_graph_layout import SHAPES150, is_graph_folder, known_name

    there = is_graph_folder(data_dir) or (data_dir / SHAPES150).is_dir()
    return data_dir / SHAPES150 if known_name(dataset) == SHAPES150 and not there else None


def generate_absent_shapes(dataset: str, data_dir: Path) -> None:
    """Generate `shapes`, if it is requested and does not exist."""
    folder = absent_shapes(dataset, data_dir)
    if folder is not None:
        from dsg.datasets.shapes.generator import generate_shapes

        print(f"{folder}: generating the data set", flush=True)
        generate_shapes(folder)


def generate_absent_graphs(dataset: str, data_dir: Path) -> None:
    """Generate `shapes150`, if it is requested and does not exist."""
    folder = absent_graphs(dataset, data_dir)
    if folder is not None:
        from dsg.datasets.shapes.graph_generator import generate_graphs

        print(f"{folder}: generating the data set", flush=True)
        generate_graphs(folder)
