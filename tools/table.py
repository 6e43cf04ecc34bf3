#!/usr/bin/env python3
"""Make a table of results: train and test its rows, print them beside the published ones.

Rows that are finished are not run again; a run that was interrupted goes on. The table goes to
<output>/<net>/<dataset>_tables/<tag>/ as Markdown, JSON and picture, after each run. Options after --set are
for every row; with a row or a kind before them for some: ssas:TRAIN.EPOCHS 5, baselines:TRAIN.EPOCHS 5,
graph:TRAIN.EPOCHS 5. Example:

    python tools/table.py --table 2 --imdb vrd --net res101 --gpu 0 --seeds 1,dsg=3,no_dsg=3
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402
from dsg.errors import UserError  # noqa: E402
from dsg.runtime.paths import expanded  # noqa: E402


def run(arguments: Sequence[str]) -> None:
    """Parse the options and make the table."""
    from dsg.apps.tables.command import make_table
    from dsg.apps.tables.plan import Request
    from dsg.runtime.devices import parse_gpus

    assert __doc__
    parser = Parser("table.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--table", type=int, required=True, choices=(1, 2, 4), help="1, 2: the paper's; 4: beyond it"
    )
    parser.add_argument("--imdb", required=True, metavar="DATASET", help="a name or a folder")
    parser.add_argument("--net", required=True, help="network of the rows with a scene graph")
    parser.add_argument("--gpu", default="cpu", help="0, or 0,1 for several, or cpu (default)")
    parser.add_argument("--data", default="", metavar="DIR", help="folder of the data sets")
    parser.add_argument(
        "--output", default="output", metavar="DIR", help="folder of all runs (default: output)"
    )
    parser.add_argument("--tag", default="table", help="beginning of the runs' names (default: table)")
    parser.add_argument("--rows", default="", help="only these, such as dsg,no_dsg")
    parser.add_argument("--seeds", default="1", help="3, or 1,dsg=3 (default: 1)")
    parser.add_argument("--split", default="test", choices=("test", "validation"), help="default: test")
    parser.add_argument("--report", action="store_true", help="run nothing, only write what is finished")
    parser.add_argument("--set", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE", help="options")
    options = parser.parse_args(arguments)
    parse_gpus(options.gpu)
    if not options.tag or options.tag != Path(options.tag).name:
        raise UserError(f"--tag {options.tag}: give a plain name without '/'")
    request = Request(
        table=options.table,
        dataset=str(Path(options.imdb).resolve()) if Path(options.imdb).is_dir() else options.imdb,
        net=options.net,
        output=Path(options.output).resolve(),
        cfgs=ROOT / "experiments" / "cfgs",
        data=str(expanded(options.data).resolve()) if options.data else "",
        tag=options.tag,
        rows=tuple(word for word in options.rows.split(",") if word),
        seeds=options.seeds,
        split=options.split,
        pairs=tuple(options.set),
    )
    make_table(request, options.gpu, ROOT / "experiments" / "scripts", report_only=options.report)


if __name__ == "__main__":
    main(run)
