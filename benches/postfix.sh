#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What Postern costs a real Postfix and a real Sendmail.
#
#     benches/postfix.sh [--runs N]
#
# (a) One idle SMTP session, 10 headers, 1 recipient: median ms a mail without a milter, with Postern over a
#     unix socket and over TCP. (b) `smtp-source -s 10 -m 1000` through Postfix: mails/s without a milter, with
#     a libmilter no-op and with Postern, over both. The runs are interleaved, medians of 5.
# The MTAs are private instances on loopback under a temporary directory; Postfix discards what it accepts,
# Sendmail leaves it in its queue. Needs root, postfix (with smtp-source), libmilter-dev, m4, and apt-get to
# fetch sendmail-bin and sendmail-cf, which are unpacked beside the installed MTA, not installed.
# Exit status: 0, 1 when a bar is missed, 2 when something does not run. Wants an otherwise idle machine.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUNS=5 MAILS=100
case ${1:-} in
  '') ;;
  --runs) RUNS=$2 ;;
  *) sed -n '3,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
# The bars: ms a mail more than without a milter, ms a mail, and the share of the no-op's throughput, which
# allows for what two runs of the same milter differ by.
MAX_UNIX=1.5 MAX_TCP=2.0 MAX_SENDMAIL=15 MIN_SHARE=0.95
RCPT=anna.abel@harbour.example

[ "$(id -u)" = 0 ] || die "run as root: Postfix's master needs it"
for tool in postfix smtp-source postconf; do
  PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || die "install postfix"
done
PATH=$PATH:/usr/sbin

# Queues are kept in memory where that can be had: the disk's fsync is not the milter's cost.
QUEUES=$(mktemp -d /dev/shm/postern-bench.XXXXXX 2>/dev/null) || QUEUES=$WORK/queues
install -d -m 755 "$QUEUES"
queues_remove() { rm -rf "$QUEUES"; }
ETC=$WORK/postfix/etc SPOOL=$QUEUES/postfix
postfix_alive() { [ -f "$SPOOL/pid/master.pid" ] && ! MAIL_CONFIG=$ETC "$(postconf -dh daemon_directory)/master" -t 2>/dev/null; }

postfix_start() { # MILTER: sets SMTP to the port
  SMTP=$("$LOAD" free-port)
  install -d "$ETC" "$SPOOL/pid" "$WORK/postfix/log"
  install -d -m 700 -o postfix "$WORK/postfix/data"
  local directory
  for directory in active bounce corrupt defer deferred flush hold incoming private saved trace; do
    install -d -m 700 -o postfix "$SPOOL/$directory"
  done
  install -d -m 1730 -o postfix -g postdrop "$SPOOL/maildrop"
  install -d -m 2710 -o postfix -g postdrop "$SPOOL/public"
  cat >"$ETC/main.cf" <<CF
compatibility_level = 3.6
queue_directory = $SPOOL
data_directory = $WORK/postfix/data
maillog_file = $WORK/postfix/log/mail.log
maillog_file_prefixes = $WORK
multi_instance_name = postfix-bench
myhostname = mx.example.net
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
relay_domains = static:all
relay_transport = discard:
default_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
alias_maps =
alias_database =
local_recipient_maps =
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_milters = $1
CF
  cat >"$ETC/master.cf" <<CF
127.0.0.1:$SMTP inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 10 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
discard unix - - n - - discard
anvil unix - - n - 1 anvil
CF
  touch -d '-10 sec' "$ETC"/m*.cf            # Postfix waits while its configuration is younger than 2 s
  touch "$SPOOL/quick-start"                 # the directories are right already
  postfix -c "$ETC" start >"$WORK/postfix/log/start.log" 2>&1 || { cat "$WORK/postfix/log/start.log" >&2; die "Postfix does not start"; }
}

postfix_stop() {
  postfix_alive || return 0
  kill -TERM "$(tr -d ' \n' <"$SPOOL/pid/master.pid")"
  local try
  for try in $(seq 300); do postfix_alive || return 0; sleep 0.01; done
  die "Postfix does not stop"
}

