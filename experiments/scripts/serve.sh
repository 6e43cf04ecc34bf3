#!/usr/bin/env bash
# Opens a page on which a trained model can be asked about pictures; installs what the page needs where it is missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  echo "usage: serve.sh <gpu> [<snapshot>] [--host ADDRESS] [--port N] [--examples DIR] [--max-mb N] [--max-megapixels N]" \
    "(<gpu>: 0 or cpu; <snapshot>: a file, the bundled model where it is left out; the page is for this machine" \
    "only unless --host 0.0.0.0 says otherwise)"
}

words=() options=()
while (($#)); do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --host | --port | --max-mb | --max-megapixels | --examples)
      (($# > 1)) || fail "$1 needs a value"
      value=$2
      [ "$1" != --examples ] || value=$(absolute "$2")
      options+=("$1" "$value")
      shift 2
      ;;
    --*) fail "unknown option $1; $(usage)" ;;
    *) words+=("$1") && shift ;;
  esac
done
((${#words[@]} == 1 || ${#words[@]} == 2)) || fail "$(usage)"
[[ ${words[0]} =~ ^(cpu|[0-9]+)$ ]] || fail "unknown GPU '${words[0]}': give its number (0), or cpu"
snapshot=${words[1]:-data/demo/mini.npz}
((${#words[@]} == 1)) || snapshot=$(absolute "$snapshot")
cd "$root"
[ -f "$snapshot" ] || fail "$snapshot: no such snapshot"
find_python
if ! "$python" -c 'import gradio' 2>/dev/null; then
  run "$python" tools/install.py requirements-serve.txt ||
    fail "gradio cannot be installed; by hand: pip install -r requirements-serve.txt"
fi
run "$python" tools/serve.py --gpu "${words[0]}" --snapshot "$snapshot" "${options[@]}"
