"""The page of a model of grounded scene graphs: a picture, what is given beside it, and its graph."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from typing import Any

from dsg.apps.serve.figure import message, refusal
from dsg.apps.serve.graph_service import GraphService
from dsg.apps.serve.page import HOUR, LONGEST_QUEUE, Example, import_gradio, picture_choice, previewer
from dsg.config.grounding import PREDCLS, SGCLS, SGDET
from dsg.errors import UserError

INTRODUCTION = """## What is there, and how is it related?
Choose a picture: the model finds objects with their masks, and the relations between them. Point at a
relation to see the regions of its subject and of its object that it attends to.
"""
GIVEN = [("nothing", SGDET), ("boxes", SGCLS), ("boxes and labels", PREDCLS)]


def build_graph_page(service: GraphService, examples: Sequence[Example]) -> Any:
    """The page as a gradio `Blocks`, with its queue; `dsg.apps.serve.page.launch_options` belong to it."""
    gr = import_gradio()
    nothing = ("", "", "", None)

    preview = previewer(service.limits, nothing)

    def describe(image: str | None, setting: str) -> tuple[Any, ...]:
        try:
            shown = service.describe(image, setting)
        except UserError as error:
            # A message for users, plain data for programs.
            return (refusal(str(error)), *nothing[:3], {"error": str(error)})
        return shown.figure, shown.diagram, shown.refinement, shown.timings, shown.data

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
                setting = gr.Radio(
                    GIVEN,
                    value=SGDET,
                    label="Given beside the picture (of annotated examples)",
                    visible=bool(service.known),
                    elem_id="setting",
                )
                button = gr.Button("Describe", variant="primary", elem_id="describe")
            with gr.Column(scale=5):
                with gr.Tab("Graph"):
                    figure = gr.HTML(message("Choose a picture."), elem_id="answer")
                with gr.Tab("Diagram"):
                    diagram = gr.HTML(elem_id="diagram")
                with gr.Tab("Refinement"):
                    refinement = gr.HTML(elem_id="refinement")
                with gr.Tab("Numbers"):
                    timings = gr.HTML(elem_id="timings")
                    data = gr.JSON(label="Graph", elem_id="data")
        inputs, outputs = [image, setting], [figure, diagram, refinement, timings, data]
        # The network looks at one image at a time; showing an image does not wait.
        button.click(describe, inputs, outputs, api_name="describe", concurrency_limit=1)
        image.change(preview, image, outputs, api_name="preview", concurrency_limit=4, show_progress="hidden")
        if examples:
            gallery.select(begin_with, image, image, api_visibility="private", concurrency_limit=4)
    page.queue(max_size=LONGEST_QUEUE)
    return page
