#!/usr/bin/env bash
# Makes .peers/, the environment of the frameworks that minidl is compared with.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv .peers
.peers/bin/python -m pip install --quiet numpy 'torch==2.13.0'
