#!/usr/bin/env bash
# Fetches a data set or weights to where train.sh and test.sh look for them. The same command resumes after an interruption.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on fetch "$@"
