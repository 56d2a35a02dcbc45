#!/bin/bash
# Starts Ray on a node, with axolotl's environment: its workers train there.
#   the first node:  bash start-node.sh
#   every other one: bash start-node.sh FIRST_NODE
# `ray stop` ends it, and every other cluster on the node. Whoever reaches its port runs what they like there: keep it in
# a private network, or have Ray ask for a token (RAY_AUTH_MODE=token).
set -euo pipefail

ray=/shared/venvs/axolotl/bin/ray
export AXOLOTL_DO_NOT_TRACK=1 RAY_USAGE_STATS_ENABLED=0
export HF_HOME="${HF_HOME:-/shared/huggingface}"

if [[ $# -eq 0 ]]; then
  exec "$ray" start --head --port=6379 --include-dashboard=false
fi
exec "$ray" start --address="$1:6379"
