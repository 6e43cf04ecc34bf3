"""What happens beside the training step, one class each, and the order in which the loop calls them.

| callback | what it does |
| --- | --- |
| `Average` | averages the weights, and puts the averages in place for validation and the best snapshot |
| `BadSteps` | names the images of a step that was not finite; ends the run where that happens in a row |
| `ProgressLine` | speaks: a line or a bar for steps, a line for each epoch |
| `TensorBoard` | losses, rates, scores and pictures for TensorBoard |
| `Profile` | some steps under TensorFlow's profiler |
| `Snapshots` | the snapshots of epochs, the best one, and the state inside an epoch |
| `History` | `history.jsonl` and `curves.png` |

They are called in this order, then those of the caller. `dsg.engine.callbacks.callback` has the hooks.
"""

from __future__ import annotations
