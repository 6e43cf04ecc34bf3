#!/usr/bin/env bash
# Tests a snapshot: a table on the screen; the same, results.json, queries.jsonl and pictures in the run's folder.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on test "$@"
