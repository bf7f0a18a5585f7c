# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by compare.sh and postfix.sh: builds what they run, starts servers on free loopback ports,
# stops what was started, by pid, when the script ends. POSTERN=PATH measures that binary instead of building
# one, KEEP=1 keeps the working directory. Needs cargo, cc and Debian's libmilter-dev.

set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."

die() { echo "$(basename "$0"): $*" >&2; exit 2; }
[ -f /usr/include/libmilter/mfapi.h ] || die "install libmilter-dev (the C milters that Postern is compared with)"

WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/postern-bench.XXXXXX")
chmod 755 "$WORK"                            # Postfix's own user must get through
PIDS=()
CLEANERS=()
finish() {
  local cleaner
  for cleaner in ${CLEANERS[@]+"${CLEANERS[@]}"}; do $cleaner || true; done
  [ ${#PIDS[@]} = 0 ] || kill "${PIDS[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  [ -n "${KEEP:-}" ] && echo "kept: $WORK" >&2 || rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The executable that cargo builds for a target, whatever the target directory is.
executable() { sed -n "s/.*\"name\":\"$1\".*\"executable\":\"\([^\"]*\)\".*/\1/p" "$WORK/cargo.json" | tail -1; }

build() {
  cargo bench --no-run --bench load --bench bare_loop --message-format=json >"$WORK/cargo.json"
  [ -n "${POSTERN:-}" ] || cargo build --release --bin postern --message-format=json >>"$WORK/cargo.json"
  POSTERN=${POSTERN:-$(executable postern)} LOAD=$(executable load) BARE=$(executable bare_loop)
  cc -O2 -o "$WORK/noop" benches/peers/noop.c -lmilter -lpthread
  cc -O2 -o "$WORK/equal_job" benches/peers/equal_job.c -lmilter -lpthread
}

# start NAME COMMAND...: sets PID
start() {
  local name=$1; shift
  "$@" >"$WORK/$name.log" 2>&1 &
  PID=$!
  PIDS+=("$PID")
}

stop() { kill "$1"; wait "$1" 2>/dev/null || true; }

# answers ADDRESS PID NAME: waits until the milter negotiates, prints its answer in hex
answers() {
  local try
  for try in $(seq 300); do
    "$LOAD" negotiate --to "$1" 2>/dev/null && return
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  tail -5 "$WORK/$3.log" >&2
  die "$3 does not answer on $1"
}

# median, smallest and largest of the numbers on standard input
spread() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], v[1], v[NR] }'; }

# field NAME: the number of that name in each JSON line on standard input
field() { sed -n "s/.*\"$1\":\([-0-9.e]*\).*/\1/p"; }

# postern_config LISTEN NETWORKS RECIPIENTS: the configuration for the data set, all domains enforced
postern_config() {
  cat <<TOML
[milter]
listen = ["$1"]
socket_mode = "0666"

[loop]
id = "mx.example.net"

[gateway.seg]
files = ["$2"]

[directory.everyone]
type = "list"
path = "$3"
TOML
  local domain
  for domain in harbour northwind stadtwerke-seeburg uni-lindenthal kestrel rivers aldern oakfield; do
    printf '\n[domain."%s.example"]\nmode = "enforce"\ngateways = ["seg"]\ndirectories = ["everyone"]\n' "$domain"
  done
}
