"""The typed configuration: `schema` lists the options, `load` reads and writes them, `cfg_files` finds
files.
"""

from dsg.config.cfg_files import config_files, net_names
from dsg.config.checks import without_net
from dsg.config.load import (
    automatic,
    check_chosen,
    dump_yaml,
    flatten,
    from_values,
    load_config,
    stored_values,
)
from dsg.config.names import BACKBONES, BASELINES, DETECTORS, DSG_BACKBONES, GROUNDED, MODELS, NETS
from dsg.config.schema import Config, options

__all__ = [
    "BACKBONES",
    "BASELINES",
    "DETECTORS",
    "DSG_BACKBONES",
    "GROUNDED",
    "MODELS",
    "NETS",
    "Config",
    "automatic",
    "check_chosen",
    "config_files",
    "dump_yaml",
    "flatten",
    "from_values",
    "load_config",
    "net_names",
    "options",
    "stored_values",
    "without_net",
]
