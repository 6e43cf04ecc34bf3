"""Open Images' table of relationships, both ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from dsg.datasets.formats.exchange import open_images
from dsg.datasets.formats.exchange.annotation import Relation
from dsg.errors import UserError
from tests.datasets.formats.exchange.annotations import made, without

HEADER = "ImageID,LabelName1,LabelName2,XMin1,XMax1,YMin1,YMax1,XMin2,XMax2,YMin2,YMax2,{}\n"  # x, x, y, y
ROWS = (
    "ab12,/m/1,/m/2,0.1,0.5,0.25,0.75,0,1,0.5,1,on\n"
    "ab12,/m/1,/m/2,0.1,0.5,0.25,0.75,0,1,0.5,1,near\n"
    "ab12,/m/1,/m/1,0.1,0.5,0.25,0.75,0.2,0.5,0.25,0.75,near\n"
    "ab12,/m/1,/m/wood,0.1,0.5,0.25,0.75,0.1,0.5,0.25,0.75,is\n"
)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, size in (("ab12", (200, 100)), ("7", (640, 480)), ("9", (480, 640))):
        Image.new("RGB", size).save(folder / f"{name}.jpg")
    return folder


def test_round_trip_of_what_is_related(tmp_path, pictures) -> None:
    open_images.write(tmp_path / "a.csv", made())
    [again] = without(open_images.read(tmp_path / "a.csv", pictures)).images
    wanted = without(made()).images[0]
    things = [wanted.things[position] for position in (0, 1, 2)]  # the other cup has no relation
    assert again == replace(wanted, things=tuple(things))


@pytest.mark.parametrize("column", ["RelationshipLabel", "RelationLabel"])
def test_shares_become_pixels_and_codes_names(tmp_path, pictures, column) -> None:
    (tmp_path / "a.csv").write_text(HEADER.format(column) + ROWS)
    (tmp_path / "oidv6-class-descriptions.csv").write_text(
        'LabelName,DisplayName\n/m/1,"Cup, mug"\n/m/2,Desk\n'
    )
    found = open_images.read(tmp_path / "a.csv", pictures)
    [image] = found.images
    assert [(one.name, one.box) for one in image.things] == [
        ("Cup, mug", (20, 25, 100, 75)),
        ("Desk", (0, 50, 200, 100)),
        ("Cup, mug", (40, 25, 100, 75)),
    ]
    assert image.relations == (Relation(0, "on", 1), Relation(0, "near", 1), Relation(0, "near", 2))
    assert len(found.skipped["attribute"]) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("ab12,/m/1,/m/2,0.1,0.5,0.25,0.75,0,1,0.5,100,on\n", "corners are shares"),
        ("ab12,/m/1,/m/2,0.1,0.5,0.25,a,0,1,0.5,1,on\n", "line 2: could not convert"),
        ("ab12,/m/1,/m/2,0.1,0.5\n", "line 2: a cell is empty"),
        ("zz,/m/1,/m/2,0.1,0.5,0.25,0.75,0,1,0.5,1,on\n", "no image 'zz.jpg'"),
    ],
)
def test_faults_are_named(tmp_path, pictures, row, said) -> None:
    (tmp_path / "a.csv").write_text(HEADER.format("RelationshipLabel") + row)
    with pytest.raises(UserError) as error:
        open_images.read(tmp_path / "a.csv", pictures)
    assert said in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(UserError, match="--images DIR"):
        (tmp_path / "a.csv").write_text(HEADER.format("RelationshipLabel") + ROWS)
        open_images.read(tmp_path / "a.csv")
