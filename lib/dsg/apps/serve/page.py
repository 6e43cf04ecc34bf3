"""The page of a model that answers queries: gradio's components, and what happens when they are used; some of
it is shared with the pages of other models.

Nothing is fetched from elsewhere and nothing is reported: no analytics, no fonts, no shared links. What
people upload lies in a folder of its own, is removed one to two hours later, and goes when the server ends.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dsg.apps.serve.detection_figure import STYLE as DETECTION_STYLE
from dsg.apps.serve.figure import STYLE, message, plain_figure, refusal
from dsg.apps.serve.graph_figure import STYLE as GRAPH_STYLE
from dsg.apps.serve.guard import UploadsOnly
from dsg.apps.serve.service import Service
from dsg.apps.serve.upload import Limits, read_upload
from dsg.errors import UserError
from dsg.models.dsg.query_words import spoken

NEEDED = "the page needs gradio: pip install -r requirements-serve.txt"
LONGEST_QUEUE = 100  # waiting clients; others are told to come back later
HOUR = 3600  # seconds between two looks through the uploads, and what they may have lain there
INTRODUCTION = """## Where is it?
Choose a picture, then a subject, a relation and an object: the model answers with the boxes of both.
"""


class Example(NamedTuple):
    """A picture to begin with, and what is asked about it; of a detector nothing is asked."""

    path: Path
    words: tuple[str, str, str] = ("", "", "")


def import_gradio() -> Any:
    """gradio, told beforehand that it reports nothing.

    Raises:
        UserError: it is not installed, or too old.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # for clients that send a token it goes to Hugging Face
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # It asks itself whether it is up; a proxy has no part in that.
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "localhost,127.0.0.1,0.0.0.0")))
    try:
        import gradio
    except ImportError as error:
        raise UserError(f"{NEEDED} ({error})") from error
    if int(gradio.__version__.split(".")[0]) < 6:
        raise UserError(f"{NEEDED} (version 6; {gradio.__version__} is there)")
    return gradio


def previewer(limits: Limits, nothing: Sequence[Any]) -> Callable[[str | None], tuple[Any, ...]]:
    """What shows a picture that was chosen, or why it cannot be taken.

    Args:
        limits: of pictures.
        nothing: takes the place of all that was said of another picture.
    """

    def preview(path: str | None) -> tuple[Any, ...]:
        if not path:
            return (message("Choose a picture."), *nothing)
        try:
            return (plain_figure(read_upload(path, limits)), *nothing)
        except UserError as error:
            return (refusal(str(error)), *nothing)

    return preview


def build_page(service: Service, examples: Sequence[Example]) -> Any:
    """The page as a gradio `Blocks`, with its queue; `launch_options` belong to it."""
    gr = import_gradio()
    known = service.model.vocabulary
    nothing = ("", "", "", None)
    first = examples[0].words if examples else (known.objects[0], known.predicates[0], known.objects[0])

    preview = previewer(service.limits, nothing)

    def ask(image: str | None, subject: str, predicate: str, object_: str) -> tuple[Any, ...]:
        try:
            shown = service.ask(image, subject, predicate, object_)
        except UserError as error:
            # A message for users, plain data for programs.
            return (refusal(str(error)), *nothing[:3], {"error": str(error)})
        return shown.answer, shown.attention, shown.graph, shown.timings, shown.data

    def begin_with(image: str | None, chosen: Any) -> tuple[Any, ...]:
        example = examples[chosen.index]
        if image is not None and filecmp.cmp(image, example.path, shallow=False):
            # It is shown already. Browsers may tell twice of one click, and what was picked since must stay.
            return tuple(gr.skip() for _ in range(4))
        return (str(example.path), *example.words)

    # gradio reads the type, whose name is not known where gradio is imported late.
    begin_with.__annotations__["chosen"] = gr.SelectData

    title = f"dsg: {service.model.config.net}"
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(HOUR, HOUR)) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2, min_width=340):
                image, gallery = picture_choice(gr, service.limits, examples)
                words = [
                    gr.Dropdown(
                        [(spoken(name), name) for name in names],
                        value=value,
                        label=label,
                        elem_id=label.lower(),
                    )
                    for label, names, value in zip(
                        ("Subject", "Relation", "Object"),
                        (known.objects, known.predicates, known.objects),
                        first,
                    )
                ]
                button = gr.Button("Ask", variant="primary", elem_id="ask")
            with gr.Column(scale=5):
                with gr.Tab("Answer"):
                    answer = gr.HTML(message("Choose a picture."), elem_id="answer")
                with gr.Tab("Attention"):
                    attention = gr.HTML(elem_id="attention")
                with gr.Tab("Scene graph"):
                    graph = gr.HTML(elem_id="graph")
                with gr.Tab("Numbers"):
                    timings = gr.HTML(elem_id="timings")
                    data = gr.JSON(label="Answer", elem_id="data")
        inputs, outputs = [image, *words], [answer, attention, graph, timings, data]
        # The network answers one request at a time; showing an image does not wait.
        button.click(ask, inputs, outputs, api_name="ask", concurrency_limit=1)
        image.change(preview, image, outputs, api_name="preview", concurrency_limit=4, show_progress="hidden")
        if examples:
            gallery.select(begin_with, image, inputs, api_visibility="private", concurrency_limit=4)
    page.queue(max_size=LONGEST_QUEUE)
    return page


def picture_choice(gr: Any, limits: Limits, examples: Sequence[Example]) -> tuple[Any, Any]:
    """Where a picture is uploaded, and the examples, None if there are none."""
    most = f"at most {limits.megabytes:g} MB, {limits.megapixels:g} million pixels"
    image = gr.File(label=f"Picture ({most})", type="filepath", height=150, elem_id="upload")
    if not examples:
        return image, None
    gallery = gr.Gallery(
        [str(example.path) for example in examples],
        show_label=False,
        columns=3,
        height=240,
        object_fit="contain",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="examples",
    )
    return image, gallery


def launch_options(gr: Any, limits: Limits, uploads: str) -> dict[str, Any]:
    """Arguments of `Blocks.launch` besides host and port; `uploads` is the folder of the uploads."""
    from starlette.middleware import Middleware  # gradio stands on it

    return {
        "app_kwargs": {"middleware": [Middleware(UploadsOnly, folder=uploads)]},
        "theme": gr.themes.Default(
            font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], primary_hue="blue"
        ),
        "css": STYLE + DETECTION_STYLE + GRAPH_STYLE,
        "max_file_size": limits.bytes,
        "max_threads": 8,
        "share": False,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "enable_monitoring": False,
        "footer_links": [],
        "show_error": False,  # our own messages are answers; others may name folders
        "quiet": True,
        "inbrowser": False,
        "prevent_thread_lock": True,
    }
