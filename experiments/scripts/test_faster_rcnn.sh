#!/usr/bin/env bash
# Tests a snapshot of a detector.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on test_faster_rcnn "$@"
