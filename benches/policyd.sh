#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Compares Postern's policy delegation with postfwd and with a bare tokio loop that answers DUNNO to everything.
#
#     benches/policyd.sh [--runs N] [--seconds N] [--connections N]
#
# All run on loopback and have one gateway, ten recipients and one domain; every connection has one request in flight, as
# Postfix has, each with an `instance` of its own. The runs are interleaved (A B C A B C ...) and the medians compared.
# postfwd is Debian's, in both of its forms: postfwd1 (one process) and postfwd2 (preforked); the faster one counts. It is
# installed when it is missing. POSTERN=PATH measures that binary instead of building one.
# Exit status: 0, 1 when a bar is missed, 2 when something does not run. Wants an otherwise idle machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RUNS=5 SECONDS_EACH=3 CONNECTIONS=50
while [ $# -gt 0 ]; do
  case $1 in
    --runs) RUNS=$2; shift 2 ;;
    --seconds) SECONDS_EACH=$2; shift 2 ;;
    --connections) CONNECTIONS=$2; shift 2 ;;
    *) sed -n '3,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
# The bars.
MIN_POSTFWD=5.0 MIN_BARE=0.7

die() { echo "policyd.sh: $*" >&2; exit 2; }
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/postern-policyd.XXXXXX")
chmod 755 "$WORK"
PIDS=()
finish() {
  [ ${#PIDS[@]} = 0 ] || kill "${PIDS[@]}" 2>/dev/null || true
  for pid in "$WORK"/postfwd?.pid; do [ ! -s "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 130' INT TERM

if ! command -v postfwd1 >/dev/null || ! command -v postfwd2 >/dev/null; then
  apt-get install -y --no-install-recommends postfwd >"$WORK/apt.log" 2>&1 || die "postfwd cannot be installed: $(tail -1 "$WORK/apt.log")"
fi

executable() { sed -n "s/.*\"name\":\"$1\".*\"executable\":\"\([^\"]*\)\".*/\1/p" "$WORK/cargo.json" | tail -1; }
cargo build --release --bench policyd --message-format=json >"$WORK/cargo.json"
[ -n "${POSTERN:-}" ] || cargo build --release --bin postern --message-format=json >>"$WORK/cargo.json"
POSTERN=${POSTERN:-$(executable postern)} ASK=$(executable policyd)

declare -A PORT
for kind in postern bare postfwd1 postfwd2; do PORT[$kind]=$("$ASK" free-port); done

# Postern: what is on record of each decision goes to a file, as in real life.
mkdir "$WORK/state"
seq 0 9 | sed 's/.*/user&@bench.example/' >"$WORK/staff.txt"
cat >"$WORK/postern.toml" <<END
state_dir = "$WORK/state"
[policyd]
listen = ["inet:127.0.0.1:${PORT[postern]}"]
[gateway.seg]
networks = ["192.0.2.0/24"]
[directory.staff]
type = "list"
path = "staff.txt"
[domain."bench.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["staff"]
END
# postfwd: the same rules.
cat >"$WORK/postfwd.cf" <<'END'
id=KNOWN; client_address=192.0.2.0/24; recipient=~^user[0-9]@bench\.example$; action=DUNNO
id=UNKNOWN; client_address=192.0.2.0/24; recipient_domain=bench.example; action=550 5.1.1 There is no such recipient. Check the address
id=STRANGER; recipient_domain=bench.example; action=550 5.7.1 Mail for this domain is taken from its mail gateway only.
END

start() { "$@" >"$WORK/log.${#PIDS[@]}" 2>&1 & PIDS+=("$!"); }
start "$POSTERN" run --config "$WORK/postern.toml"
start "$ASK" bare --listen "127.0.0.1:${PORT[bare]}"
# Both forms only listen as daemons; their process ids are in their pid files.
for form in 1 2; do
  "$(command -v postfwd$form)" --daemon --interface=127.0.0.1 --port="${PORT[postfwd$form]}" --file="$WORK/postfwd.cf" \
    --user="$(id -un)" --group="$(id -gn)" --pidfile="$WORK/postfwd$form.pid" >"$WORK/log.postfwd$form" 2>&1
done

ask() { # KIND SECONDS [--check]
  "$ASK" ask --to "127.0.0.1:${PORT[$1]}" --connections "$CONNECTIONS" --seconds "$2" ${3:-}
}
for kind in postern bare postfwd1 postfwd2; do
  check=--check; [ $kind = bare ] && check=
  for try in $(seq 100); do
    ask $kind 0.5 $check >/dev/null 2>"$WORK/why" && break
    [ "$try" = 100 ] && { tail -n 3 "$WORK/why" "$WORK"/log.* >&2; die "$kind does not answer as it should"; }
    sleep 0.1
  done
done

for run in $(seq "$RUNS"); do
  for kind in postern bare postfwd1 postfwd2; do ask $kind "$SECONDS_EACH" >>"$WORK/$kind.rates"; done
done
median() { sort -n "$1" | awk '{ a[NR] = $1 } END { print (NR % 2) ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'; }
declare -A RATE
for kind in postern bare postfwd1 postfwd2; do
  RATE[$kind]=$(median "$WORK/$kind.rates")
  printf '%-9s %8.0f answers/s  (%s)\n' $kind "${RATE[$kind]}" "$(sort -n "$WORK/$kind.rates" | sed -n '1p;$p' | paste -sd- )"
done
awk -v p="${RATE[postern]}" -v b="${RATE[bare]}" -v one="${RATE[postfwd1]}" -v two="${RATE[postfwd2]}" \
  -v min_f=$MIN_POSTFWD -v min_b=$MIN_BARE 'BEGIN {
    f = one > two ? one : two
    printf "postern / postfwd   %.1f  (bar %.1f)\npostern / bare loop %.2f (bar %.2f)\n", p / f, min_f, p / b, min_b
    exit !(p / f >= min_f && p / b >= min_b)
  }' || { echo "a bar is missed" >&2; exit 1; }
