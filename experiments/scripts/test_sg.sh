#!/usr/bin/env bash
# Tests a snapshot of a grounded scene graph in a setting, or one of its detector.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on test_sg "$@"
