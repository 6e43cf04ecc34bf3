"""What earlier versions did not write for detectors, added to a data set that they generated."""

from __future__ import annotations

from pathlib import Path

from dsg.datasets.shapes.instances import Solid, move_into, solids_of, write_instances
from dsg.datasets.shapes.pictures import CLEVR, IMAGE_FOLDERS, make_view, picture_name
from dsg.datasets.shapes.scene import objects_of
from dsg.datasets.shapes.settings import stored_settings
from dsg.errors import UserError
from dsg.runtime.progress import Progress
from dsg.runtime.scratch import scratch_folder


def add_instances(folder: Path) -> None:
    """Add the files of detectors to a data set that an earlier version generated; its images stay as they
    are.

    Raises:
        UserError: the folder's settings are not those of this version; it cannot be written.
    """
    settings = stored_settings(folder)
    objects = objects_of(settings.get("palette", CLEVR))
    pictures: dict[str, dict[str, list[Solid]]] = {}
    total = sum(settings[split] for split in IMAGE_FOLDERS)
    with Progress(f"masks for {folder.name}", total) as progress:
        for split in IMAGE_FOLDERS:
            pictures[split] = {}
            for number in range(settings[split]):
                view, _ = make_view(split, number, settings)
                pictures[split][picture_name(split, number)] = solids_of(view, objects)
                progress.advance()
    try:
        with scratch_folder(folder / "instances") as made:
            write_instances(made, pictures, settings["size"], objects, IMAGE_FOLDERS)
            move_into(made, folder)
    except OSError as error:
        raise UserError(
            f"{folder}: its annotations for detectors cannot be written ({error.strerror or error}); make it "
            "writable, or generate it elsewhere with `dsg shapes DIR`"
        ) from None
