"""The commands of `dsg`, each the module here of the same name.

A module has a docstring, which is its help, `add_arguments(parser)`, and `run(options)`, which returns the
exit status or nothing. Importing it loads nothing but the standard library; what it needs is imported in
`run`. Where `BARE` is set, words that belong to no option become the list of that name, see
`dsg.apps.parser.Parser`.
"""

COMMANDS = {
    "demo": "answer queries about the bundled pictures, and draw the answers",
    "ask": "ask pictures: where is the man, riding the horse?",
    "graph": "decode scene graphs of pictures, or of a split",
    "serve": "open a page in the browser on which a model can be asked",
    "fetch": "fetch data sets and weights",
    "shapes": "generate the data set `shapes`",
    "convert": "make a data set from COCO or Visual Genome files",
    "check": "look for mistakes in a data set",
    "train": "train a network; given again, resume",
    "test": "test a snapshot: table, results, pictures",
    "report": "write the report of a run again",
    "table": "train and test the rows of the paper's tables",
    "figure": "draw the paper's figures",
    "failures": "sort wrong answers by cause",
    "cost": "count parameters, operations and seconds with the graph and without",
    "export": "write weights, a SavedModel or an ONNX file",
    "parity": "compare every stage with values measured on the release",
    "options": "list all options of the configuration",
    "completion": "print the completion for bash or zsh",
}
"""Name -> what it does, in the order of help."""
