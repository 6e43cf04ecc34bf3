"""Make a table of results: train and test its rows, and print them beside the published ones.

Finished rows are not run again; an interrupted run resumes. After each run the table is written to
<output>/<net>/<dataset>_tables/<name>/ as Markdown, JSON and picture. Options after --set apply to all rows,
or with a prefix to some: ssas:TRAIN.EPOCHS 5, baselines:TRAIN.EPOCHS 5, graph:TRAIN.EPOCHS 5. Example:

    dsg table --table 2 --dataset vrd --net res101 --gpu 0 --seeds 1,dsg=3,no_dsg=3
    dsg table --table 1 --dataset shapes150 --net grounding_mini --seeds 3 --rows motif_bl,motif_sg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dsg.apps.configurations import configuration_folder
from dsg.apps.parser import Parser
from dsg.apps.run_options import add_pairs
from dsg.errors import UserError

BARE = "set"


def add_arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument(
        "--table",
        type=int,
        required=True,
        choices=(1, 2, 3, 4),
        help="1 or 2: of the paper; 4: options beyond it; of a net grounding_*: 1 to 4 of its paper",
    )
    parser.add_argument(
        "--dataset",
        old=("--imdb",),
        required=True,
        metavar="NAME",
        help="visualgenome, vrd, clevr, shapes, with grounding_*: vg150, shapes150; or a folder",
    )
    parser.add_argument(
        "--net", required=True, help="network for the rows with a scene graph, or grounding_*"
    )
    parser.add_argument("--gpu", default="cpu", help="0, or 0,1 for several, or cpu (default)")
    parser.add_argument("--data", default="", metavar="DIR", help="folder of the data sets (default: data)")
    parser.add_argument(
        "--output", default="output", metavar="DIR", help="folder of all runs (default: output)"
    )
    parser.add_argument(
        "--name", old=("--tag",), default="table", help="prefix of the runs' names (default: table)"
    )
    parser.add_argument("--rows", default="", help="run only these rows, such as dsg,no_dsg")
    parser.add_argument("--seeds", default="1", help="trainings of each row: 3, or 1,dsg=3 (default: 1)")
    parser.add_argument(
        "--split", default="test", choices=("test", "validation"), help="split to test on (default: test)"
    )
    parser.add_argument(
        "--report", action="store_true", help="run nothing, write the table of what is finished"
    )
    add_pairs(parser)


def run(options: argparse.Namespace) -> None:
    """Make the table."""
    from dsg.apps.tables.command import make_table
    from dsg.apps.tables.plan import Request
    from dsg.engine.names import check_run_name
    from dsg.runtime.devices import parse_gpus
    from dsg.runtime.paths import expanded

    parse_gpus(options.gpu)
    if options.name != Path(options.name).name:
        raise UserError(f"--name {options.name}: give a plain name without '/'")
    request = Request(
        table=options.table,
        dataset=str(Path(options.dataset).resolve()) if Path(options.dataset).is_dir() else options.dataset,
        net=options.net,
        output=Path(options.output).resolve(),
        cfgs=configuration_folder(),
        data=str(expanded(options.data).resolve()) if options.data else "",
        tag=check_run_name(options.name),
        rows=tuple(word for word in options.rows.split(",") if word),
        seeds=options.seeds,
        split=options.split,
        pairs=tuple(options.set),
    )
    make_table(request, options.gpu, report_only=options.report)
