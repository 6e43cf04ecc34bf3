#!/usr/bin/env bash
# Trains and tests SS, CO, VRD, SSAS, NO-DSG and DSG (the paper's Table 1); the table goes to
# output/<net>/<dataset>_tables/. The same command resumes, and repeats nothing that is finished.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on table1 "$@"
