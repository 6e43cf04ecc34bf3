# What table1.sh and table2.sh share; sourced by them with `number` set.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() { # a baseline is a row, and not the net of a table
  local nets
  nets=$(cd "$root" && known_nets)
  nets=$(for net in $nets; do [[ " ss co vrd ssas " == *" $net "* ]] || printf '%s ' "$net"; done)
  echo "usage: table$number.sh <gpu> <dataset> <net> [KEY VALUE ...] [--seeds N] [--tag NAME] [--rows LIST] [--split validation]" \
    "[--report] [--data DIR] [--output DIR] (<gpu>: 0, or 0,1, or cpu; <dataset>: $datasets, or a folder;" \
    "<net>: ${nets% }; ROW:KEY VALUE, baselines:KEY VALUE and graph:KEY VALUE are for some rows only)"
}

table_options=()
words=()
while (($#)); do
  case $1 in
    --seeds | --tag | --rows | --split)
      [[ $# -gt 1 && $2 != --* ]] || fail "$1 needs a value"
      table_options+=("$1=$2")
      shift 2
      ;;
    --seeds=* | --tag=* | --rows=* | --split=* | --report) table_options+=("$1") && shift ;;
    *) words+=("$1") && shift ;;
  esac
done
read_arguments "${words[@]}"
check_arguments
where=(--output "$output")
[ -z "$data" ] || where+=(--data "$data")
pairs_from "${rest[@]}"
find_python
run "$python" tools/table.py --table "$number" --imdb "$dataset" --net "$net" --gpu "$gpu" "${where[@]}" \
  "${table_options[@]}" --set "${pairs[@]}"
