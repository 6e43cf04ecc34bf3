#!/usr/bin/env bash
# Trains a network on a data set and tests the best snapshot. Given again, it resumes, or says that it is done.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  echo "usage: train.sh <gpu> <dataset> <net> [name] [KEY VALUE ...] [--data DIR] [--output DIR]" \
    "(<gpu>: 0, or 0,1, or cpu; <dataset>: $datasets, or a folder; <net>: $(cd "$root" && known_nets);" \
    "a name such as <name>_iter_0 or dsg_pretrained: only test it)"
}

read_arguments "$@"
check_arguments
name=default
key='^[A-Z][A-Z0-9_]*(\.[A-Z0-9_]+)*$'
first=${rest[0]:-}
# Pairs are even in number: of an odd number the first word is the name, unless it can only be an option, such as
# TRAIN.EPOCHS; of an even number it is if it cannot be an option, not even one that is misspelt.
signs=0
[[ $first == *.* ]] && signs=$((signs + 1))
[[ $first =~ $key ]] && signs=$((signs + 1))
if ((${#rest[@]})) && ((signs <= ${#rest[@]} % 2)); then
  name=$first
  rest=("${rest[@]:1}")
fi
where=(--output "$output")
[ -z "$data" ] || where+=(--data "$data")
if [[ $name =~ _iter_[0-9]+$ || $name == dsg_pretrained || $name == *.npz || $name == *.ckpt ]]; then
  cd "$start"
  exec "$root/experiments/scripts/test.sh" "$gpu" "$dataset" "$net" "$name" "${rest[@]}" "${where[@]}"
fi
pairs_from "${rest[@]}"
find_python
common=(--imdb "$dataset" --net "$net" "${cfg_options[@]}" --gpu "$gpu" "${where[@]}")
"$python" tools/trainval_net.py "${common[@]}" --tag "$name" --check --set "${pairs[@]}"
generate_if_absent
run "$python" tools/trainval_net.py "${common[@]}" --tag "$name" --set "${pairs[@]}"
run "$python" tools/test_net.py "${common[@]}" --model "${name}_iter_0" --reuse --set "${pairs[@]}"
