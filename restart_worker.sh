#!/usr/bin/env bash
# Restart the worker; the running job goes on from its checkpoint.
exec bash "$(dirname "$(readlink -f "$0" 2>/dev/null || echo "$0")")/launch.sh" restart-worker "$@"
