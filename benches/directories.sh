#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What ten million recipients cost: syncing them from a CSV, starting with them, holding them, and putting others in their place
# while decisions are made.
#
#     benches/directories.sh [--recipients N]
#
# (a) `postern directories sync` of a CSV: seconds, peak memory. (b) `postern run`: seconds from its start to `ready`, resident
# memory. (c) The server reads a changed CSV by itself: its peak memory, what is left of it, and the messages sent meanwhile,
# one after another. A sync takes a core, so the same messages are sent while nothing happens and while
# another process takes a core; what a swap adds is what is above the latter. (d) Look-ups, by `cargo bench --bench lookups`.
# Needs 3 GB of disk below TMPDIR (/var/tmp). Exit status: 0, 1 when a bar is missed, 2 when something does not run. Wants an
# otherwise idle machine: with others at work the longest wait of all is theirs.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RECIPIENTS=10000000
while [ $# -gt 0 ]; do
  case $1 in
    --recipients) RECIPIENTS=$2; shift 2 ;;
    *) sed -n '3,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
# The bars: seconds, MiB, microseconds, nanoseconds. Those of time and memory are for ten million.
MAX_SYNC=30 MAX_START=5 MAX_MEMORY=200 MAX_WAIT=1000 MAX_LOOKUP=300

# The parts of `build` that are needed.
cargo bench --no-run --bench load --bench lookups --message-format=json >"$WORK/cargo.json"
[ -n "${POSTERN:-}" ] || cargo build --release --bin postern --message-format=json >>"$WORK/cargo.json"
POSTERN=${POSTERN:-$(executable postern)} LOAD=$(executable load)
"$LOAD" data --dir "$WORK" --recipients "$RECIPIENTS"
{ echo Email,Name; sed 's/$/,x/' "$WORK/recipients.txt"; } >"$WORK/people.csv"
head -1 "$WORK/recipients.txt" >"$WORK/one.txt"
rm "$WORK/recipients.txt"
touch -d '-1 min' "$WORK/people.csv"        # a file that was written to just now is read twice

ADDRESS=unix:$WORK/postern.sock
postern_config "$ADDRESS" networks.txt people.csv |
  sed "s|^type = \"list\"|type = \"csv\"\nrefresh = \"10s\"\ncolumns = { addresses = [\"Email\"] }|; 1i state_dir = \"$WORK/state\"" \
    >"$WORK/postern.toml"
config=(--config "$WORK/postern.toml")

memory() { awk -v key="$1:" '$1 == key { print int($2 / 1024) }' "/proc/$PID_POSTERN/status"; }
since() { awk -v from="$1" -v to="$(date +%s.%N)" 'BEGIN { printf "%.1f", to - from }'; }
MISSED=0
bar() { # TEXT VALUE LIMIT UNIT
  if awk -v v="$2" -v l="$3" 'BEGIN { exit !(v < l) }'; then echo "held:   $1: $2 $4 (bar: $3)"
  else echo "missed: $1: $2 $4 (bar: $3)"; MISSED=1; fi
}

# (a)
began=$(date +%s.%N)
start sync "$POSTERN" directories sync everyone "${config[@]}"
PEAK=0
while kill -0 "$PID" 2>/dev/null; do
  now=$(awk '$1 == "VmHWM:" { print int($2 / 1024) }' "/proc/$PID/status" 2>/dev/null || true)
  PEAK=${now:-$PEAK}
  sleep 0.1
done
wait "$PID" || { cat "$WORK/sync.log" >&2; die "the sync failed"; }
bar "sync of $RECIPIENTS from a CSV of $(($(stat -c %s "$WORK/people.csv") / 1000000)) MB" "$(since "$began")" $MAX_SYNC s
echo "        its peak: $PEAK MiB; on disk: $(du -sm "$WORK/state" | cut -f1) MiB"

# (b)
began=$(date +%s.%N)
start postern "$POSTERN" run "${config[@]}"
PID_POSTERN=$PID
until grep -q ' ready' "$WORK/postern.log"; do kill -0 "$PID" || die "$(cat "$WORK/postern.log")"; sleep 0.02; done
bar 'from start to ready' "$(since "$began")" $MAX_START s
answers "$ADDRESS" "$PID" postern >/dev/null
bar 'resident with all of them' "$(memory VmRSS)" $MAX_MEMORY MiB
echo "        the most while it started: $(memory VmHWM) MiB"

