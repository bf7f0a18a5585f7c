#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Compares Postern with an equal-job milter in C on libmilter and with a bare tokio loop that parses nothing.
#
#     benches/compare.sh [--runs N] [--messages N] [--concurrency N] [--threads N] [--unix]
#
# All have the same data (1,000 networks, 1,000,000 recipients; the bare loop has none), all run on loopback, one
# new connection a message; the runs are interleaved (A B C A B C ...) and the medians compared. The bare loop
# gives the negotiation answer that Postern gives. The driver acknowledges half an answer at once, which
# spares libmilter the 40 ms stall that it has with real MTAs over TCP whenever it adds a header.
# --threads is the driver's: with one it leaves the milter a core, with two both compete for both.
# Exit status: 0, 1 when a bar is missed, 2 when something does not run. Wants an otherwise idle machine.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUNS=5 MESSAGES=20000 CONCURRENCY=16 UNIX= THREADS=1
while [ $# -gt 0 ]; do
  case $1 in
    --runs) RUNS=$2; shift 2 ;;
    --messages) MESSAGES=$2; shift 2 ;;
    --concurrency) CONCURRENCY=$2; shift 2 ;;
    --threads) THREADS=$2; shift 2 ;;
    --unix) UNIX=1; shift ;;
    *) sed -n '3,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done

# The bars. Memory is what a million recipients add, in KiB of 40 MB.
MIN_RATE=3.0 MAX_CPU=0.30 MIN_BARE=0.85 MAX_MEMORY=39062

# address NAME: sets ADDRESS for Postern, the bare loop and the load program, CONNECTION for libmilter
address() {
  if [ -n "$UNIX" ]; then
    ADDRESS=unix:$WORK/$1.sock CONNECTION=unix:$WORK/$1.sock
  else
    local port; port=$("$LOAD" free-port)
    ADDRESS=inet:127.0.0.1:$port CONNECTION=inet:$port@127.0.0.1
  fi
}

build
"$LOAD" data --dir "$WORK"
head -1 "$WORK/recipients.txt" >"$WORK/one.txt"

address empty
postern_config "$ADDRESS" networks.txt one.txt >"$WORK/empty.toml"
start empty "$POSTERN" run --config "$WORK/empty.toml"
answers "$ADDRESS" "$PID" empty >/dev/null
EMPTY=$(awk '/VmRSS/ { print $2 }' "/proc/$PID/status")
stop "$PID"

declare -A AT PIDOF
address postern
postern_config "$ADDRESS" networks.txt recipients.txt >"$WORK/postern.toml"
start postern "$POSTERN" run --config "$WORK/postern.toml"
AT[postern]=$ADDRESS PIDOF[postern]=$PID
ANSWER=$(answers "$ADDRESS" "$PID" postern)
MEMORY=$(($(awk '/VmRSS/ { print $2 }' "/proc/$PID/status") - EMPTY))

address libmilter
start libmilter "$WORK/equal_job" "$CONNECTION" "$WORK/networks.txt" "$WORK/recipients.txt" mx.example.net
AT[libmilter]=$ADDRESS PIDOF[libmilter]=$PID
answers "$ADDRESS" "$PID" libmilter >/dev/null

for runtime in multi current; do
  address "bare-$runtime"
  start "bare-$runtime" "$BARE" --listen "$ADDRESS" --answer "$ANSWER" --runtime "$runtime" \
    --quickack silent --header 'X-Postern-Loop: mx.example.net'
  AT[bare-$runtime]=$ADDRESS PIDOF[bare-$runtime]=$PID
  answers "$ADDRESS" "$PID" "bare-$runtime" >/dev/null
done

KINDS="libmilter postern bare-multi bare-current"
one() { # KIND MESSAGES
  "$LOAD" run --to "${AT[$1]}" --pid "${PIDOF[$1]}" --messages "$2" --concurrency "$CONCURRENCY" --threads $THREADS \
    --quick-ack --json ||
    { "$LOAD" run --to "${AT[$1]}" --messages 100 --quick-ack >&2; die "$1 answered wrong"; }
}
for kind in $KINDS; do one "$kind" 1000 >/dev/null; done
for run in $(seq "$RUNS"); do
  for kind in $KINDS; do
    [ -t 2 ] && printf '\rrun %d of %d: %-12s' "$run" "$RUNS" "$kind" >&2
    one "$kind" "$MESSAGES" >>"$WORK/$kind.json"
  done
done
[ -t 2 ] && printf '\r%40s\r' '' >&2

middle() { field "$2" <"$WORK/$1.json" | spread | cut -d' ' -f1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
printf '| %-25s | %5s | %22s | %6s | %18s | %6s | %8s | %8s | %8s |\n' server trips 'messages/s (min-max)' ': C' \
  'CPU us a message' ': C' 'p50 us' 'p99 us' 'peak MiB'
echo '|---|---|---|---|---|---|---|---|---|'
BASE_RATE=$(middle libmilter messages_per_second) BASE_CPU=$(middle libmilter cpu_us_per_message)
for kind in $KINDS; do
  read -r rate low high < <(field messages_per_second <"$WORK/$kind.json" | spread)
  cpu=$(middle "$kind" cpu_us_per_message)
  printf '| %-25s | %5.2f | %8.0f (%.0f-%.0f) | %6s | %18.1f | %6s | %8.0f | %8.0f | %8.0f |\n' "$kind" \
    "$(middle "$kind" trips_per_message)" "$rate" "$low" "$high" "$(ratio "$rate" "$BASE_RATE")" "$cpu" \
    "$(ratio "$cpu" "$BASE_CPU")" "$(middle "$kind" p50_us)" "$(middle "$kind" p99_us)" \
    "$(($(middle "$kind" peak_kib) / 1024))"
done

MISSED=0
bar() { # TEXT VALUE OPERATOR LIMIT
  if awk -v v="$2" -v l="$4" "BEGIN { exit !(v $3 l) }"; then echo "held:   $1: $2 (bar: $3 $4)"
  else echo "missed: $1: $2 (bar: $3 $4)"; MISSED=1; fi
}
RATE=$(middle postern messages_per_second) CPU=$(middle postern cpu_us_per_message)
BARE_RATE=$(printf '%s\n' "$(middle bare-multi messages_per_second)" "$(middle bare-current messages_per_second)" | sort -g | tail -1)
echo
bar "messages/s, of libmilter's" "$(ratio "$RATE" "$BASE_RATE")" '>=' $MIN_RATE
bar "CPU a message, of libmilter's" "$(ratio "$CPU" "$BASE_CPU")" '<=' $MAX_CPU
bar "messages/s, of the faster bare loop's" "$(ratio "$RATE" "$BARE_RATE")" '>=' $MIN_BARE
bar "KiB that a million recipients add" "$MEMORY" '<=' $MAX_MEMORY
exit $MISSED
