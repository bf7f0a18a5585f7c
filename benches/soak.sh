#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Holds idle milter connections and sends messages of every kind while Postern reloads its configuration and
# a million recipients every second: no wrong answer, no connection lost, no memory or descriptor leaked.
#
#     benches/soak.sh [--messages N] [--held N] [--unix]
#
# The resident memory swings by some copies of the recipients, which the allocator keeps or gives back as it likes.
# So the least of the last rounds must not be more than the most of the first ones; a policy that is never freed,
# or a hundred bytes a message, would be.
# Exit status: 0, 1 when a bar is missed, 2 when something does not run.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

MESSAGES=100000 HELD=2000 UNIX=
while [ $# -gt 0 ]; do
  case $1 in
    --messages) MESSAGES=$2; shift 2 ;;
    --held) HELD=$2; shift 2 ;;
    --unix) UNIX=1; shift ;;
    *) sed -n '3,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
[ "$(ulimit -n)" -gt $((HELD + 500)) ] || ulimit -n $((HELD + 500)) || die "raise the limit of open files: ulimit -n"

build
"$LOAD" data --dir "$WORK"
ADDRESS=inet:127.0.0.1:$("$LOAD" free-port)
[ -z "$UNIX" ] || ADDRESS=unix:$WORK/postern.sock
postern_config "$ADDRESS" networks.txt recipients.txt >"$WORK/postern.toml"
start postern "$POSTERN" run --config "$WORK/postern.toml"
answers "$ADDRESS" "$PID" postern >/dev/null

resident() { awk '/VmRSS/ { print $2 }' "/proc/$PID/status"; }
descriptors() { ls "/proc/$PID/fd" | wc -l; }
FDS=$(descriptors) MISSED=0 LEVELS=()
round() { # HOW-LONG...
  "$LOAD" run --to "$ADDRESS" --pid "$PID" "$@" --held "$HELD" --mix mixed --reuse 2 --reload-every 1 || MISSED=1
  # The last connections close and a reload under way ends when they end: wait for the state, not for a time.
  local _
  for _ in $(seq 100); do [ "$(descriptors)" -le "$FDS" ] && break; sleep 0.1; done
  LEVELS+=("$(resident)")
}
for _ in 1 2 3; do round --seconds 5; done
MOST=$(printf '%s\n' "${LEVELS[@]}" | sort -n | tail -1) LEVELS=()
round --messages "$MESSAGES"
for _ in 1 2 3; do round --seconds 5; done
LEAST=$(printf '%s\n' "${LEVELS[@]}" | sort -n | head -1)

echo "resident at most $MOST KiB after the first rounds, at least $LEAST KiB after the last; $FDS descriptors at first, $(descriptors) at the end"
if [ "$(descriptors)" -gt "$FDS" ] || [ "$LEAST" -gt "$MOST" ]; then echo "missed: something leaks"; MISSED=1; fi
if grep -i panic "$WORK/postern.log" >&2; then echo "missed: it panicked"; MISSED=1; fi
[ $MISSED = 1 ] || echo "held: no wrong answer, no leak"
exit $MISSED
