"""Downloads from a server that misbehaves: what arrives is whole and right, or the reason is told."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import logging
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from dsg.apps.fetch.catalogue import Part
from dsg.apps.fetch.download import download
from dsg.apps.fetch.tools import Tools, _Redirects
from dsg.errors import UserError
from dsg.runtime.progress import Progress
from tests.apps.fetch.files import zip_of
from tests.apps.fetch.server import running

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()
ARCHIVE = zip_of({"a.bin": CONTENT})
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def server():
    with running({"file.bin": CONTENT, "file.zip": ARCHIVE}) as site:
        yield site


@pytest.fixture
def site(server):
    server.requests.clear()
    return server


class World:
    """Where a download goes, and how long it waited."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "work" / "file.bin"
        self.waited: list[float] = []
        self.tools = Tools(
            sleep=self.waited.append, free=lambda _: 10**12, attempts=3, timeout=10, chunk=1 << 14
        )

    @property
    def part_file(self) -> Path:
        return self.target.with_name("file.bin.part")

    def get(self, site, *behaviours, name="file.bin", **fields):
        fields.setdefault("sha256", SHA if name == "file.bin" else None)
        part = Part(name, tuple(site.url(behaviour, name) for behaviour in behaviours), "", **fields)
        self.target = self.target.with_name(name)
        download(part, part.urls, self.target, self.tools)
        return self.target.read_bytes()

    def refused(self, site, *behaviours, **fields):
        """What the error says; nothing is left under the file's name."""
        with pytest.raises(UserError) as caught:
            self.get(site, *behaviours, **fields)
        assert not self.target.exists()
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.mark.parametrize("behaviour", ["good", "redirect", "unsized", "norange", "cut", "dated", "anonymous"])
def test_the_file_arrives(world, site, behaviour):
    assert world.get(site, behaviour) == CONTENT
    assert [path.name for path in world.target.parent.iterdir()] == ["file.bin"]


def test_a_cut_connection_goes_on_where_it_was(world, site):
    assert world.get(site, "cut") == CONTENT
    half, three_quarters = len(CONTENT) // 2, len(CONTENT) // 2 + len(CONTENT) // 4
    assert site.asked("cut") == [None, f"bytes={half}-", f"bytes={three_quarters}-"]
    assert world.waited == [2.0, 2.0]  # there was progress each time


def test_an_interrupted_run_goes_on_with_the_next(world, site):
    message = world.refused(site, "dying", sha256=None)
    assert "file.bin.part is kept" in message and "503" in message
    assert world.part_file.stat().st_size == len(CONTENT) // 2
    assert world.waited == [2.0, 4.0]
    assert world.get(site, "good") == CONTENT  # another mirror, a checksum is known
    assert site.asked("good") == [f"bytes={len(CONTENT) // 2}-"]


def test_another_mirror_without_a_checksum_starts_again(world, site):
    world.refused(site, "dying", sha256=None)
    assert world.get(site, "good", sha256=None) == CONTENT
    assert site.asked("good") == [None]


@pytest.mark.parametrize("behaviour", ["anonymous", "changing"])
def test_another_version_starts_again(world, site, behaviour):
    assert world.get(site, behaviour, sha256=None) == CONTENT


def test_halves_of_different_files_are_noticed(world, site):
    assert world.get(site, "mixed") == CONTENT
    assert len(site.asked("mixed")) == 3 and site.asked("mixed")[2] is None


def test_an_interruption_leaves_no_old_bytes_under_a_new_version(world, site, monkeypatch):
    """The server has another version; the run ends after its answer, before the first byte."""
    old = bytes(len(CONTENT) // 2)
    world.target.parent.mkdir()
    world.part_file.write_bytes(old)
    note = world.part_file.with_name(world.part_file.name + ".json")
    note.write_text(json.dumps({"url": site.url("good", "file.bin"), "validator": '"old"'}))

    def interrupted(*_):
        raise KeyboardInterrupt

    for where in ("_remember", "_next_chunk"):
        with monkeypatch.context() as patched:
            patched.setattr(f"dsg.apps.fetch.http.{where}", interrupted)
            with pytest.raises(KeyboardInterrupt):
                world.get(site, "good", sha256=None)
        assert world.part_file.read_bytes() == b""
        assert note.exists() == (where == "_next_chunk")  # the new version's
    assert world.get(site, "good", sha256=None) == CONTENT


def test_what_is_complete_is_not_asked_for_again(world, site):
    world.target.parent.mkdir()
    world.part_file.write_bytes(CONTENT)
    assert world.get(site, "good") == CONTENT
    assert site.asked("good") == [f"bytes={len(CONTENT)}-"]  # 416: nothing beyond


def test_mirrors_are_tried_in_turn(world, site):
    assert world.get(site, "missing", "page", "hiddenpage", "pointer", "wrong", "good") == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("missing", "HTTP 404"),
        ("page", "web page"),
        ("hiddenpage", "web page"),
        ("pointer", "Git LFS pointer"),
        ("wrong", f"where {SHA} is expected; it was removed"),
        ("truncated", "sha256"),
        ("loop", "HTTP 302"),
        ("outside", "HTTP 302 Found - Redirection to url 'file:///etc/hostname' is not allowed"),
    ],
)
def test_why_a_mirror_failed(world, site, behaviour, reason):
    message = world.refused(site, behaviour)
    assert reason in message and site.url(behaviour, "file.bin") in message and "--from FOLDER" in message
    assert not world.waited and "is kept" not in message


