"""The typed configuration: `schema` lists the options, `load` reads and writes them."""

from dsg.config.load import dump_yaml, flatten, from_values, load_config
from dsg.config.schema import BASELINES, NETS, Config, options

__all__ = ["BASELINES", "NETS", "Config", "dump_yaml", "flatten", "from_values", "load_config", "options"]