# (c)
load() { # NAME SECONDS
  "$LOAD" run --to "$ADDRESS" --recipients "$((RECIPIENTS - RECIPIENTS / 1000))" --concurrency 1 --seconds "$2" --json >>"$WORK/$1.json"
}
worst() { field "$2" <"$WORK/$1.json" | sort -g | tail -1; }
usual() { field "$2" <"$WORK/$1.json" | spread | cut -d' ' -f1; }
load warm 2
# A thousandth are others: the first ones stay, as the load program knows them.
awk -v all="$RECIPIENTS" 'NR > all - all / 1000 { sub("@", ".new@") } { print }' "$WORK/people.csv" >"$WORK/new.csv"
touch -d '-1 min' "$WORK/new.csv"
: >"$WORK/others.log"
echo 5 >"/proc/$PID_POSTERN/clear_refs"       # proc(5): resets the peak
mv "$WORK/new.csv" "$WORK/people.csv"
staged() { find "$WORK/state" -name '.*' -type f | grep -q .; } # a snapshot that is being written
until staged; do sleep 0.1; done
began=$(date +%s.%N)
TURNS=0
# Turns of two seconds: those before it is in place, and the one in which it is put there with the one after it.
until grep -q 'directory synced' "$WORK/others.log"; do
  load turn 2
  grep -v --line-buffered 'verdict' "$WORK/postern.log" >"$WORK/others.log" || true
  TURNS=$((TURNS + 1))
done
took=$(since "$began")
load turn 2
head -n -2 "$WORK/turn.json" >"$WORK/sync.json"
tail -n 2 "$WORK/turn.json" >"$WORK/swap.json"
echo "        the server's own sync: $took s; its peak meanwhile: $(memory VmHWM) MiB"
# What a sync leaves: it is waited for, for a while.
for _ in $(seq 50); do [ "$(memory VmRSS)" -lt $MAX_MEMORY ] && break; sleep 0.1; done
bar 'resident after the swap' "$(memory VmRSS)" $MAX_MEMORY MiB
# As many turns while nothing happens, and while another process takes a core.
for _ in $(seq $TURNS); do load quiet 2; done
( while :; do :; done ) & BUSY=$!
for _ in $(seq $TURNS); do load busy 2; done
kill $BUSY; wait $BUSY 2>/dev/null || true
for name in quiet busy sync swap; do
  printf '        %-5s %8d messages in turns of 2 s; median of p50 %5.0f us, p99 %5.0f us, p99.9 %6.0f us, longest %6.0f us; worst %6.0f us\n' \
    "$name" "$(field messages <"$WORK/$name.json" | awk '{ n += $1 } END { print n }')" "$(usual $name p50_us)" \
    "$(usual $name p99_us)" "$(usual $name p999_us)" "$(usual $name max_us)" "$(worst $name max_us)"
done
WRONG=$(cat "$WORK"/{turn,quiet,busy}.json | field wrong | awk '{ n += $1 } END { print n + 0 }')
more() { echo $(($(usual swap "$1") - $(usual busy "$1"))); }
bar 'p99.9 of a turn in which the others are put in place, above that beside a busy core' "$(more p999_us)" $MAX_WAIT us
bar 'its longest, the same' "$(more max_us)" $MAX_WAIT us
[ "$WRONG" = 0 ] || { echo "missed: $WRONG wrong answers"; MISSED=1; }
stop "$PID_POSTERN"

# (d)
LOOKUPS=$(executable lookups)
"$LOOKUPS" --bench "^recipient/10000000/" >"$WORK/lookups.log" 2>/dev/null
for name in hit miss; do
  # time: [LOW ns MIDDLE ns HIGH ns], the name before it or in the line above
  value=$(grep -A1 "^recipient/10000000/$name" "$WORK/lookups.log" | sed -n 's/.*time: *\[[^ ]* [^ ]* \([^ ]*\) ns.*/\1/p' | head -1)
  bar "a look-up among ten million, $name" "${value:-999999}" $MAX_LOOKUP ns
done
exit $MISSED
