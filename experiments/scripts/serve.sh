#!/usr/bin/env bash
# Opens a page on which a trained model can be asked about pictures; installs what the page needs where it is missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
hand_on serve "$@"
