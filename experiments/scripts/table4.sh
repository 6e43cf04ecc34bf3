#!/usr/bin/env bash
# Trains and tests DSG with options beyond the paper, one by one and together; the table goes to
# output/<net>/<dataset>_tables/. The same command resumes, and repeats nothing that is finished.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on table4 "$@"