def test_a_wrong_size_is_refused_before_it_is_fetched(world, site):
    message = world.refused(site, "good", bytes=5)
    assert f"offers {len(CONTENT):,} bytes, but 5 are expected" in message
    assert "offers" in world.refused(site, "truncated", bytes=len(CONTENT))


def test_without_a_checksum_the_structure_counts(world, site):
    assert world.get(site, "good", name="file.zip") == ARCHIVE
    world.target.unlink()
    assert "no complete zip archive" in world.refused(site, "truncated", name="file.zip")
    assert "no complete zip archive" in world.refused(site, "wrong", name="file.zip")


LARGE = bytes(8_500_000)


@pytest.fixture
def lines(monkeypatch, caplog):
    """What is logged, by a clock that goes on by eleven seconds with every look."""
    ticks = itertools.count(0, 11)
    slow = functools.partial(Progress, clock=lambda: next(ticks), terminal=False)
    monkeypatch.setattr("dsg.apps.fetch.download.Progress", slow)
    monkeypatch.setattr(logging.getLogger("dsg"), "propagate", True)
    caplog.set_level(logging.INFO, logger="dsg")
    return lambda: [record.getMessage() for record in caplog.records if "MB " in record.getMessage()]


@pytest.mark.parametrize(
    ("behaviour", "estimate", "last"),
    [
        ("good", 0, "large.bin, MB 9/9  0s left"),
        ("unsized", 9, "large.bin, MB 8/9  11s left"),
        ("unsized", 0, "large.bin, MB 8  0.0909 a second"),
        ("unsized", 1, "large.bin, MB 8  0.0909 a second"),  # the estimate is too low
    ],
)
def test_progress_and_time_left_are_told(world, lines, behaviour, estimate, last):
    with running({"large.bin": LARGE}) as site:
        world.get(site, behaviour, name="large.bin", about_mb=estimate)
    assert lines()[-1] == last


def test_a_small_file_needs_no_progress(world, site, lines):
    world.get(site, "good")
    assert lines() == []


def test_a_busy_server_is_asked_later(world, site):
    assert world.get(site, "busy") == CONTENT
    assert world.waited == [7.0, 7.0]


def test_nobody_there(world, site):
    part = Part("file.bin", ("http://127.0.0.1:1/file.bin", "nonsense", "http://a/my file"), "", sha256=SHA)
    with pytest.raises(UserError, match="no connection.*not a web address"):
        download(part, part.urls, world.target, world.tools)
    assert world.waited == [2.0, 4.0]


def test_no_room(world, site):
    world.tools = Tools(free=lambda _: 300_000 + 10, spare=100)
    assert "300 kB of the disk are free" in world.refused(site, "good")
    assert not world.part_file.exists()


def test_a_disk_that_fills_up(world, site, tmp_path):
    world.target.parent.mkdir()
    world.part_file.symlink_to("/dev/full")
    assert "the disk is full" in world.refused(site, "good")


def test_an_encrypted_connection_is_not_given_up():
    handler = _Redirects()
    secure, open_ = urllib.request.Request("https://host/file"), urllib.request.Request("http://host/file")
    for request, place in ((open_, "http://other/file"), (open_, "https://a/b"), (secure, "https://a/b")):
        moved = handler.redirect_request(request, None, 302, "Found", {}, place)
        assert moved is not None and moved.full_url == place
    for request, place in ((secure, "http://host/file"), (open_, "ftp://host/file")):
        with pytest.raises(urllib.error.URLError, match="is not followed"):
            handler.redirect_request(request, None, 302, "Found", {}, place)
