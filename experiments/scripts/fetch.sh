#!/usr/bin/env bash
# Fetches a data set or weights to where train.sh and test.sh look for them. Given again, it goes on where it was interrupted.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  echo "usage: fetch.sh visualgenome|vrd|clevr|imagenet_weights|dsg_pretrained [--from FOLDER_OR_URL] [--only PART]" \
    "[--data DIR] [--keep] [--verify] (--from: a folder that has the files, or an address below which they lie;" \
    "--only: annotations, images, res101 ...; --keep: keep the archives; --verify: compare what is there with checksums)"
}

data=${DATA_DIR:-}
words=()
while (($#)); do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --from | --data | --only)
      (($# > 1)) || fail "$1 needs a value"
      set -- "$1=$2" "${@:3}"
      ;;
    --from=*://*) words+=("$1") && shift ;;
    --from=*) words+=("--from=$(absolute "${1#*=}")") && shift ;;
    --data=*) data=${1#*=} && shift ;;
    --only=* | --keep | --verify) words+=("$1") && shift ;;
    --*) fail "unknown option $1; $(usage)" ;;
    *) words+=("$1") && shift ;;
  esac
done
((${#words[@]})) || fail "$(usage)"
[ -z "$data" ] || words+=("--data=$(absolute "$data")")
cd "$root"
find_python
run "$python" tools/fetch.py "${words[@]}"
