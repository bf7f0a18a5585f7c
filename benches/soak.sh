#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Holds idle milter connections and sends messages of every kind while Postern reloads its configuration and
# a million recipients every second: no wrong answer, no connection lost, no memory or descriptor leaked.
#
#     benches/soak.sh [--messages N] [--held N] [--unix]
#
# Postern runs with an allocator setting that gives big tables back at once (MALLOC_MMAP_THRESHOLD_, one arena), so
# that a leak shows: with glibc's own the resident memory swings between two and five copies of the recipients. The
# last rounds may leave a tenth more than the first: less than one policy, or a dozen bytes a message.
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
start postern env MALLOC_MMAP_THRESHOLD_=262144 MALLOC_ARENA_MAX=1 "$POSTERN" run --config "$WORK/postern.toml"
answers "$ADDRESS" "$PID" postern >/dev/null

# The least of some samples: a reload under way holds two policies.
resident() { for _ in $(seq 30); do awk '/VmRSS/ { print $2 }' "/proc/$PID/status"; sleep 0.1; done | sort -n | head -1; }
descriptors() { ls "/proc/$PID/fd" | wc -l; }
FDS=$(descriptors) MISSED=0
round() { # HOW-LONG...
  "$LOAD" run --to "$ADDRESS" --pid "$PID" "$@" --held "$HELD" --mix mixed --reuse 2 --reload-every 1 || MISSED=1
  # The last connections close when they close: wait for the state, not for a time.
  local _
  for _ in $(seq 100); do [ "$(descriptors)" -le "$FDS" ] && break; sleep 0.1; done
}
for _ in 1 2; do round --seconds 5; done
FIRST=$(resident)
round --messages "$MESSAGES"
for _ in 1 2; do round --seconds 5; done
LAST=$(resident)

echo "resident $FIRST KiB after the first rounds, $LAST KiB after the last; $FDS descriptors at first, $(descriptors) at the end"
if [ "$(descriptors)" -gt "$FDS" ] || [ "$LAST" -gt $((FIRST * 11 / 10)) ]; then echo "missed: something leaks"; MISSED=1; fi
if grep -i panic "$WORK/postern.log" >&2; then echo "missed: it panicked"; MISSED=1; fi
[ $MISSED = 1 ] || echo "held: no wrong answer, no leak"
exit $MISSED
