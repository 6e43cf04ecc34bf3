"""Names in any script: drawn, or numbered with a legend; signs of other keyboards are understood."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from dsg.datasets.shapes.scene import PREDICATES
from dsg.errors import UserError
from dsg.models.dsg.query_words import parse_query
from dsg.visualize import fonts
from dsg.visualize.canvas import blank, draw_text, text_size
from tests.cases.inputs import dataset
from tests.cases.programs import ROOT

CHINESE = ("杯子", "桌子", "狗")
OLD = ("𐎠𐎡", "𐎢𐎣", "𐎤𐎥")  # Old Persian, which no ordinary font has


def drawn(text, **options):
    image = blank(40, 200)
    draw_text(image, (2, 2), text, **options)
    return image


@pytest.fixture(autouse=True)
def fresh_fonts():
    """What was found and said before does not count."""
    fonts.forget()
    yield
    fonts.forget()


@pytest.fixture
def only_dejavu(monkeypatch):
    """A machine without other fonts."""
    monkeypatch.setattr(fonts, "installed", lambda: ())
    monkeypatch.delenv(fonts.VARIABLE, raising=False)


def cjk_font():
    """A font with Chinese letters, where this machine has one."""
    return next((path for path in fonts.installed() if fonts.has_all(path, "杯子")), None)


# 15: fonts


def test_latin_text_is_drawn_as_before():
    np.testing.assert_array_equal(drawn("a cup"), drawn("a cup"))
    assert fonts.font_file("a cup", bold=False).name == "DejaVuSans.ttf"
    assert fonts.font_file("a cup", bold=True).name == "DejaVuSans-Bold.ttf"


def test_names_without_a_font_are_numbered(only_dejavu, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("dsg"), "propagate", True)
    with caplog.at_level(logging.WARNING, "dsg"):
        first, second, again = (fonts.shown(text) for text in (CHINESE[0], CHINESE[1], CHINESE[0]))
    assert first == again != second
    assert first.startswith("#") and second.startswith("#")
    said = "\n".join(record.message for record in caplog.records)
    assert all(text in said for text in (CHINESE[0], first, fonts.VARIABLE))
    assert sum(CHINESE[0] in record.message for record in caplog.records) == 1


def test_squares_are_never_drawn(only_dejavu):
    for name in (*CHINESE, *OLD, "犬 dog"):
        np.testing.assert_array_equal(drawn(name), drawn(fonts.shown(name)))
    assert not np.array_equal(drawn(CHINESE[0]), drawn(CHINESE[1]))
    assert text_size(CHINESE[0]) == text_size(fonts.shown(CHINESE[0]))


def test_a_font_of_ones_own(only_dejavu, monkeypatch, tmp_path):
    """`DSG_FONT` names a file; it is used for what DejaVu lacks."""
    other = Path(matplotlib.get_data_path(), "fonts", "ttf", "STIXGeneral.ttf")
    missing = next(
        chr(code)
        for code in range(0x20, 0xFFFF)
        if fonts.has_all(other, chr(code)) and not fonts.has_all(fonts.font_file("a", False), chr(code))
    )
    assert fonts.shown(missing).startswith("#")
    fonts.forget()
    monkeypatch.setenv(fonts.VARIABLE, str(other))
    assert fonts.font_file(missing, bold=False) == other and fonts.shown(missing) == missing


@pytest.mark.parametrize("content", [None, b"", b"no font", "folder"])
def test_a_font_that_is_none(content, monkeypatch, tmp_path):
    path = tmp_path / "mine.ttf"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(fonts.VARIABLE, str(path))
    with pytest.raises(UserError, match="DSG_FONT.*mine.ttf"):
        fonts.font_file("杯", bold=False)


def test_an_installed_font_is_found():
    path = cjk_font()
    if path is None:
        pytest.skip("no font with Chinese letters is installed")
    assert fonts.shown("杯子") == "杯子"


def test_plots_have_no_squares_either(tmp_path, program, only_dejavu, recwarn):
    folder = dataset(tmp_path / "mine", objects=CHINESE, predicates=("在上", "在下"))
    done = program("check", folder, "--output", tmp_path / "out")
    done.went_well("usable")
    assert "missing from" not in done.said and not [w for w in recwarn if "Glyph" in str(w.message)]
    assert json.loads((tmp_path / "out/check/mine/statistics.json").read_text())["train"]["by category"][
        "杯子"
    ]


def test_right_to_left_and_combining_names_do_not_fail(only_dejavu):
    for name in ("كوب", "e\u0301", "\u202ecup", "a\0b", "🐶", "\ud800"):
        assert drawn(name).shape == (40, 200, 3)


# 15: signs of other keyboards


@pytest.mark.parametrize("comma", ["，", "、", ", ", "，　", "،", "､", "﹐"])
def test_commas_of_other_keyboards(comma):
    query = comma.join(("杯子", "在上", "桌子"))
    assert parse_query(query, CHINESE, ("在上", "在下")) == (0, 0, 1)


def test_letters_of_full_width():
    assert parse_query("ｃｕｐ，ｏｎ，Ｔａｂｌｅ", ("cup", "table"), ("on",)) == (0, 0, 1)
    assert parse_query("tasse，sur，table basse", ("tasse", "table_basse"), ("sur",)) == (0, 0, 1)


def test_composed_and_decomposed_letters_are_the_same():
    """As files of a Mac have them."""
    assert parse_query("cafe\u0301, on, table", ("caf\u00e9", "table"), ("on",)) == (0, 0, 1)


@pytest.mark.parametrize("dash", ["‐", "‑", "–", "—", "－"])
def test_dashes(dash):
    assert parse_query(f"hot{dash}dog, on, table", ("hot_dog", "table"), ("on",)) == (0, 0, 1)


def test_the_page_and_the_api_take_them(tmp_path):
    import dsg

    model = dsg.load(ROOT / "data" / "demo" / "mini.npz")
    assert model.query("blue metal cube，left，red rubber cube") == model.query(
        "blue metal cube, left, red rubber cube"
    )
    assert PREDICATES


def test_names_in_any_script_from_folder_to_answer(tmp_path, program):
    from tests.small_trained import write_snapshot

    snapshot = write_snapshot(tmp_path / "模型.npz", objects=CHINESE, predicates=("在上", "在下"))
    picture = tmp_path / "照片.png"
    shutil.copy(ROOT / "data" / "demo" / "images" / "demo_0.png", picture)
    done = program(
        *("ask", "--snapshot", snapshot, "--image", picture, "杯子，在上，桌子"),
        *("--out", tmp_path / "out"),
    )
    done.went_well("杯子, 在上, 桌子")
    assert (tmp_path / "out" / "照片_answers.png").is_file()
