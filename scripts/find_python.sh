#!/bin/sh
# Print the first Python from 3.10 to 3.14 that has the venv module and the headers for extensions.
set -u
check='
import ensurepip, os, sys, sysconfig, venv
header = os.path.join(sysconfig.get_path("include"), "Python.h")
sys.exit(not ((3, 10) <= sys.version_info < (3, 15) and os.path.isfile(header)))
'
for python in python3.11 python3.12 python3.13 python3.14 python3.10 python3; do
    if command -v "$python" >/dev/null 2>&1 && "$python" -c "$check" >/dev/null 2>&1; then
        echo "$python"
        exit 0
    fi
done
echo "No usable Python 3.10 to 3.14 was found: it needs its headers and the venv module." >&2
echo "On Debian and Ubuntu: apt install python3-dev python3-venv gcc g++" >&2
exit 1
