"""The commands of `dsg`, each the module here of the same name.

A module has a docstring, which is its help, `add_arguments(parser)`, and `run(options)`, which returns the
exit status or None. Importing it loads only the standard library; `run` imports what it needs. If `BARE` is
set, words that belong to no option become the list of that name (`dsg.apps.parser.Parser`).
"""

COMMANDS = {
    "demo": "answer queries about the bundled images and draw the answers",
    "ask": 'answer queries about your images: "man, riding, horse"',
    "detect": "detect objects in your images with a trained detector",
    "graph": "decode the scene graphs of images or of a split",
    "serve": "open a page in the browser to try a model",
    "fetch": "fetch data sets and weights",
    "shapes": "generate the data set `shapes`",
    "convert": "convert annotations: to a data set, or between formats",
    "check": "check a data set for problems",
    "train": "train a network, or resume its training",
    "test": "test a snapshot: table, results, pictures",
    "report": "write a run's report again",
    "table": "train and test the rows of the paper's tables",
    "figure": "draw the paper's figures",
    "failures": "sort failed answers by cause",
    "cost": "measure what the graph costs: parameters, operations, seconds",
    "export": "write weights, a SavedModel or an ONNX file",
    "parity": "compare every stage with values measured on the release",
    "options": "list all options of the configuration",
    "completion": "print shell completion for bash or zsh",
}
"""Name -> what it does, in the order of the help."""
