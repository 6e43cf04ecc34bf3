# What train.sh and test.sh share: reading the arguments, finding Python, printing what is run. Sourced, not run.

# Before 4.4 bash takes an empty array for an unset variable.
((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || set +u

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
start=$PWD
export DSG_START=$start # commands in messages are to be typed there
cfgs=experiments/cfgs
datasets="visualgenome vrd clevr shapes"

fail() { # one line, and the status of a user's mistake
  echo "error: $*" >&2
  exit 2
}

absolute() { # a path as seen from where the script was started
  case $1 in
    /*) echo "$1" ;;
    "~"*) echo "$HOME${1#"~"}" ;;
    *) echo "$start/$1" ;;
  esac
}

# Sets gpu, dataset, net, data, output and rest (what follows <net>); the options --data and --output may stand anywhere.
# Where `only_dataset` is set, it is the data set, and none is expected among the words.
only_dataset=
read_arguments() {
  data=${DATA_DIR:-}
  output=${OUTPUT_DIR:-}
  local words=()
  while (($#)); do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --data | --output)
        (($# > 1)) || fail "$1 needs a folder"
        printf -v "${1#--}" %s "$2"
        shift 2
        ;;
      --data=* | --output=*)
        local option=${1%%=*}
        printf -v "${option#--}" %s "${1#*=}"
        shift
        ;;
      --*) fail "unknown option $1; there are --data DIR and --output DIR" ;;
      *) words+=("$1") && shift ;;
    esac
  done
  [ -z "$only_dataset" ] || words=("${words[@]:0:1}" "$only_dataset" "${words[@]:1}")
  ((${#words[@]} >= 3)) || fail "$(usage)"
  gpu=${words[0]} dataset=${words[1]} net=${words[2]}
  rest=("${words[@]:3}")
  [ -z "$data" ] || data=$(absolute "$data")
  [ -n "$output" ] || output=$root/output
  output=$(absolute "$output")
  cd "$root"
}

net_file() { # the configuration of a net
  if [ -f "$cfgs/models/$1.yml" ]; then echo "$cfgs/models/$1.yml"; else echo "$cfgs/$1.yml"; fi
}

is_net() { # whether a configuration, or the one that it changes, chooses what is built
  local base
  grep -Eq '^(MODEL|BACKBONE|NET):' "$1" && return
  base=$(sed -n 's/^BASE: *//p' "$1")
  [ -f "$(dirname "$1")/$base" ] && is_net "$(dirname "$1")/$base"
}

known_nets() { # what has a configuration of its own: one that only names another is that one's older name
  local file
  for file in "$cfgs"/*.yml "$cfgs"/models/*.yml; do
    if is_net "$file" && grep -Eqv '^(#|BASE:|$)' "$file"; then basename "$file" .yml; fi
  done | sort | tr '\n' ' ' | sed 's/ $//'
}

# Checks gpu, dataset and net, and sets cfg_options: the data set's configuration, the net's, and that of both.
check_arguments() {
  [[ $gpu =~ ^(cpu|[0-9]+(,[0-9]+)*)$ ]] || fail "unknown GPU '$gpu': give its number (0), several (0,1), or cpu"
  local plain label nets file
  plain=$(tr 'A-Z' 'a-z' <<<"$dataset" | tr -d '_-')
  if [[ " $datasets " == *" $plain "* ]]; then
    dataset=$plain label=$plain
  elif [ -d "$(absolute "$dataset")" ]; then
    dataset=$(absolute "$dataset")
    label=$(basename "$dataset" | tr 'A-Z' 'a-z')
  elif [ -d "${data:-data}/$dataset" ]; then
    label=$(tr 'A-Z' 'a-z' <<<"$dataset")
  else
    fail "unknown data set '$dataset': one of $datasets, or a folder, there or in the folder of --data"
  fi
  nets=$(known_nets)
  [[ " $nets " == *" $net "* ]] || fail "unknown net '$net': one of $nets"
  cfg_options=()
  for file in "$cfgs/$label.yml" "$(net_file "$net")" "$cfgs/${net}_$label.yml"; do
    [ -f "$file" ] || continue
    # A data set's folder called like a net, or like the end of its name, does not bring that net's options.
    [ "$file" = "$(net_file "$net")" ] || ! is_net "$file" || continue
    cfg_options+=(--cfg "$file")
  done
}

# Sets python, after making what is missing: environment, compiled operations. DSG_PYTHON names an interpreter that has all.
find_python() {
  if [ -n "${DSG_PYTHON:-}" ]; then
    python=$DSG_PYTHON
  else
    make -s build
    python=$(make -s python)
  fi
  export PYTHONPATH=$root/lib${PYTHONPATH:+:$PYTHONPATH}
  export PYTHONFAULTHANDLER=1 # a crash in compiled code says where it was called
}

generate_if_absent() { # the data set `shapes` can be made on the spot, where `pairs` or --data have it
  local folder=${data:-data} index
  for ((index = 0; index + 1 < ${#pairs[@]}; index += 2)); do
    [ "${pairs[index]}" != DATA.DIR ] || folder=${pairs[index + 1]} # the last one wins, as with the programs
  done
  if [ "$dataset" = shapes ] && [ ! -f "$folder/annotations_train.json" ] && [ ! -d "$folder/shapes" ]; then
    run "$python" tools/generate_shapes.py "$folder/shapes"
  fi
}

pairs_from() { # sets pairs: KEY VALUE ..., files named from where the script was started
  pairs=("$@")
  local index file
  for ((index = 0; index + 1 < ${#pairs[@]}; index += 2)); do
    case ${pairs[index]##*:} in # before a colon stands a row of a table
      WEIGHTS | DATA.DIR)
        file=$start/${pairs[index + 1]} # or a checkpoint without its endings
        if [ -e "$file" ] || [ -e "$file.index" ]; then pairs[index + 1]=$(absolute "${pairs[index + 1]}"); fi
        ;;
    esac
  done
}

show() { # a command as it could be typed
  printf '+ '
  printf '%q ' "$@"
  printf '\n'
}

run() { # shows and runs a command; hands a signal on to it and waits, so that it can save what it has
  show "$@"
  local status=0 stopped=0 child
  "$@" <&0 &
  child=$!
  # A command in the background does not see Ctrl-C; SIGTERM it understands from its first moment.
  trap 'stopped=130; kill -TERM "$child" 2>/dev/null || true' INT
  trap 'stopped=143; kill -TERM "$child" 2>/dev/null || true' TERM HUP
  wait "$child" || status=$?
  while kill -0 "$child" 2>/dev/null; do
    status=0
    wait "$child" || status=$?
  done
  trap - INT TERM HUP
  ((stopped == 0)) || exit "$stopped"
  return "$status"
}
