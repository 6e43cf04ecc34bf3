"""The page over HTTP: what clients get, many of them at once, and what they are refused."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import dsg
from dsg.errors import UserError
from dsg.serve import command
from dsg.serve.command import find_examples, free_port
from dsg.serve.page import HOUR, Example, build_page, import_gradio
from dsg.serve.service import Service
from tests.serve.running import DEMO, HERE, LIMITS, needs_gradio, running
from tests.small_trained import ROOT, write_snapshot

WORDS = ("blue_metal_cylinder", "left", "blue_metal_cylinder")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running() as address:
        yield address


@needs_gradio
def test_twenty_clients_at_once(url: str) -> None:
    from gradio_client import Client, handle_file

    expected = dsg.load(DEMO / "mini.npz")

    def visit(number: int) -> dict:
        # Each its own session, patient: the server is in this process, which is busy with twenty.
        client = Client(url, verbose=False, httpx_kwargs={"timeout": 300})
        return client.predict(
            handle_file(DEMO / "images" / f"demo_{number % 6}.png"), *WORDS, api_name="/ask"
        )[4]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(visit, range(20)))
    for number in range(6):
        one = expected.ask(DEMO / "images" / f"demo_{number}.png", [WORDS])[0]
        for answer in answers[number::6]:
            np.testing.assert_allclose(answer["subjects"][0]["box"], one.subject.box, atol=0.01)
            assert len(answer["objects"]) == len(one.objects)


@needs_gradio
def test_what_clients_are_refused(url: str, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    client = Client(url, verbose=False)
    (tmp_path / "notes.png").write_text("no picture")
    answered = client.predict(handle_file(tmp_path / "notes.png"), *WORDS, api_name="/ask")
    assert answered[4] == {"error": "notes.png is not an image that can be read: send a JPEG or PNG."}
    assert 'role="alert">notes.png is not an image' in answered[0]

    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((1000, 1200, 3), np.uint8))
    answered = client.predict(handle_file(tmp_path / "wide.png"), api_name="/preview")
    assert "wide.png has more than 1 million pixels" in answered[0]

    (tmp_path / "large.png").write_bytes(bytes(400_000))
    with pytest.raises(Exception, match="(?i)size|413|large"):
        client.predict(handle_file(tmp_path / "large.png"), *WORDS, api_name="/ask")

    picture = handle_file(DEMO / "images" / "demo_0.png")
    with pytest.raises(Exception, match=".") as caught:  # no choice of the list
        client.predict(picture, "cat", *WORDS[1:], api_name="/ask")
    assert str(ROOT) not in str(caught.value)
    assert client.predict(picture, *WORDS, api_name="/ask")[4]["subjects"]  # it lives


@needs_gradio
def test_files_of_the_server_are_not_served(url: str) -> None:
    for path in (ROOT / "README.md", Path("/etc/passwd"), DEMO / "mini.npz"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}gradio_api/file={path}")
        assert caught.value.code in (403, 404)


@needs_gradio
def test_examples_are_served_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also outside of the working directory and of that for temporary files, which gradio serves anyway."""
    for name in ("temporary", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    images = (DEMO / "images" / f"demo_{number}.png" for number in (0, 1))
    shown, other = (Path(shutil.copy(image, tmp_path / "elsewhere")) for image in images)
    service = Service(dsg.load(DEMO / "mini.npz"), LIMITS)
    with command.opened(import_gradio(), service, [Example(shown, WORDS)], HERE, free_port(HERE, 0)) as url:
        assert urllib.request.urlopen(f"{url}gradio_api/file={shown}").read() == shown.read_bytes()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{url}gradio_api/file={other}")


@needs_gradio
def test_a_client_cannot_send_the_server_elsewhere(url: str) -> None:
    """A file may be named by a path or an address; only what was uploaded is taken."""
    asked: list[str] = []

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.ThreadingHTTPServer((HERE, 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"http://{HERE}:{other.server_port}/a.png"
        files = [{"path": address}, {"path": "a.png", "url": address}, {"path": "/etc/hostname"}]
        for file in files:
            data = [{**file, "meta": {"_type": "gradio.FileData"}}, *WORDS]
            call = urllib.request.Request(
                f"{url}gradio_api/call/ask",
                json.dumps({"data": data}).encode(),
                {"Content-Type": "application/json"},
            )
            event = json.loads(urllib.request.urlopen(call).read())["event_id"]
            answered = urllib.request.urlopen(f"{url}gradio_api/call/ask/{event}").read().decode()
            assert answered.startswith("event: error") and str(ROOT) not in answered
        other.shutdown()
    assert not asked


@needs_gradio
def test_the_page_names_no_other_host(url: str) -> None:
    page = urllib.request.urlopen(url).read().decode()
    for tag in ("<script", "<link"):
        for piece in page.split(tag)[1:]:
            assert "http" not in piece.split(">")[0], piece[:200]
    config = json.loads(urllib.request.urlopen(f"{url}config").read())
    assert config["analytics_enabled"] is False and not config.get("is_space")
    assert "fonts.googleapis.com" not in json.dumps(config)


@needs_gradio
def test_uploads_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gradio does by the hour, done now: it keeps what is younger than an hour and removes the rest."""
    from gradio import route_utils
    from gradio_client import Client, handle_file

    pages = []

    def build(*arguments: Any) -> Any:
        pages.append(build_page(*arguments))
        return pages[0]

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Later:
            return super().now(tz) + timedelta(seconds=HOUR + 1)

    own = tmp_path / "own.png"
    cv2.imwrite(str(own), np.full((60, 80, 3), 90, np.uint8))
    monkeypatch.setattr(command, "build_page", build)
    with running() as url:
        uploads = Path(os.environ[command.UPLOADS])
        before = set(uploads.rglob("*.png"))
        answer = Client(url, verbose=False).predict(handle_file(own), *WORDS, api_name="/ask")[4]
        assert answer["subjects"]
        (kept,) = set(uploads.rglob("*.png")) - before
        assert pages[0].delete_cache == (HOUR, HOUR)
        route_utils.delete_files_created_by_app(pages[0], HOUR)
        assert kept.is_file()
        monkeypatch.setattr(route_utils, "datetime", Later)
        route_utils.delete_files_created_by_app(pages[0], HOUR)
        assert not kept.exists() and set(uploads.rglob("*.png")) == before  # the examples stay
    assert not uploads.exists()


@contextmanager
def program(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """tools/serve.py with a very small model: its process, its port, and the command that starts it."""
    port = free_port(HERE, 0)
    started = [sys.executable, str(ROOT / "tools" / "serve.py"), "--port", str(port), *arguments]
    started += ["--snapshot", str(write_snapshot(folder / "small.npz"))]
    server = subprocess.Popen(
        started, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield server, port, started
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def environment(folder: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / "lib"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(folder)}


def said(server: subprocess.Popen[str], text: str) -> str:
    """The next line of the program that has a text in it."""
    assert server.stdout is not None
    return next(line for line in server.stdout if text in line)


@needs_gradio
def test_program(tmp_path: Path) -> None:
    """It says where it is, answers there and nowhere else, and ends when it is asked to."""
    with program(tmp_path) as (server, port, started):
        line = said(server, "open http")
        assert f"<dsg model mini: 48 categories, 4 predicates>: open http://{HERE}:{port}/" in line
        assert urllib.request.urlopen(f"http://{HERE}:{port}/").status == 200
        addresses = socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET, socket.SOCK_STREAM)
        others = {str(info[4][0]) for info in addresses} | {"127.0.0.2"}
        for address in others - {HERE}:
            with socket.socket() as probe, pytest.raises(OSError):
                probe.connect((address, port))
        taken = subprocess.run(
            started, env=environment(tmp_path), capture_output=True, text=True, check=False
        )
        assert taken.returncode == 2 and "give another with --port" in taken.stderr
    assert not list(tmp_path.glob("dsg_uploads_*"))


@needs_gradio
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers at all of 127.0.0.0/8")
def test_program_for_everyone(tmp_path: Path) -> None:
    with program(tmp_path, "--host", "0.0.0.0") as (server, port, _):
        assert f":{port}" in said(server, "open http")
        assert "every machine that reaches this one can use the page" in said(server, "every machine")
        for address in (HERE, "127.0.0.2"):
            assert urllib.request.urlopen(f"http://{address}:{port}/").status == 200


def test_examples_have_words_that_fit(tmp_path: Path) -> None:
    model = dsg.load(DEMO / "mini.npz")
    examples = find_examples(model, DEMO)
    assert len(examples) == 6
    for example in examples:
        assert example.path.is_file() and model.query(example.words)
    assert len(find_examples(model, DEMO / "images", count=2)) == 2
    lacking = shutil.copytree(DEMO, tmp_path / "demo")
    (lacking / "images" / examples[0].path.name).unlink()
    found = find_examples(model, lacking, count=2)
    assert [one.path.name for one in found] == [one.path.name for one in examples[1:3]]
    assert [one.words for one in found] == [one.words for one in examples[1:3]]
    assert find_examples(model, DEMO / "absent") == find_examples(model, None) == []


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind((HERE, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"{port}: cannot listen there .*; give another with --port"):
            free_port(HERE, port)
    with pytest.raises(UserError, match="give another address or port"):
        free_port("192.0.2.1", 0)
    assert free_port(HERE, 0) > 1023


def test_without_gradio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)  # how Python marks what cannot be imported
    with pytest.raises(UserError, match="pip install -r requirements-serve.txt"):
        import_gradio()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "ports go from 0 to 65535"),
        (["--max-mb", "0"], "limits of uploads are numbers above 0"),
        (["--snapshot", "absent.npz"], "absent.npz: no such snapshot"),
        (["--gpu", "first"], "the GPU is a number"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    command = [sys.executable, str(ROOT / "tools" / "serve.py"), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: serve.sh <gpu>"),
        (["cpu", "absent.npz"], "absent.npz: no such snapshot"),
        (["gpu"], "unknown GPU 'gpu'"),
        (["cpu", "--share"], "unknown option --share"),
        (["cpu", "--port"], "--port needs a value"),
    ],
)
def test_mistakes_of_the_script(arguments: list[str], message: str) -> None:
    script = ROOT / "experiments" / "scripts" / "serve.sh"
    done = subprocess.run(["bash", str(script), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
