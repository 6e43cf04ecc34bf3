#!/usr/bin/env bash
# Opens a page in the browser to try a trained model; installs what the page needs if it is missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on serve "$@"
