#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What looking tables up in Postern costs a real Postfix, against its own tables in its own processes.
#
#     benches/socketmap.sh [--runs N] [--mails N]
#
# Three private instances of Postfix relay from smtp-source to smtp-sink, each message to another of 20,000 recipients in
# two groups, each group to a server of its own. They look up the same things: which clients are known (access), which
# domains and recipients there are, and where mail goes. One asks its own cidr and lmdb tables, one Postern over a unix
# socket, one Postern over TCP. (a) `smtp-source -s 10`: ms a message until the last one is delivered. (b) one session
# after the other (`-s 1`): ms a message until it is taken. The runs are interleaved; medians of 5.
# Needs root and postfix (with smtp-source), and apt-get to fetch postfix-lmdb, which is unpacked and not installed.
# Exit status: 0, 1 when the bar is missed, 2 when something does not run. Wants an otherwise idle machine.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUNS=5 MAILS=1000
while [ $# -gt 0 ]; do
  case $1 in
    --runs) RUNS=$2; shift 2 ;;
    --mails) MAILS=$2; shift 2 ;;
    *) sed -n '3,15s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
# The bar: time a message against that with Postfix's own tables.
MAX_RATIO=1.10
RECIPIENTS=20000
[ "$MAILS" -le "$RECIPIENTS" ] || die "at most $RECIPIENTS mails: each has its own recipient"

PATH=$PATH:/usr/sbin
[ "$(id -u)" = 0 ] || die "run as root: Postfix's master needs it"
for tool in postfix smtp-source smtp-sink postmap; do
  command -v "$tool" >/dev/null || die "install postfix"
done

# Loopback addresses of this run's own, so that ports are free.
NET=127.$((64 + RANDOM % 64)).$((RANDOM % 256))
KINDS=(own unix tcp)
declare -A HOST=([own]=$NET.1 [unix]=$NET.2 [tcp]=$NET.3)
# Queues are kept in memory where that can be had: the disk's fsync is not the tables' cost.
QUEUES=$(mktemp -d /dev/shm/postern-bench.XXXXXX 2>/dev/null) || QUEUES=$WORK/queues
install -d -m 755 "$QUEUES"
queues_remove() { rm -rf "$QUEUES"; }
alive() { [ -f "$QUEUES/$1/pid/master.pid" ] && ! MAIL_CONFIG=$WORK/$1/etc "$(postconf -dh daemon_directory)/master" -t 2>/dev/null; }
stop_all() {
  local kind try
  for kind in "${KINDS[@]}"; do
    alive "$kind" || continue
    kill -TERM "$(tr -d ' \n' <"$QUEUES/$kind/pid/master.pid")"
    for try in $(seq 300); do alive "$kind" || break; sleep 0.01; done
  done
}
CLEANERS=(stop_all queues_remove)

# The type lmdb, from its package, without installing that.
(cd "$WORK" && apt-get -qq download postfix-lmdb >/dev/null 2>&1 && dpkg -x postfix-lmdb_*.deb lmdb) ||
  die "cannot fetch postfix-lmdb with apt-get"
LMDB=$(find "$WORK/lmdb" -name 'postfix-lmdb.so')
install -d "$WORK/meta"
echo "lmdb $LMDB dict_lmdb_open mkmap_lmdb_open" >"$WORK/meta/dynamicmaps.cf"

