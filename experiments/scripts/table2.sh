#!/usr/bin/env bash
# Trains and tests TWO STEP, NO-DSG, DSG -SGL, DSG -BR and DSG (the paper's Table 2); the table goes to
# output/<net>/<dataset>_tables/. The same command resumes, and repeats nothing that is finished.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on table2 "$@"
