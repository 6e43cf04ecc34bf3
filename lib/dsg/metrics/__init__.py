"""How good the answers are: attention-map IoU of subject and object, RPN recall, and the table of results.

`raster` turns boxes into 14 x 14 maps, `role_iou` compares the maps of one image's queries, `detection`
compares boxes, `maps` scores attention maps of systems that predict no boxes, `evaluation` adds up a whole
split and `results` reports it. NumPy only.
"""
