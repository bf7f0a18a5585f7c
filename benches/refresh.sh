#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Does refreshing gateways hold up decisions? Sends messages in turns: while nothing is refreshed, and while forty SPF
# names are asked for anew several times a second and every other time publish other networks, so that a new policy is in force
# each time. The 99th percentile of a message's time may be five percent higher.
#
#     benches/refresh.sh [--rounds N] [--seconds N] [--concurrency N]
#
# The name server, the load program and Postern share the machine's cores; what the name server alone costs the others is
# taken out by letting it be asked as often in the quiet rounds, by dig. Needs named as tests/install.sh unpacks it, and dig
# (bind9-dnsutils). Exit status: 0, 1 when the bar is missed, 2 when something does not run.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ROUNDS=7 SECONDS_EACH=4 CONCURRENCY=2 NAMES=40
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) ROUNDS=$2; shift 2 ;;
    --seconds) SECONDS_EACH=$2; shift 2 ;;
    --concurrency) CONCURRENCY=$2; shift 2 ;;
    *) sed -n '3,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
NAMED=${POSTERN_NAMED_ROOT:-/var/tmp/postern-named}/usr/sbin/named
[ -x "$NAMED" ] || die "no named: run tests/install.sh"
command -v dig >/dev/null || die "install bind9-dnsutils"

build
"$LOAD" data --dir "$WORK"
DNS=$("$LOAD" free-port)

# zone WHICH: forty names with fifty networks each, of which ten are others in the one and in the other zone
zone() {
  printf '$TTL 1\n@ IN SOA ns. admin. 1 60 60 60 1\n@ IN NS ns.\nns IN A 127.0.0.1\n'
  local name net
  for name in $(seq $NAMES); do
    printf 's%d IN TXT "v=spf1 "' "$name"
    for net in $(seq 40); do printf ' " ip4:10.%d.%d.0/24"' "$name" "$net"; done
    for net in $(seq 10); do printf ' " ip4:11.%d.%d.0/24"' "$name" $((net + 20 * $1)); done
    printf ' " -all"\n'
  done
}
for which in 0 1; do zone $which >"$WORK/zone.$which"; done
cp "$WORK/zone.0" "$WORK/zone"
cat >"$WORK/named.conf" <<CONF
options { directory "$WORK"; listen-on port $DNS { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none;
  session-keyfile none; recursion no; dnssec-validation no; notify no; check-spf ignore; check-integrity no; };
controls { };
zone "test" { type primary; file "$WORK/zone"; };
CONF
start named "$NAMED" -g -n 1 -c "$WORK/named.conf"
NAMED_PID=$PID
for _ in $(seq 100); do dig +short +time=1 -p "$DNS" @127.0.0.1 s1.test TXT | grep -q spf1 && break; sleep 0.1; done

ADDRESS=unix:$WORK/postern.sock
{
  printf 'state_dir = "%s/state"\n' "$WORK"
  postern_config "$ADDRESS" networks.txt recipients.txt
  printf '\n[dns]\nservers = ["127.0.0.1:%s"]\n' "$DNS"
} | sed "s|^\[gateway.seg\]|&\nremoval_hold = \"0s\"\nmax_shrink = 100\nspf = [$(seq -s, -f '"s%g.test"' $NAMES)]|" >"$WORK/postern.toml"
start postern "$POSTERN" run --config "$WORK/postern.toml"
PID_POSTERN=$PID
answers "$ADDRESS" "$PID" postern >/dev/null
# The last names to be loaded.
for _ in $(seq 100); do [ "$(grep -c 'loaded for the first time' "$WORK/postern.log")" -ge $NAMES ] && break; sleep 0.1; done

load() { "$LOAD" run --to "$ADDRESS" --concurrency "$CONCURRENCY" --seconds "$SECONDS_EACH" --json >>"$WORK/$1.json"; }

# What the name server does in both: a new zone, and every name asked for, three times a second.
churn() { # WHOM: postern or dig
  local turn=0
  while :; do
    turn=$((1 - turn))
    cp "$WORK/zone.$turn" "$WORK/zone.new" && mv "$WORK/zone.new" "$WORK/zone"
    kill -HUP "$NAMED_PID"
    if [ "$1" = postern ]; then kill -USR1 "$PID_POSTERN"; else
      dig +short +tries=1 -p "$DNS" @127.0.0.1 $(seq -f 's%g.test TXT' $NAMES) >/dev/null || true
    fi
    sleep 0.33
  done
}
turn() { # NAME WHOM
  churn "$2" & local churning=$!
  load "$1"
  kill $churning; wait $churning 2>/dev/null || true
}
load warm
for _ in $(seq "$ROUNDS"); do load idle; turn quiet dig; turn refreshing postern; done

published=$(grep -c 'gateway: changed' "$WORK/postern.log" || true)
read -r QUIET QL QH < <(field p99_us <"$WORK/quiet.json" | spread)
read -r BUSY BL BH < <(field p99_us <"$WORK/refreshing.json" | spread)
read -r IDLE IL IH < <(field p99_us <"$WORK/idle.json" | spread)
read -r QUIET50 _ _ < <(field p50_us <"$WORK/quiet.json" | spread)
read -r BUSY50 _ _ < <(field p50_us <"$WORK/refreshing.json" | spread)
WRONG=$(cat "$WORK"/*.json | field wrong | awk '{ n += $1 } END { print n + 0 }')
echo "changes that were published: $published"
echo "p99 $IDLE us ($IL-$IH) with an idle name server"
echo "p50 $QUIET50 us quiet, $BUSY50 us refreshing; p99 $QUIET us ($QL-$QH) quiet, $BUSY us ($BL-$BH) refreshing"
awk -v q="$QUIET" -v b="$BUSY" -v w="$WRONG" 'BEGIN {
  ratio = b / q; printf "p99 ratio %.3f (bar 1.05), wrong answers %d\n", ratio, w; exit !(ratio <= 1.05 && w == 0) }' || exit 1
