# Shared by the scripts: finds Python and passes the words on to the program. Sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export DSG_START=$PWD # paths are relative to it, and commands in messages are meant for it
export PYTHONPATH=$root/lib${PYTHONPATH:+:$PYTHONPATH}
export PYTHONFAULTHANDLER=1 # a crash in compiled code shows where it was called
cd "$root"

hand_on() { # the script's name and its words; replaced by the program, so that signals reach it
  local status=0
  if [ -z "${DSG_PYTHON:-}" ]; then
    # Mistakes in the words are reported before minutes are spent on an environment.
    if python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
      python3 -m dsg.apps.scripts --check "$@" || status=$?
      ((status != 3)) || exit 0 # help was given
      ((status == 0)) || exit "$status"
    fi
    make -s build
    DSG_PYTHON=$(make -s python)
  fi
  exec "$DSG_PYTHON" -m dsg.apps.scripts "$@"
}
