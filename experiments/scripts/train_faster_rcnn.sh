#!/usr/bin/env bash
# Trains a detector on a data set and tests the best snapshot. The same command resumes, or says that it is done.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on train_faster_rcnn "$@"
