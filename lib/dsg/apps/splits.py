"""Names of data sets and their splits as the release writes them: `visualgenome_train`."""

from __future__ import annotations

from pathlib import Path

from dsg.errors import UserError

SPLITS = ("train", "val", "validation", "test", "trainval")


def dataset_and_split(text: str, default_split: str, data_dir: Path) -> tuple[str, str]:
    """A data set's name or folder, with or without a split at its end.

    A folder of the whole name, including the ending, takes precedence.

    Example:
        >>> dataset_and_split("visualgenome_train", "test", Path("data"))
        ('visualgenome', 'train')
    """
    name, _, ending = text.rpartition("_")
    if name and ending in SPLITS and not _is_folder(text, data_dir):
        return name, _split(ending)
    return text, default_split


def split_at_end(text: str, option: str) -> str:
    """A split, alone or at the end of a data set's name.

    Raises:
        UserError: it has another ending; the message names `option`.

    Example:
        >>> split_at_end("visualgenome_val", "--validation-split")
        'validation'
    """
    ending = text.rpartition("_")[2]
    if ending not in SPLITS:
        raise UserError(f"{option} {text!r} does not end in a split: {', '.join(SPLITS)}")
    return _split(ending)


def _split(name: str) -> str:
    return {"val": "validation"}.get(name, name)


def _is_folder(text: str, data_dir: Path) -> bool:
    """Whether it is a folder, or a data set's name in the data folder, where a folder of images alone does
    not count.
    """
    from dsg.datasets.catalogue import folder_of, holds_annotations
    from dsg.datasets.instance_layouts import for_detection_alone

    folder = folder_of(text, data_dir)
    if folder is None:
        return False
    return folder == Path(text) or holds_annotations(folder) or for_detection_alone(text, data_dir)