start_postfix() { # KIND SETTING...
  local kind=$1 etc=$WORK/$1/etc spool=$QUEUES/$1 directory
  shift
  install -d "$etc" "$spool/pid" "$WORK/$kind/log"
  install -d -m 700 -o postfix "$WORK/$kind/data"
  for directory in active bounce corrupt defer deferred flush hold incoming private saved trace; do
    install -d -m 700 -o postfix "$spool/$directory"
  done
  install -d -m 1730 -o postfix -g postdrop "$spool/maildrop"
  install -d -m 2710 -o postfix -g postdrop "$spool/public"
  {
    cat <<CF
compatibility_level = 3.6
queue_directory = $spool
data_directory = $WORK/$kind/data
meta_directory = $WORK/meta
maillog_file = $WORK/$kind/log/mail.log
maillog_file_prefixes = $WORK
multi_instance_name = postfix-bench-$kind
myhostname = mx.example.net
mydestination =
mynetworks =
inet_protocols = ipv4
smtpd_relay_restrictions = reject_unauth_destination
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
alias_maps =
alias_database =
local_recipient_maps =
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
initial_destination_concurrency = 20
in_flow_delay = 0
CF
    printf '%s\n' "$@"
  } >"$etc/main.cf"
  cat >"$etc/master.cf" <<CF
${HOST[$kind]}:2525 inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 10 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
smtp unix - - n - - smtp
retry unix - - n - - error
error unix - - n - - error
tlsmgr unix - - n - 1 tlsmgr
anvil unix - - n - 1 anvil
CF
  touch -d '-10 sec' "$etc"/m*.cf            # Postfix waits while its configuration is younger than 2 s
  touch "$spool/quick-start"                 # the directories are right already
  local table
  for table in domains recipients transport; do
    [ "$kind" != own ] || MAIL_CONFIG=$etc postmap "lmdb:$WORK/$table"
  done
  postfix -c "$etc" start >"$WORK/$kind/log/start.log" 2>&1 || { cat "$WORK/$kind/log/start.log" >&2; die "Postfix does not start"; }
}

# The data: as tables of Postfix's, and as a directory of Postern's.
awk -v n=$RECIPIENTS -v one="smtp:[$NET.4]:2600" -v two="smtp:[$NET.5]:2600" -v dir="$WORK" 'BEGIN {
  print "address,group" >dir "/people.csv"
  for (i = 1; i <= n; i++) {
    print i "u@bench.example x" >dir "/recipients"
    print i "u@bench.example " (i % 2 ? one : two) >dir "/transport"
    print i "u@bench.example," (i % 2 ? "one" : "two") >dir "/people.csv"
  }
  print "bench.example x" >dir "/domains"
}'
printf '127.0.0.0/8 permit\n' >"$WORK/clients"
cat >"$WORK/postern.toml" <<TOML
state_dir = "$WORK/state"

[socketmap]
listen = ["unix:$WORK/socketmap.sock", "inet:$NET.6:8892"]
socket_mode = "0666"

[gateway.seg]
networks = ["127.0.0.0/8"]

[directory.people]
type = "csv"
path = "people.csv"

[directory.people.columns]
addresses = ["address"]
groups = "group"

[server.one]
hosts = ["$NET.4:2600"]

[server.two]
hosts = ["$NET.5:2600"]

[[route]]
name = "one"
groups = ["one"]
to = "one"

[[route]]
name = "two"
groups = ["two"]
to = "two"

