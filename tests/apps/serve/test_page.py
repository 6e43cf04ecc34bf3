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
from dsg.apps.serve import command
from dsg.apps.serve.command import find_examples, free_port
from dsg.apps.serve.guard import LARGEST_CALL
from dsg.apps.serve.page import HOUR, Example, build_page, import_gradio
from dsg.apps.serve.service import Service
from dsg.errors import UserError
from tests.apps.serve.running import DEMO, HERE, LIMITS, needs_gradio, running
from tests.programs import run_program
from tests.shared import ROOT
from tests.small_trained import write_snapshot

WORDS = ("blue_metal_cylinder", "left", "blue_metal_cylinder")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running() as address:
        yield address


@needs_gradio
def test_twenty_clients_at_once(url: str) -> None:
    expected = dsg.load(DEMO / "mini.npz")

    def visit(number: int) -> dict:
        """What a session is answered that waits in the queue as gradio's own clients do."""
        call = {"data": [file_data(uploaded(url, f"demo_{number % 6}.png")), *WORDS]}
        status, text = sent(f"{url}gradio_api/call/ask", json.dumps(call).encode())
        assert status == 200, text
        event = json.loads(text)["event_id"]
        # Patient: the server is in this process, which is busy with twenty.
        with urllib.request.urlopen(f"{url}gradio_api/call/ask/{event}", timeout=300) as told:
            event, data = told.read().decode().strip().splitlines()[-2:]
        assert event == "event: complete"
        return json.loads(data.partition("data: ")[2])[4]

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
    assert answered[4] == {
        "error": "notes.png is not an image that can be read: send a JPEG, PNG, WebP or BMP."
    }
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


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A picture's address on a server that counts as a public one, and what that server was asked for."""
    import safehttpx

    monkeypatch.setattr(safehttpx, "is_public_ip", lambda ip: True)  # gradio refuses this machine's
    asked: list[str] = []

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write((DEMO / "images" / "demo_0.png").read_bytes())

    with http.server.ThreadingHTTPServer((HERE, 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"http://{HERE}:{other.server_port}/a.png"
        assert urllib.request.urlopen(address).status == 200 and asked == ["/a.png"]
        asked.clear()
        yield address, asked
        other.shutdown()


def sent(address: str, body: bytes, **headers: str) -> tuple[int, str]:
    """What a server answers to a body: status and text, also where it refuses."""
    kind = {"Content-Type": "application/json", **headers}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, kind)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def file_data(path: str, **more: str) -> dict[str, Any]:
    """A file as gradio's clients name it."""
    return {"path": path, **more, "meta": {"_type": "gradio.FileData"}}


def uploaded(url: str, name: str = "demo_0.png") -> str:
    """Where a picture lies that was uploaded."""
    picture = (DEMO / "images" / name).read_bytes()
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n%b\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    status, paths = sent(f"{url}gradio_api/upload", form % picture, **kind)
    assert status == 200
    return json.loads(paths)[0]


@needs_gradio
@pytest.mark.parametrize(
    "route", ["call/ask", "call/v2/ask", "run/ask", "api/ask", "run/upload", "queue/join"]
)
def test_a_client_cannot_send_the_server_elsewhere(
    url: str, elsewhere: tuple[str, list[str]], route: str
) -> None:
    """A file may be named by a path or an address, and in any place; only what was uploaded is taken."""
    address, asked = elsewhere
    mine = uploaded(url)
    wrong = file_data(address)
    folder = Path(mine).parent
    calls: list[list[Any]] = [
        [wrong, *WORDS],
        [file_data("a.png", url=address), *WORDS],
        [file_data("/etc/hostname"), *WORDS],
        [file_data(f"{folder}/../../../etc/hostname"), *WORDS],
        [file_data(f"{address}/../../../../../../../../../../../..{mine}"), *WORDS],
        [file_data(mine), wrong, *WORDS[1:]],  # gradio looks for files in what should be words, too
        [file_data(mine), WORDS[0], {"a": [[wrong]]}, WORDS[2]],
    ]
    for data in calls:
        body = {"data": data, "fn_index": 0, "session_hash": "guest", "image": data[0], "event_data": None}
        status, text = sent(f"{url}gradio_api/{route}", json.dumps(body).encode())
        assert status == 403 and "upload" in text and str(ROOT) not in text
    assert not asked


@needs_gradio
def test_no_address_is_fetched_for_a_client(url: str, elsewhere: tuple[str, list[str]]) -> None:
    address, asked = elsewhere
    for path in (f"gradio_api/file={address}", f"gradio_api/file/{address}", f"gradio_api/proxy={address}"):
        for method in ("GET", "HEAD"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(url + path, method=method))
            assert caught.value.code == 403
    # What an uploaded file says of itself beside its path leads nowhere.
    body = {"data": [file_data(uploaded(url), url=address, orig_name=address), *WORDS]}
    status, text = sent(f"{url}gradio_api/run/ask", json.dumps(body).encode())
    assert status == 200 and json.loads(text)["data"][4]["subjects"]
    assert not asked


@needs_gradio
def test_calls_are_short_and_in_json(url: str) -> None:
    """So that whatever gradio makes of one has been looked through."""
    named = json.dumps({"data": [file_data("http://192.0.2.1/a.png"), *WORDS]}).encode()
    for body, code, reason in (
        (b"{", 400, "JSON"),
        (b"\xff" + named, 400, "JSON"),
        (b"[" * 200_000, 400, "JSON"),
        (b" " * (LARGEST_CALL + 1), 413, "larger than"),
        (named.decode().encode("utf-16"), 403, "upload"),
    ):
        status, text = sent(f"{url}gradio_api/call/ask", body)
        assert status == code and reason in text, body[:20]
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x+json", ""):
        for route in ("call/ask", "run/upload", "upload"):
            status, _ = sent(f"{url}gradio_api/{route}", named, **{"Content-Type": kind})
            assert status >= 400


@needs_gradio
def test_runs_are_kept_nowhere(url: str) -> None:
    """gradio would keep them in a bucket of Hugging Face for whoever sends a token."""
    call = urllib.request.Request(f"{url}gradio_api/run-history/buckets", headers={"x-hf-token": "hf_none"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(call)
    assert caught.value.code == 404


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
def program(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """tools/serve.py as a process of its own."""
    paths = os.pathsep.join([str(ROOT / "lib"), os.environ.get("PYTHONPATH", "")])
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "serve.py"), *arguments],
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def said(server: subprocess.Popen[str], text: str) -> str:
    """The next line of the program that has a text in it."""
    assert server.stdout is not None
    return next(line for line in server.stdout if text in line)


@needs_gradio
def test_program(tmp_path: Path) -> None:
    """It says where it is, answers there and nowhere else, and ends when it is asked to."""
    port = free_port(HERE, 0)
    given = ["--port", str(port), "--snapshot", str(write_snapshot(tmp_path / "small.npz"))]
    with program(tmp_path, *given) as server:
        line = said(server, "open http")
        assert f"<dsg model mini: 48 categories, 4 predicates>: open http://{HERE}:{port}/" in line
        assert urllib.request.urlopen(f"http://{HERE}:{port}/").status == 200
        addresses = socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET, socket.SOCK_STREAM)
        others = {str(info[4][0]) for info in addresses} | {"127.0.0.2"}
        for address in others - {HERE}:
            with socket.socket() as probe, pytest.raises(OSError):
                probe.connect((address, port))
        taken = run_program("serve", *given)
        assert taken.returncode == 2 and "give another with --port" in taken.stderr
    assert not list(tmp_path.glob("dsg_uploads_*"))


@needs_gradio
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers at all of 127.0.0.0/8")
def test_program_for_everyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, answered = free_port(HERE, 0), []

    def visit() -> None:
        for address in (HERE, "127.0.0.2"):
            answered.append(urllib.request.urlopen(f"http://{address}:{port}/").status)

    monkeypatch.setattr(command, "_wait", visit)  # in place of waiting for a signal
    snapshot = write_snapshot(tmp_path / "small.npz")
    done = run_program("serve", "--host", "0.0.0.0", "--port", port, "--snapshot", snapshot)
    assert done.returncode == 0 and answered == [200, 200]
    opened, warning = done.stdout.splitlines()[:2]
    assert f":{port}" in opened and "every machine that can reach this one can use the page" in warning


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
    assert find_examples(model, None) == []
    with pytest.raises(UserError, match="absent: cannot be read"):
        find_examples(model, DEMO / "absent")
    cv2.imwrite(str(tmp_path / "a.tif"), np.zeros((40, 60, 3), np.uint8))  # which would be refused
    shutil.copy(examples[0].path, tmp_path / "b.PNG")
    assert [one.path.name for one in find_examples(model, tmp_path)] == ["b.PNG"]


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
        (["--port", "70000"], "--port must be from 0 to 65535"),
        (["--max-mb", "0"], "--max-mb and --max-megapixels must be above 0"),
        (["--snapshot", "absent.npz"], "absent.npz: no such file"),
        (["--gpu", "first"], "give a GPU number"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    done = run_program("serve", *arguments)
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
