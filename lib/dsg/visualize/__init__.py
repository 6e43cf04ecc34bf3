"""Pictures: answers to queries, proposals, scene graphs and training curves, as RGB arrays or files.

`answers` draws ground truth and predictions of queries, `detections` boxes and masks with labels, `proposals`
the boxes of a first stage (TensorBoard), `scene_graph` decodes a labelled graph (JSON, DOT), `graph_picture`
draws it, `curves` plots a training run; `canvas` holds what they share. An image is uint8 [H, W, 3] RGB and
boxes are x1 y1 x2 y2 in its pixels (no +1) throughout. Nothing here touches global state of a plotting
library.
"""
