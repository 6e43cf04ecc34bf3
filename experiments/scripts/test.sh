#!/usr/bin/env bash
# Tests a snapshot: a table on the screen; the same, results.json, queries.jsonl and pictures in the run's folder.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  echo "usage: test.sh <gpu> <dataset> <net> <snapshot> [KEY VALUE ...] [--data DIR] [--output DIR]" \
    "(<snapshot>: <name>_iter_N, dsg_pretrained, or a file; <gpu>: 0 or cpu; <dataset>: $datasets, or a folder;" \
    "<net>: $(cd "$root" && known_nets))"
}

read_arguments "$@"
((${#rest[@]})) || fail "$(usage)"
check_arguments
snapshot=${rest[0]}
for file in "$snapshot" "$snapshot.npz" "$snapshot.index"; do
  # Named from where the script was started, with a folder or without.
  if [[ $snapshot == */* || -f $start/$file ]]; then
    snapshot=$(absolute "$snapshot")
    break
  fi
done
where=(--output "$output")
[ -z "$data" ] || where+=(--data "$data")
pairs_from "${rest[@]:1}"
find_python
run "$python" tools/test_net.py --imdb "$dataset" --net "$net" "${cfg_options[@]}" --gpu "$gpu" "${where[@]}" \
  --model "$snapshot" --set "${pairs[@]}"