# Sendmail logs through syslog(3) alone, and sleeps a minute when the host's name has no dot.
sendmail_fetch() {
  SM=$WORK/sendmail/root
  install -d "$SM" "$WORK/sendmail/fetch"
  install -d -m 700 "$QUEUES/sendmail"
  (cd "$WORK/sendmail/fetch" && apt-get -qq download sendmail-bin sendmail-cf >/dev/null 2>&1) ||
    die "cannot fetch sendmail-bin and sendmail-cf with apt-get"
  local package
  for package in "$WORK"/sendmail/fetch/*.deb; do dpkg -x "$package" "$SM"; done
  chmod g-s "$SM/usr/libexec/sendmail/sendmail" # set-gid would make the loader ignore the shim
  cc -shared -fPIC -O2 -o "$WORK/sendmail/shim.so" -x c - <<'C'
#include <stdarg.h>
#include <string.h>
int gethostname(char *name, size_t size) { strncpy(name, "mx.example.net", size); return 0; }
void openlog(const char *ident, int option, int facility) { (void)ident, (void)option, (void)facility; }
void syslog(int priority, const char *format, ...) { (void)priority, (void)format; }
void __syslog_chk(int priority, int flag, const char *format, ...) { (void)priority, (void)flag, (void)format; }
void vsyslog(int priority, const char *format, va_list list) { (void)priority, (void)format, (void)list; }
C
}

sendmail_start() { # MILTER or nothing: sets SMTP to the port
  SMTP=$("$LOAD" free-port)
  local dir=$WORK/sendmail cf=$SM/usr/share/sendmail/cf
  printf 'hosts files\naliases files\npasswd files\n' >"$dir/switch"
  : >"$dir/names"
  {
    cat <<MC
divert(-1)
define(\`_CF_DIR_', \`$cf/')
include(\`$cf/m4/cf.m4')
OSTYPE(\`linux')dnl
define(\`confDOMAIN_NAME', \`mx.example.net')dnl
define(\`confDONT_PROBE_INTERFACES', \`true')dnl
define(\`confPID_FILE', \`$dir/sendmail.pid')dnl
define(\`QUEUE_DIR', \`$QUEUES/sendmail')dnl
define(\`STATUS_FILE', \`')dnl
define(\`HELP_FILE', \`')dnl
define(\`ALIAS_FILE', \`')dnl
define(\`confCW_FILE', \`$dir/names')dnl
define(\`confSERVICE_SWITCH_FILE', \`$dir/switch')dnl
define(\`confCONTROL_SOCKET_NAME', \`')dnl
define(\`confDONT_BLAME_SENDMAIL', \`GroupWritableDirPathSafe,TrustStickyBit')dnl
define(\`confTO_IDENT', \`0s')dnl
define(\`confDELIVERY_MODE', \`queueonly')dnl
define(\`confQUEUE_LA', \`1000')dnl
define(\`confREFUSE_LA', \`1000')dnl
define(\`SMART_HOST', \`relay:[127.0.0.1]')dnl
FEATURE(\`no_default_msa')dnl
FEATURE(\`nocanonify')dnl
FEATURE(\`accept_unresolvable_domains')dnl
FEATURE(\`promiscuous_relay')dnl
DAEMON_OPTIONS(\`Name=MTA, Family=inet, Addr=127.0.0.1, Port=$SMTP')dnl
MC
    [ -z "${1:-}" ] || echo "INPUT_MAIL_FILTER(\`postern', \`S=$1, F=T')dnl"
    echo 'MAILER(`smtp'"'"')dnl'
  } >"$dir/sendmail.mc"
  m4 "$dir/sendmail.mc" >"$dir/sendmail.cf" 2>"$dir/m4.log"
  rm -f "$dir/sendmail.pid"
  LD_PRELOAD=$dir/shim.so "$SM/usr/libexec/sendmail/sendmail" -C "$dir/sendmail.cf" -bd </dev/null >"$dir/start.log" 2>&1 ||
    { cat "$dir/start.log" >&2; die "Sendmail does not start"; }
  local try
  for try in $(seq 200); do [ -s "$dir/sendmail.pid" ] && return; sleep 0.01; done
  die "Sendmail does not start"
}

sendmail_stop() {
  local pid try
  [ -s "$WORK/sendmail/sendmail.pid" ] || return 0
  pid=$(head -1 "$WORK/sendmail/sendmail.pid")
  rm -f "$WORK/sendmail/sendmail.pid"
  kill -TERM "$pid" 2>/dev/null || return 0
  # A zombie that nobody reaps has no memory any more.
  for try in $(seq 300); do grep -q VmRSS "/proc/$pid/status" 2>/dev/null || return 0; sleep 0.01; done
  die "Sendmail does not stop"
}
CLEANERS=(postfix_stop sendmail_stop queues_remove)

build
"$LOAD" data --dir "$WORK" --recipients 10000
echo 127.0.0.0/8 >>"$WORK/networks.txt"
sendmail_fetch

PORT=$("$LOAD" free-port) NOOP_PORT=$("$LOAD" free-port)
postern_config "inet:127.0.0.1:$PORT\", \"unix:$WORK/postern.sock" networks.txt recipients.txt >"$WORK/postern.toml"
start postern "$POSTERN" run --config "$WORK/postern.toml"
answers "inet:127.0.0.1:$PORT" "$PID" postern >/dev/null
start noop-tcp "$WORK/noop" "inet:$NOOP_PORT@127.0.0.1"
answers "inet:127.0.0.1:$NOOP_PORT" "$PID" noop-tcp >/dev/null
(umask 0; exec "$WORK/noop" "unix:$WORK/noop.sock") >"$WORK/noop-unix.log" 2>&1 &
PIDS+=($!)
answers "unix:$WORK/noop.sock" $! noop-unix >/dev/null

declare -A PF=(
  [none]='' [postern-unix]=unix:$WORK/postern.sock [postern-tcp]=inet:127.0.0.1:$PORT
  [noop-unix]=unix:$WORK/noop.sock [noop-tcp]=inet:127.0.0.1:$NOOP_PORT)
declare -A SM_SOCKET=([none]='' [postern-unix]=local:$WORK/postern.sock [postern-tcp]=inet:$PORT@127.0.0.1)

idle() { "$LOAD" smtp --to "127.0.0.1:$SMTP" --messages $MAILS --rcpt $RCPT --json | field median_ms; }
flood() { # 1000 mails from 10 sessions at a time, new connections: mails/s
  local begin; begin=$(date +%s.%N)
  smtp-source -s 10 -m 1000 -l 2000 -f newsletter@sender.example -t $RCPT "127.0.0.1:$SMTP"
  date +%s.%N | awk -v begin="$begin" '{ printf "%.1f\n", 1000 / ($1 - begin) }'
}
say() { [ ! -t 2 ] || printf '\rrun %d of %d: %-30s' "$run" "$RUNS" "$1" >&2; }

for run in $(seq "$RUNS"); do
  for kind in none postern-unix postern-tcp; do
    say "Postfix, idle, $kind"
    postfix_start "${PF[$kind]}"; idle >>"$WORK/postfix-idle-$kind"; postfix_stop
    say "Sendmail, idle, $kind"
    sendmail_start "${SM_SOCKET[$kind]}"; idle >>"$WORK/sendmail-idle-$kind"; sendmail_stop
  done
  for kind in none noop-unix postern-unix noop-tcp postern-tcp; do
    say "Postfix, smtp-source, $kind"
    postfix_start "${PF[$kind]}"; flood >/dev/null; flood >>"$WORK/postfix-flood-$kind"; postfix_stop
  done
done
[ ! -t 2 ] || printf '\r%50s\r' '' >&2

middle() { spread <"$WORK/$1" | cut -d' ' -f1; }
row() { spread <"$WORK/$1" | { read -r mid low high; printf '| %-8s | %-20s | %-12s | %s (%s-%s) |\n' "$2" "$3" "$4" "$mid" "$low" "$high"; }; }
echo '| MTA | what | milter | median (min-max) |'
echo '|---|---|---|---|'
for kind in none postern-unix postern-tcp; do row "postfix-idle-$kind" Postfix 'idle, ms a mail' $kind; done
for kind in none postern-unix postern-tcp; do row "sendmail-idle-$kind" Sendmail 'idle, ms a mail' $kind; done
for kind in none noop-unix postern-unix noop-tcp postern-tcp; do row "postfix-flood-$kind" Postfix 'smtp-source, mails/s' $kind; done

MISSED=0
bar() { # TEXT EXPRESSION OPERATOR LIMIT
  local value; value=$(awk "BEGIN { printf \"%.2f\", $2 }")
  if awk "BEGIN { exit !($value $3 $4) }"; then echo "held:   $1: $value (bar: $3 $4)"
  else echo "missed: $1: $value (bar: $3 $4)"; MISSED=1; fi
}
echo
bar "Postfix over unix, ms more a mail" "$(middle postfix-idle-postern-unix) - $(middle postfix-idle-none)" '<=' $MAX_UNIX
bar "Postfix over TCP, ms more a mail" "$(middle postfix-idle-postern-tcp) - $(middle postfix-idle-none)" '<=' $MAX_TCP
bar "Sendmail over TCP, ms a mail" "$(middle sendmail-idle-postern-tcp)" '<=' $MAX_SENDMAIL
bar "smtp-source over unix, of the no-op's" "$(middle postfix-flood-postern-unix) / $(middle postfix-flood-noop-unix)" '>=' $MIN_SHARE
bar "smtp-source over TCP, of the no-op's" "$(middle postfix-flood-postern-tcp) / $(middle postfix-flood-noop-tcp)" '>=' $MIN_SHARE
exit $MISSED