[domain."bench.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["people"]
TOML
install -d "$WORK/state"

if [ -z "${POSTERN:-}" ]; then
  cargo build --release --bin postern --message-format=json >"$WORK/cargo.json"
  POSTERN=$(executable postern)
fi
start postern "$POSTERN" run --config "$WORK/postern.toml"
POSTERN_PID=$PID
start one smtp-sink -u postfix "$NET.4:2600" 1000
start two smtp-sink -u postfix "$NET.5:2600" 1000

start_postfix own "smtpd_client_restrictions = check_client_access cidr:$WORK/clients, reject" \
  "relay_domains = lmdb:$WORK/domains" "relay_recipient_maps = lmdb:$WORK/recipients" "transport_maps = lmdb:$WORK/transport"
for kind in unix tcp; do
  [ $kind = unix ] && at=socketmap:unix:$WORK/socketmap.sock || at=socketmap:inet:$NET.6:8892
  start_postfix $kind "smtpd_client_restrictions = check_client_access $at:access, reject" \
    "relay_domains = $at:domain" "relay_recipient_maps = $at:recipient" "transport_maps = $at:transport"
  # All three must say the same before anything is measured.
  for try in $(seq 300); do
    answer=$(MAIL_CONFIG=$WORK/$kind/etc postmap -q 2u@bench.example "$at:transport" 2>/dev/null) && break
    kill -0 "$POSTERN_PID" 2>/dev/null || { tail -5 "$WORK/postern.log" >&2; die "Postern does not run"; }
    sleep 0.1
  done
  [ "$answer" = "$(MAIL_CONFIG=$WORK/own/etc postmap -q 2u@bench.example "lmdb:$WORK/transport")" ] ||
    die "Postern and lmdb disagree: $answer"
done

queued() { find "$QUEUES/$1/incoming" "$QUEUES/$1/active" "$QUEUES/$1/deferred" -type f | head -1; }
now() { date +%s.%N; }
per_mail() { awk -v begin="$1" -v end="$2" -v mails="$3" 'BEGIN { printf "%.3f\n", (end - begin) * 1000 / mails }'; }
source_to() { smtp-source -N -l 2000 -f newsletter@sender.example -t u@bench.example "$@"; }
flood() { # KIND: ms a message, until the last one is delivered
  local begin; begin=$(now)
  source_to -s 10 -m "$MAILS" "${HOST[$1]}:2525" || die "smtp-source fails"
  while [ -n "$(queued "$1")" ]; do sleep 0.005; done
  per_mail "$begin" "$(now)" "$MAILS"
}
one_by_one() { # KIND: ms a message, until it is taken
  local begin end; begin=$(now)
  source_to -s 1 -m $((MAILS / 5)) "${HOST[$1]}:2525" || die "smtp-source fails"
  end=$(now)
  while [ -n "$(queued "$1")" ]; do sleep 0.005; done
  per_mail "$begin" "$end" $((MAILS / 5))
}

for run in $(seq 0 "$RUNS"); do              # run 0 warms up
  for kind in $(printf '%s\n' "${KINDS[@]}" | shuf); do
    [ ! -t 2 ] || printf '\rrun %d of %d: %-10s' "$run" "$RUNS" "$kind" >&2
    ms=$(flood "$kind"); alone=$(one_by_one "$kind")
    [ "$run" = 0 ] || { echo "$ms" >>"$WORK/flood-$kind"; echo "$alone" >>"$WORK/alone-$kind"; }
  done
done
[ ! -t 2 ] || printf '\r%30s\r' '' >&2
for kind in "${KINDS[@]}"; do
  ! grep -hE 'status=(deferred|bounced)|NOQUEUE|warning|fatal' "$WORK/$kind/log/mail.log" | head -3 >&2 || true
  sent=$(grep -c 'status=sent' "$WORK/$kind/log/mail.log")
  [ "$sent" = $(((RUNS + 1) * (MAILS + MAILS / 5))) ] || die "$kind: $sent messages were delivered"
done

middle() { spread <"$WORK/$1" | cut -d' ' -f1; }
row() { spread <"$WORK/$1" | { read -r mid low high; printf '| %-22s | %-26s | %s (%s-%s) |\n' "$2" "$3" "$mid" "$low" "$high"; }; }
echo '| what | tables | ms a message, median (min-max) |'
echo '|---|---|---|'
declare -A TABLES=([own]='cidr and lmdb of Postfix' [unix]='Postern over unix' [tcp]='Postern over TCP')
for kind in "${KINDS[@]}"; do row "flood-$kind" 'ten sessions, delivered' "${TABLES[$kind]}"; done
for kind in "${KINDS[@]}"; do row "alone-$kind" 'one session, taken' "${TABLES[$kind]}"; done

MISSED=0
bar() { # TEXT NUMERATOR DENOMINATOR
  local value; value=$(awk "BEGIN { printf \"%.3f\", $2 / $3 }")
  if awk "BEGIN { exit !($value <= $MAX_RATIO) }"; then echo "held:   $1: $value (bar: <= $MAX_RATIO)"
  else echo "missed: $1: $value (bar: <= $MAX_RATIO)"; MISSED=1; fi
}
echo
for kind in unix tcp; do
  bar "delivered, ${TABLES[$kind]} against own tables" "$(middle flood-$kind)" "$(middle flood-own)"
  bar "taken, ${TABLES[$kind]} against own tables" "$(middle alone-$kind)" "$(middle alone-own)"
done
exit $MISSED
