"""Convert annotations from one format to another: to a data set in the layout that training reads, or to what
other programs read.

    dsg convert psg.json ~/psg-rr --images ~/coco
    dsg convert ~/photos-rr photos.json --to coco
    dsg convert coco boxes.json relations.csv ~/photos-rr --images ~/photos
    dsg convert visualgenome relationships.json image_data.json vg-rr --categories 100

`dsg convert FROM TO` recognises a format by its content; docs/formats.md lists them. Options are listed by
`dsg convert files --help`, `dsg convert coco --help` and `dsg convert visualgenome --help`.
docs/your-own-data.md leads through an example up to the trained model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dsg.apps.parser import Parser

FORMATS = """COCO-style boxes, and relations: a CSV file with the columns subject, predicate, object (the ids
of two annotations and a name between them), or a JSON list of such objects or of triples [12, "on", 15]; `-`
reads the entry `relationships` of the file of boxes, and `spatial` computes relations from the boxes
(docs/your-own-data.md)."""
FILES = "files"
EXCHANGE = """From one format to another: coco, gqa, label-studio, open-images, psg, referring, reltr, vg150;
only from scene-graphs, only to sgbench and visual-genome. docs/formats.md says what each keeps."""


def add_arguments(parser: Parser) -> None:
    """The formats, each with its options."""
    formats = parser.add_subparsers(
        dest="format", required=True, metavar="FROM TO|coco|visualgenome", otherwise=FILES
    )
    files = formats.add_parser(
        FILES, description=EXCHANGE, help="FROM TO: between the formats of docs/formats.md"
    )
    files.add_argument("source", type=Path, metavar="FROM", help="file or folder")
    named = "its format (default: recognised by what it holds)"
    files.add_argument("--from", dest="form", default="", metavar="FORMAT", help=named)
    named = "the new format (default for a folder: referring)"
    files.add_argument("--to", default="", metavar="FORMAT", help=named)
    _add_common(files, "TO", "the new file or folder")
    coco = formats.add_parser("coco", description=FORMATS, help="COCO-style boxes, and relations")
    coco.add_argument("boxes", type=Path, metavar="BOXES", help="JSON with images, annotations, categories")
    where = "CSV or JSON file, -, or spatial (see above)"
    coco.add_argument("relations", nargs="?", default="", metavar="RELATIONS", help=where)
    coco.add_argument(
        "--relations", dest="named", default="", metavar="RELATIONS", help="the relations, as an option"
    )
    coco.add_argument("--test-boxes", type=Path, metavar="FILE", help="a second file of boxes, for testing")
    coco.add_argument("--test-relations", type=Path, metavar="FILE", help="the relations of the second file")
    _add_common(coco)
    text = "Visual Genome's own files, .json or .zip"
    genome = formats.add_parser("visualgenome", description=text, help=text)
    genome.add_argument("relationships", type=Path, metavar="RELATIONSHIPS", help="relationships.json")
    genome.add_argument(
        "image_data", type=Path, metavar="IMAGE_DATA", help="image_data.json, for the images' sizes"
    )
    genome.add_argument(
        "--objects", type=Path, metavar="FILE", help="objects.json, whose names and boxes are preferred"
    )
    genome.add_argument(
        "--names",
        choices=("name", "synset"),
        default="name",
        help="use names or WordNet synsets as categories",
    )
    genome.add_argument(
        "--predicate-names",
        choices=("name", "synset"),
        default="name",
        help="use names or WordNet synsets as predicates",
    )
    genome.add_argument(
        "--strict", action="store_true", help="with --names synset: leave out objects without a synset"
    )
    _add_common(genome)


def _add_common(
    parser: argparse.ArgumentParser, metavar: str = "DIR", text: str = "the data set's new folder"
) -> None:
    parser.add_argument("folder", type=Path, metavar=metavar, help=text)
    chosen = "keep the N most frequent, or those in a file (a JSON list, or one name per line); default: all"
    parser.add_argument("--categories", default="all", metavar="N_OR_FILE", help=chosen)
    parser.add_argument("--predicates", default="all", metavar="N_OR_FILE", help=chosen)
    aliases = "lines of names separated by commas; the first name of a line replaces the others"
    parser.add_argument("--category-aliases", type=Path, metavar="FILE", help=aliases)
    parser.add_argument("--predicate-aliases", type=Path, metavar="FILE", help=aliases)
    parser.add_argument(
        "--test-share",
        type=float,
        default=0.1,
        metavar="X",
        help="share of the images for testing (default: 0.1)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="selects the images for testing (default: 0)"
    )
    ids = "ids or file names of the images for {}, one per line"
    parser.add_argument("--test-ids", type=Path, metavar="FILE", help=ids.format("testing"))
    parser.add_argument("--validation-ids", type=Path, metavar="FILE", help=ids.format("validation"))
    only = "; images in no list are left out"
    parser.add_argument("--train-ids", type=Path, metavar="FILE", help=ids.format("training") + only)
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of the images, which is linked")
    parser.add_argument(
        "--allow-unknown",
        action="store_true",
        help="lists may contain entries that do not occur; they are counted",
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier conversion")


def run(given: argparse.Namespace) -> None:
    """Convert, and print what came out."""
    from dsg.apps.convert.coco import SPATIAL
    from dsg.apps.convert.command import Options, convert_coco, convert_visual_genome
    from dsg.apps.convert.splits import make_rule
    from dsg.apps.convert.visual_genome import VisualGenomeSource
    from dsg.apps.convert.vocabulary import read_aliases, read_choice
    from dsg.errors import UserError
    from dsg.runtime.paths import expanded

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
    if given.format == FILES:
        from dsg.apps.convert.exchange import convert_files

        account = convert_files(expanded(given.source), folder, options, form=given.form, to=given.to)
        print("\n".join(account.lines()))
        print(f"{folder}: written")
        return
    if given.format == "coco":
        named = [text for text in (given.relations, given.named) if text]
        if len(named) != 1:
            raise UserError("name the relations once: a CSV or JSON file, - or spatial")
        relations = {"-": None, SPATIAL: SPATIAL}.get(named[0], Path(named[0]))
        account = convert_coco(
            given.boxes, relations, folder, options, given.test_boxes, given.test_relations
        )
    else:
        source = VisualGenomeSource(
            *(given.relationships, given.image_data, given.objects, given.names),
            predicate_names=given.predicate_names,
            strict=given.strict,
        )
        account = convert_visual_genome(source, folder, options)
    print("\n".join(account.lines()))
    print(f"{folder}: written; next: dsg check {folder}")
