"""The baselines of referring relationships: ss, co, vrd and ssas, which answer a query with two maps of 14
x 14 cells instead of boxes (Krishna et al. 2018). They are trained and tested like any other net.

`samples` makes examples, `features` sees the image, `attention` has the layers, `heads` the four models,
`model` joins both, `scores` and `report` tell how good maps are, and `task` is what the trainer and the
test know.
"""
