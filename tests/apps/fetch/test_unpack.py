"""Archives from outside: nothing leaves its folder, nothing grows without end, no half files stay."""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile

import pytest

from dsg.apps.fetch.catalogue import Part
from dsg.apps.fetch.content import problem
from dsg.apps.fetch.tools import Tools
from dsg.apps.fetch.unpack import Damaged, unpack
from dsg.errors import UserError
from dsg.runtime.limits import Limits
from tests.apps.fetch.files import tar_of, zip_of

FILES = {
    "top/VRD/annotations_train.json": b"{}",
    "top/VRD/images/a.jpg": b"a" * 1000,
    "top/other.txt": b"x",
    "__MACOSX/top/VRD/._a": b"junk",
}


@pytest.fixture(params=["zip", "tar.gz", "tar"])
def packed(request, tmp_path):
    """A function that writes an archive of either kind."""

    def write(files):
        path = tmp_path / f"archive.{request.param}"
        zipped = request.param == "zip"
        path.write_bytes(zip_of(files) if zipped else tar_of(files, packed=request.param == "tar.gz"))
        return path

    return write


def everything(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_anchor_finds_the_folder(packed, tmp_path):
    out = tmp_path / "out"
    files = unpack(packed(FILES), out, anchor="annotations_train.json")
    assert everything(out) == {"annotations_train.json", "images/a.jpg"} == {file.name for file in files}
    assert (out / "images/a.jpg").read_bytes() == b"a" * 1000


def test_only_what_is_wanted(packed, tmp_path):
    out = tmp_path / "out"
    unpack(packed(FILES), out, anchor="images/", only=["images/"])
    assert everything(out) == {"images/a.jpg"}
    with pytest.raises(UserError, match="has no VG_100K/"):
        unpack(packed(FILES), out, anchor="VG_100K/")


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "C:/evil", "\\evil", "a/.."]
)
def test_names_that_lead_out(packed, tmp_path, name):
    out = tmp_path / "out"
    with pytest.raises(UserError, match="leads out of the folder; nothing was unpacked"):
        unpack(packed({"good": b"1", name: b"2"}), out)
    assert not out.exists() and not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_tar(tmp_path, kind):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc"
    path = tmp_path / "a.tar.gz"
    path.write_bytes(tar_of({"good": b"1"}, info))
    with pytest.raises(UserError, match="'link', a link or a device"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_in_zip(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc")
    with pytest.raises(UserError, match="'link', a link or a device"):
        unpack(path, tmp_path / "out")


def test_a_link_on_the_disk_is_replaced_not_followed(packed, tmp_path):
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.write_bytes(b"mine")
    out.mkdir()
    (out / "good").symlink_to(victim)
    unpack(packed({"good": b"1"}), out)
    assert victim.read_bytes() == b"mine" and (out / "good").read_bytes() == b"1"


@pytest.mark.parametrize("packed", ["zip", "tar.gz"], indirect=True)  # a tar is as large as what it holds
def test_bombs(packed, tmp_path):
    path = packed({"zeros": bytes(3_000_000)})
    with pytest.raises(UserError, match="would unpack to more than"):
        unpack(path, tmp_path / "out", limits=Limits(allowed=1_000_000))
    with pytest.raises(UserError, match="more than 3 files"):
        unpack(packed({f"f{n}": b"" for n in range(5)}), tmp_path / "out", limits=Limits(members=3))
    assert not (tmp_path / "out").exists()


def test_a_bomb_is_refused_before_all_of_it_is_decompressed(tmp_path, monkeypatch):
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(tar_of({"zeros": bytes(20_000_000)}))
    part = Part("bomb.tar.gz", (), "")
    assert problem(path, part) == ""
    read, whole = [], gzip.GzipFile.read

    def counted(self, size=-1):
        read.append(len(block := whole(self, size)))
        return block

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    limits = Limits(allowed=3_000_000, ratio=1)
    assert problem(path, part, limits) == "it would unpack to more than 3 MB"
    assert sum(read) < 5_000_000
    assert problem(path, part, Limits(allowed=1000, ratio=10_000)) == ""


def test_a_bomb_in_a_name_is_refused_before_tarfile_sees_it(tmp_path, monkeypatch):
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(tar_of({"n" * 8_000_000: b""}))
    monkeypatch.setattr(tarfile, "open", None)
    found = problem(path, Part("bomb.tar.gz", (), ""), Limits(allowed=3_000_000, ratio=1))
    assert found == "it would unpack to more than 3 MB"


def test_a_member_longer_than_it_says(tmp_path):
    """The sizes of a zip's directory are claims; the data behind may be longer."""
    path, honest = tmp_path / "a.zip", zip_of({"zeros": bytes(50_000)})
    lying = honest.replace((50_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != honest
    path.write_bytes(lying)
    with pytest.raises(Damaged):
        unpack(path, tmp_path / "out")
    assert not everything(tmp_path / "out")


def test_no_room(packed, tmp_path):
    tools = Tools(free=lambda _: 900, spare=0)
    with pytest.raises(UserError, match="needs 1 kB, and 900 bytes are free on the disk"):
        unpack(packed(FILES), tmp_path / "out", anchor="images/", tools=tools)
    assert not everything(tmp_path / "out")


def test_damage_leaves_no_half_file(packed, tmp_path):
    out = tmp_path / "out"
    path = packed({"a": b"A" * 50, "noise": bytes(range(256)) * 40})
    content = bytearray(path.read_bytes())
    if path.suffix == ".zip":
        content[content.index(b"noise") + 20] ^= 255
    else:
        content = (content if path.suffix == ".gz" else content.rstrip(b"\0"))[:-60]
    path.write_bytes(content)
    with pytest.raises(Damaged):
        unpack(path, out)
    assert everything(out) <= {"a"}


@pytest.mark.parametrize("where", ["directory", "file"])
def test_a_damaged_name_that_should_be_utf8(tmp_path, where):
    """In the zip's directory, which is read when it is opened, or before the file itself."""
    content, name = bytearray(zip_of({"ä.jpg": b"a"})), "ä.jpg".encode()
    at = content.rindex(name) if where == "directory" else content.index(name)
    content[at] = 255
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    if where == "directory":
        assert problem(path, Part("a.zip", (), "")).startswith(
            "it is not a complete zip archive ('utf-8' codec"
        )
    with pytest.raises(Damaged, match="can't decode byte 0xff"):
        unpack(path, tmp_path / "out")
    assert not everything(tmp_path / "out")


def test_damaged_lzma(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("noise", bytes(range(256)) * 40)
    content = bytearray(path.read_bytes())
    content[content.index(b"noise") + 9] = 255  # the first property of the coder
    path.write_bytes(content)
    with pytest.raises(Damaged):
        unpack(path, tmp_path / "out")
    assert not everything(tmp_path / "out")


def test_an_interrupted_run_goes_on(tmp_path):
    out, path = tmp_path / "out", tmp_path / "a.zip"
    path.write_bytes(zip_of({"a": b"same", "b": b"new!"}))
    out.mkdir()
    (out / "a").write_bytes(b"same")
    (out / "b").write_bytes(b"old!")
    before = (out / "a").stat().st_ino
    unpack(path, out)
    assert (out / "a").stat().st_ino == before and (out / "b").read_bytes() == b"new!"


def test_a_compression_that_python_lacks(tmp_path):
    """Deflate64, which some programs choose for large archives."""
    path = tmp_path / "a.zip"
    content = bytearray(zip_of({"images/a.jpg": b"a" * 500}))
    content[8], content[content.index(b"PK\x01\x02") + 10] = 9, 9
    path.write_bytes(content)
    with pytest.raises(UserError, match="unpack it with another program, so that .*out holds images/"):
        unpack(path, tmp_path / "out", anchor="images/")
