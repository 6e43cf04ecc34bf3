#!/usr/bin/env bash
# What the graph costs (the paper's Table 3): table, JSON and picture in output/<net>/cost/.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on table3 "$@"
