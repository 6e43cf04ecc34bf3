"""The page of a detector: a picture, the lowest score, and what is found."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from typing import Any

from dsg.apps.serve.detection_service import LOWEST, THRESHOLD, DetectionService
from dsg.apps.serve.figure import message, refusal
from dsg.apps.serve.page import HOUR, LONGEST_QUEUE, Example, import_gradio, picture_choice, previewer
from dsg.errors import UserError

INTRODUCTION = """## What is there?
Choose a picture: the detector shows the objects that it finds, the slider sets how certain they must be.
"""


def build_detection_page(service: DetectionService, examples: Sequence[Example]) -> Any:
    """The page as a gradio `Blocks`, with its queue; `dsg.apps.serve.page.launch_options` belong to it."""
    gr = import_gradio()
    nothing = ("", "", None)

    preview = previewer(service.limits, nothing)

    def detect(image: str | None, threshold: float) -> tuple[Any, ...]:
        try:
            shown = service.detect(image, threshold)
        except UserError as error:
            # A message for users, plain data for programs.
            return (refusal(str(error)), *nothing[:2], {"error": str(error)})
        return shown.figure, shown.listed, shown.timings, shown.data

    def move(image: str | None, threshold: float) -> tuple[Any, ...]:
        return detect(image, threshold) if image else preview(image)

    def begin_with(image: str | None, chosen: Any) -> Any:
        path = examples[chosen.index].path
        same = image is not None and filecmp.cmp(image, path, shallow=False)
        return gr.skip() if same else str(path)

    # gradio reads the type, whose name is not known where gradio is imported late.
    begin_with.__annotations__["chosen"] = gr.SelectData

    title = f"dsg: {service.model.config.net}"
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(HOUR, HOUR)) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2, min_width=340):
                image, gallery = picture_choice(gr, service.limits, examples)
                threshold = gr.Slider(
                    LOWEST, 1.0, value=THRESHOLD, step=0.05, label="Lowest score", elem_id="threshold"
                )
                button = gr.Button("Detect", variant="primary", elem_id="detect")
            with gr.Column(scale=5):
                with gr.Tab("Objects"):
                    figure = gr.HTML(message("Choose a picture."), elem_id="answer")
                    listed = gr.HTML(elem_id="listed")
                with gr.Tab("Numbers"):
                    timings = gr.HTML(elem_id="timings")
                    data = gr.JSON(label="Objects", elem_id="data")
        inputs, outputs = [image, threshold], [figure, listed, timings, data]
        # The network looks at one image at a time; showing an image does not wait.
        network = {"concurrency_limit": 1, "concurrency_id": "network"}
        button.click(detect, inputs, outputs, api_name="detect", **network)
        threshold.change(
            move, inputs, outputs, api_visibility="private", trigger_mode="always_last", **network
        )
        image.change(preview, image, outputs, api_name="preview", concurrency_limit=4, show_progress="hidden")
        if examples:
            gallery.select(begin_with, image, image, api_visibility="private", concurrency_limit=4)
    page.queue(max_size=LONGEST_QUEUE)
    return page
