#!/usr/bin/env bash
# Trains and tests the rows of a table of grounded scene graphs (1 to 4) on two detectors, which it trains first; the table goes
# to output/grounding_<net>/<dataset>_tables/. The same command resumes, and repeats nothing that is finished.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on table_sg "$@"
