#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Holds idle milter connections and sends messages of every kind while Postern reloads its configuration and
# a million recipients every second: no wrong answer, no connection lost, no memory or descriptor leaked.
#
#     benches/soak.sh [--messages N] [--held N] [--unix]
#
# A first round of the same kind lets the memory reach its level; the second round must stay within a tenth of it.
# Exit status: 0, 1 when a bar is missed, 2 when something does not run.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

MESSAGES=100000 HELD=2000 UNIX=
while [ $# -gt 0 ]; do
  case $1 in
    --messages) MESSAGES=$2; shift 2 ;;
    --held) HELD=$2; shift 2 ;;
    --unix) UNIX=1; shift ;;
    *) sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
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
FDS=$(descriptors) MISSED=0
round() { # MESSAGES
  "$LOAD" run --to "$ADDRESS" --pid "$PID" --messages "$1" --held "$HELD" --mix mixed --reuse 2 --reload-every 1 || MISSED=1
}
round $((MESSAGES / 4))
LEVEL=$(resident)
round "$MESSAGES"

# The last connections close and a reload under way ends when they end: wait for the state, not for a time.
for _ in $(seq 100); do
  [ "$(descriptors)" -le "$FDS" ] && [ "$(resident)" -le $((LEVEL * 11 / 10)) ] && break
  sleep 0.1
done
echo "resident $LEVEL KiB after the first round, $(resident) KiB at the end; $FDS descriptors at first, $(descriptors) at the end"
if [ "$(descriptors)" -gt "$FDS" ] || [ "$(resident)" -gt $((LEVEL * 11 / 10)) ]; then echo "missed: something leaks"; MISSED=1; fi
if grep -i panic "$WORK/postern.log" >&2; then echo "missed: it panicked"; MISSED=1; fi
[ $MISSED = 1 ] || echo "held: no wrong answer, no leak"
exit $MISSED
