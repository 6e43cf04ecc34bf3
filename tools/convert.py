#!/usr/bin/env python3
"""Makes a data set of the layout that train.sh reads from annotations of another format.

    python tools/convert.py coco boxes.json relations.csv ~/photos-rr --images ~/photos
    python tools/convert.py visualgenome relationships.json image_data.json vg-rr --categories 100

`python tools/convert.py coco --help` and `... visualgenome --help` tell the options. docs/your-own-data.md
has an example from the beginning to the trained model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dsg.apps.cli import Parser, main  # noqa: E402
from dsg.runtime.paths import expanded  # noqa: E402

FORMATS = """COCO-style boxes, and relations: a CSV file with the columns subject, predicate, object (ids of
annotations, and a name between them), or a JSON list of such objects, or of triples [12, "on", 15]; `-`: the
entry `relationships` of the file of boxes; `spatial`: computed from the boxes (docs/your-own-data.md)."""


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="the data set's new folder")
    chosen = "keep the N most frequent, or those of a file (a JSON list, or a name a line); default all"
    parser.add_argument("--categories", default="all", metavar="N_OR_FILE", help=chosen)
    parser.add_argument("--predicates", default="all", metavar="N_OR_FILE", help=chosen)
    aliases = "on each line names with commas between; the first stands for all of them"
    parser.add_argument("--category-aliases", type=Path, metavar="FILE", help=aliases)
    parser.add_argument("--predicate-aliases", type=Path, metavar="FILE", help=aliases)
    parser.add_argument(
        "--test-share", type=float, default=0.1, metavar="X", help="share for testing, default 0.1"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed, other images for testing")
    ids = "ids or file names of the images for {}, one a line"
    parser.add_argument("--test-ids", type=Path, metavar="FILE", help=ids.format("testing"))
    parser.add_argument("--validation-ids", type=Path, metavar="FILE", help=ids.format("validation"))
    only = "; images of no list are left out"
    parser.add_argument("--train-ids", type=Path, metavar="FILE", help=ids.format("training") + only)
    parser.add_argument("--images", type=Path, metavar="DIR", help="where the images lie: a link is made")
    parser.add_argument(
        "--allow-unknown", action="store_true", help="lists may name what does not occur (it is counted)"
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier conversion")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    assert __doc__
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser("convert.py", description=__doc__, formatter_class=raw)
    formats = parser.add_subparsers(dest="format", required=True, metavar="coco|visualgenome")
    coco = formats.add_parser("coco", description=FORMATS, formatter_class=raw)
    coco.add_argument("boxes", type=Path, help="JSON with images, annotations, categories")
    coco.add_argument("relations", nargs="?", default="", help="CSV or JSON, or -, or spatial (see above)")
    coco.add_argument("--relations", dest="more_relations", default="", metavar="RELATIONS", help="the same")
    coco.add_argument("--test-boxes", type=Path, metavar="FILE", help="a second file of boxes, for testing")
    coco.add_argument("--test-relations", type=Path, metavar="FILE", help="the relations of those")
    _common(coco)
    genome = formats.add_parser("visualgenome", description="Visual Genome's own files, .json or .zip")
    genome.add_argument("relationships", type=Path, help="relationships.json")
    genome.add_argument("image_data", type=Path, help="image_data.json, for the images' sizes")
    genome.add_argument(
        "--objects", type=Path, metavar="FILE", help="objects.json: its names and boxes count"
    )
    genome.add_argument(
        "--names", choices=("name", "synset"), default="name", help="categories are names or WordNet synsets"
    )
    genome.add_argument(
        "--predicate-names", choices=("name", "synset"), default="name", help="the same for predicates"
    )
    genome.add_argument(
        "--strict", action="store_true", help="with --names synset: leave out what has no synset"
    )
    _common(genome)
    return parser.parse_args(arguments)


def run(arguments: Sequence[str]) -> None:
    """Parse the options, convert, tell what came out."""
    given = _parse(arguments)

    from dsg.apps.convert.coco import SPATIAL
    from dsg.apps.convert.command import Options, convert_coco, convert_visual_genome
    from dsg.apps.convert.splits import make_rule
    from dsg.apps.convert.visual_genome import VisualGenomeSource
    from dsg.apps.convert.vocabulary import read_aliases, read_choice
    from dsg.errors import UserError

    options = Options(
        categories=read_choice(given.categories, "categories"),
        predicates=read_choice(given.predicates, "predicates"),
        category_aliases=read_aliases(given.category_aliases) if given.category_aliases else {},
        predicate_aliases=read_aliases(given.predicate_aliases) if given.predicate_aliases else {},
        rule=make_rule(given.test_ids, given.validation_ids, given.train_ids, given.test_share, given.seed),
        images=expanded(given.images) if given.images else None,
        force=given.force,
        allow_unknown=given.allow_unknown,
    )
    folder = expanded(given.folder)
    if given.format == "coco":
        named = [text for text in (given.relations, given.more_relations) if text]
        if len(named) != 1:
            raise UserError("name the relations once: a CSV or JSON file, - or spatial")
        relations = {"-": None, SPATIAL: SPATIAL}.get(named[0], Path(named[0]))
        account = convert_coco(
            given.boxes, relations, folder, options, given.test_boxes, given.test_relations
        )
    else:
        source = VisualGenomeSource(given.relationships, given.image_data, given.objects, given.names)
        source = replace(source, predicate_names=given.predicate_names, strict=given.strict)
        account = convert_visual_genome(source, folder, options)
    print("\n".join(account.lines()))
    print(f"{folder}: written; next: python tools/check_dataset.py {folder}")


if __name__ == "__main__":
    main(run)
