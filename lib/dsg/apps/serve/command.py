"""What `dsg serve` does: loads a model, answers once to warm up, opens the page, and waits."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Union

import numpy as np

from dsg.api import Model
from dsg.apps.demo.scenes import shown_queries
from dsg.apps.serve.detection_page import build_detection_page
from dsg.apps.serve.detection_service import DetectionService
from dsg.apps.serve.graph_page import build_graph_page
from dsg.apps.serve.graph_service import GraphService, KnownImage
from dsg.apps.serve.page import Example, build_page, import_gradio, launch_options
from dsg.apps.serve.service import Service
from dsg.apps.serve.upload import ENDINGS, Limits
from dsg.datasets import load_dataset
from dsg.datasets.catalogue import holds_annotations
from dsg.datasets.scene_graph_layout import is_graph_folder
from dsg.datasets.scene_graphs import graphs_of, load_graphs
from dsg.errors import UserError
from dsg.metrics.graph_recall import GraphTruth
from dsg.models.kinds import kind_of
from dsg.pipeline.picture_formats import pictures_in
from dsg.runtime.devices import parse_gpus, select_devices

LOG = logging.getLogger("dsg")
AnyService = Union[Service, DetectionService, GraphService]
EVERYWHERE = ("0.0.0.0", "::")
UPLOADS = "GRADIO_TEMP_DIR"


def serve(
    snapshot: Path,
    *,
    devices: str = "cpu",
    host: str = "127.0.0.1",
    port: int = 7860,
    limits: Limits | None = None,
    examples: Path | None = None,
) -> None:
    """Show the page until Ctrl-C or SIGTERM.

    Args:
        snapshot: of a trained model.
        devices: `cpu` or a GPU's number.
        host: address to listen on; others than this machine's own reach the page only if it says so.
        port: 0 takes a free one.
        limits: of uploads.
        examples: a data set's folder whose pictures are offered where its vocabulary is the model's, or any
            folder of pictures.

    Raises:
        UserError: the snapshot cannot be read, gradio is missing, or the port is taken.
    """
    parse_gpus(devices)
    kind_of(snapshot)  # or something else that can be read
    if examples is not None:
        examples_folder(examples)
    gradio = import_gradio()
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    port = free_port(host, port)
    select_devices(devices)
    service = service_of(Model.load(snapshot), limits or Limits(), examples)
    service.warm_up()
    offered = find_examples(service.model, examples)
    with opened(gradio, service, offered, host, port) as url:
        LOG.info("%s: open %s (Ctrl-C ends it)", service.model, url)
        if host in EVERYWHERE:
            LOG.warning("every machine that can reach this one can use the page")
        _wait()
    LOG.info("ended")


def service_of(model: Model, limits: Limits, examples: Path | None) -> AnyService:
    """What answers on the page, as the model is."""
    if model.is_grounded:
        return GraphService(model, limits, known_images(model, examples))
    if model.is_detector:
        return DetectionService(model, limits)
    return Service(model, limits)


@contextlib.contextmanager
def opened(gradio: Any, service: AnyService, examples: list[Example], host: str, port: int) -> Iterator[str]:
    """The page at its address while the context lasts; uploads lie in a folder that goes with it."""
    before = os.environ.get(UPLOADS)
    with tempfile.TemporaryDirectory(prefix="dsg_uploads_", ignore_cleanup_errors=True) as folder:
        os.environ[UPLOADS] = folder
        if isinstance(service, DetectionService):
            page = build_detection_page(service, examples)
        elif isinstance(service, GraphService):
            page = build_graph_page(service, examples)
        else:
            page = build_page(service, examples)
        try:
            name = f"[{host}]" if ":" in host else host
            known = [str(one.path.resolve()) for one in examples]  # served wherever they lie, and they alone
            options = launch_options(gradio, service.limits, folder)
            _, url, _ = page.launch(server_name=name, server_port=port, allowed_paths=known, **options)
            yield url
        finally:
            page.close(verbose=False)
            os.environ.pop(UPLOADS)
            if before is not None:
                os.environ[UPLOADS] = before


def examples_folder(folder: Path) -> Path:
    """The folder, if it can be one of examples.

    Raises:
        UserError: it does not exist, or has neither images nor annotations.
    """
    if not folder.is_dir():
        what = "a file; give a folder of images" if folder.exists() else "no such folder of examples"
        raise UserError(f"{folder}: {what}")
    pictures, others = pictures_in(folder, ENDINGS)
    if not pictures and not holds_annotations(folder) and not is_graph_folder(folder):
        raise UserError(
            f"{folder}: no image in this folder ({', '.join(ENDINGS)}){'; ' * bool(others)}{others}"
        )
    return folder


def find_examples(model: Model, folder: Path | None, count: int = 6) -> list[Example]:
    """Pictures to begin with: of an annotated folder with a query each, else of any folder. A model that is
    asked nothing has those of any annotated folder; a grounded one first those whose graph is known.
    """
    if folder is None:
        return []
    if model.is_grounded:
        found = [Example(one.path) for one in known_images(model, folder, count)]
        if found:
            return found
    known, asked_nothing = model.vocabulary, model.is_detector or model.is_grounded
    with contextlib.suppress(UserError):
        data = load_dataset(folder, "test")
        usable = (
            record
            for record in data.records
            if (asked_nothing or len(record.queries))
            and record.path.suffix.lower() in ENDINGS
            and os.path.isfile(record.path)
        )
        if asked_nothing:
            return [Example(record.path) for record in itertools.islice(usable, count)]
        if data.vocabulary == known:
            return [
                Example(record.path, _words(model, record.queries[shown_queries(record)[0]]))
                for record in itertools.islice(usable, count)
            ]
    files, others = pictures_in(folder, ENDINGS)
    if others:
        LOG.warning("%s: %s", folder, others)
    if asked_nothing:
        return [Example(path) for path in files[:count]]
    words = (known.objects[0], known.predicates[0], known.objects[0])
    return [Example(path, words) for path in files[:count]]


def known_images(model: Model, folder: Path | None, count: int = 6) -> list[KnownImage]:
    """Pictures of a data set of scene graphs with the model's vocabulary, with their graphs."""
    if folder is None or not is_graph_folder(folder):
        return []
    with contextlib.suppress(UserError):
        data = load_graphs(folder, "test", max_images=count)
        own, theirs = model.vocabulary, data.vocabulary
        if (own.objects, own.predicates) == (theirs.objects, theirs.predicates):
            return [
                KnownImage(record.path, GraphTruth(record.boxes, record.labels, record.relations))
                for record in graphs_of(data)
                if record.path.suffix.lower() in ENDINGS and os.path.isfile(record.path)
            ]
    return []


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0.

    Raises:
        UserError: it cannot be listened on.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except (OSError, UnicodeError) as error:  # UnicodeError: no name that a host could have
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        remedy = "give another with --port" if taken else "give another address or port"
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{host}:{port}: cannot listen there ({reason}); {remedy}") from error


def _words(model: Model, query: np.ndarray) -> tuple[str, str, str]:
    known = model.vocabulary
    return known.objects[query[0]], known.predicates[query[1]], known.objects[query[2]]


def _wait() -> None:
    """Until SIGINT or SIGTERM."""
    stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not stop.wait(1.0):  # a wait without end would not see signals everywhere
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
