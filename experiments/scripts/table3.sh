#!/usr/bin/env bash
# What the graph costs (the paper's Table 3): table, JSON and picture in output/<net>/cost/.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  echo "usage: table3.sh <gpu> <net> [KEY VALUE ...] [--output DIR] (<gpu>: 0 or cpu; <net>: $(cd "$root" && known_nets))"
}

only_dataset=visualgenome # of a data set only the sizes of its vocabulary matter, and those are Visual Genome's
read_arguments "$@"
check_arguments
pairs_from "${rest[@]}"
find_python
run "$python" tools/cost.py --net "$net" --cfg "$(net_file "$net")" --gpu "$gpu" --output "$output" --set "${pairs[@]}"
