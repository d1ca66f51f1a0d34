#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is to happen when a PRP is completed. prpctl runs it for each change of a status, one after the other:
#
#     prpctl monitor --type prp.status_changed --cursor-file ~/.cache/on-completed --exec ./on-completed.sh
#
# With the cursor file, changes that came while that did not run are made up for. prp-on-completed.service has systemd
# run it. The event is in the environment (see "THE COMMAND OF --exec" in prpctl(1)), and whole on standard input, as JSON.
set -eu

[ "$PRP_STATUS" = completed ] || exit 0

# Your own action goes here. What comes from the server can have any character in it: put quotes around it.
hours=$(jq --raw-output '.data.metrics.actualHours // "?"')
printf '%s completed after %s hours: %s\n' "$PRP_ID" "$hours" "$PRP_REASON"
