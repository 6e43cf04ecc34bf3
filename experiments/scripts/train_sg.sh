#!/usr/bin/env bash
# Trains a grounded scene graph, or the detector it stands on, and tests the best snapshot. The same command resumes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on train_sg "$@"
