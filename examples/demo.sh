#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Shows Postern at work: installs what is missing, builds, starts Postern and a private Postfix on loopback with
# examples/demo.toml, sends the interesting mails through it, prints what happened, and cleans up.
#
#   ./examples/demo.sh            show and clean up
#   ./examples/demo.sh --stay     leave everything running, say where, and how to end it
#
# Nothing outside a directory of its own is touched, and no mail leaves the machine. Debian 12 or Ubuntu, with Rust.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
stay=
case ${1-} in
    '') ;;
    --stay) stay=1 ;;
    *) sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo

say() { printf '%s\n' "$*" >&2; }
die() { say "demo: $*"; exit 1; }

install_missing() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    [ -x /usr/sbin/postfix ] || missing+=(postfix)
    command -v swaks >/dev/null || missing+=(swaks)
    command -v cargo >/dev/null || die "Rust is missing: install it from https://rustup.rs"
    [ ${#missing[@]} = 0 ] && return
    say "installing ${missing[*]} ..."
    # "No configuration" leaves the machine's own mail alone: no main.cf is made and nothing is started.
    echo "postfix postfix/main_mailer_type select No configuration" | $as_root debconf-set-selections
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# Waits until a condition holds; the sleep only keeps the loop from spinning.
wait_for() {
    local what=$1 tries=0
    shift
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || die "gave up waiting for $what; see $dir"
        sleep 0.05
    done
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start_postfix() {
    local q=$dir/spool d
    $as_root mkdir -p "$dir/etc" "$q/pid" "$dir/lib" "$dir/log"
    $as_root chown postfix "$dir/lib"
    $as_root chmod 700 "$dir/lib"
    for d in active bounce corrupt defer deferred flush hold incoming private saved trace; do
        $as_root install -d -m 700 -o postfix "$q/$d"
    done
    $as_root install -d -m 1730 -o postfix -g postdrop "$q/maildrop"
    $as_root install -d -m 2710 -o postfix -g postdrop "$q/public"
    $as_root tee "$dir/etc/main.cf" >/dev/null <<CF
compatibility_level = 3.6
queue_directory = $q
data_directory = $dir/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = $dir/log/mail.log
maillog_file_prefixes = $dir
multi_instance_name = postfix-demo
myhostname = mx.demo.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = all
inet_protocols = ipv4
relayhost = [127.0.0.1]:$sink_port
disable_dns_lookups = yes
smtp_dns_support_level = disabled
smtp_host_lookup = native
alias_maps =
notify_classes =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_milters = inet:127.0.0.1:$milter_port
milter_default_action = tempfail
CF
    $as_root tee "$dir/etc/master.cf" >/dev/null <<CF
postlog unix-dgram n - n - 1 postlogd
127.0.0.1:$smtp_port inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 10 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
CF
    # Postfix waits while its main.cf is younger than two seconds, and checks a queue that it does not know.
    $as_root touch -d '-10 sec' "$dir/etc/main.cf" "$dir/etc/master.cf"
    $as_root touch "$q/quick-start"
    $as_root postfix -c "$dir/etc" start >"$dir/postfix.out" 2>&1 || { cat "$dir/postfix.out" >&2; die "Postfix did not start"; }
}

stop() {
    trap - EXIT INT TERM
    local master
    master=$($as_root cat "$dir/spool/pid/master.pid" 2>/dev/null | tr -d ' ' || true)
    [ -z "$master" ] || $as_root kill "$master" 2>/dev/null || true
    [ -z "${postern_pid-}" ] || kill "$postern_pid" 2>/dev/null || true
    [ -z "${sink_pid-}" ] || kill "$sink_pid" 2>/dev/null || true
    wait 2>/dev/null || true
    $as_root rm -rf "$dir"
}

deliveries() { find "$dir/delivered" -type f | wc -l; }
held() { $as_root find "$dir/spool/hold" -type f | wc -l; }
queued() { $as_root find "$dir/spool/incoming" "$dir/spool/active" "$dir/spool/deferred" -type f | wc -l; }
idle() { [ "$(queued)" = 0 ]; }

# mail TITLE CLIENT SENDER RECIPIENTS [HEADER ...]: sends one mail and adds a line to the table.
mail() {
    local title=$1 client=$2 sender=$3 rcpts=$4 before_delivered before_held out reply fate headers=()
    shift 4
    for h in "$@"; do headers+=(--add-header "$h"); done
    before_delivered=$(deliveries)
    before_held=$(held)
    out=$(swaks --server "127.0.0.1:$smtp_port" --local-interface "$client" --helo client.example --from "$sender" \
        --to "$rcpts" --body "A demonstration." "${headers[@]}" --hide-informational --suppress-data 2>&1) || true
    # The refusals, or else the answer to the message.
    reply=$(grep -E '^<\*\* +[45]' <<<"$out" | sed -E 's/^<\*\* +//; s/^([0-9]{3} [0-9.]+) <[^>]*>: /\1 /; s/ \(ref .*//; s/Recipient address rejected: //' | sort -u | grep -v '^554 5.5.1' || true)
    wait_for "Postfix to deliver" idle
    if [ "$(deliveries)" -gt "$before_delivered" ]; then
        fate=delivered
        [ -z "$reply" ] || fate="delivered to the others"
    elif [ "$(held)" -gt "$before_held" ]; then
        fate="held in the queue"
    else
        fate="not delivered"
    fi
    printf '%-46s %-24s %s\n' "$title" "$fate" "$(cut -c1-9 <<<"${reply:-250 2.0.0}" | paste -sd' ')"
}

install_missing
say "building ..."
(cd "$top" && cargo build --quiet --release --bin postern)
postern=${CARGO_TARGET_DIR:-$top/target}/release/postern

dir=$(mktemp -d /var/tmp/postern-demo.XXXXXX)
chmod 755 "$dir"
trap stop EXIT INT TERM
mkdir "$dir/delivered"
smtp_port=$(free_port)
milter_port=$(free_port)
sink_port=$(free_port)

sed "s/127.0.0.1:8890/127.0.0.1:$milter_port/; 1i state_dir = \"$dir\"" "$top/examples/demo.toml" >"$dir/demo.toml"
cp "$top/examples/demo-staff.txt" "$dir/"
"$postern" --config "$dir/demo.toml" run >"$dir/postern.log" 2>&1 &
postern_pid=$!
user=$(id -un)
/usr/sbin/smtp-sink $([ "$user" = root ] && echo "-u root") -d "$dir/delivered/%s." "127.0.0.1:$sink_port" 100 >/dev/null 2>&1 &
sink_pid=$!
wait_for "Postern" answers "$milter_port"
wait_for "the sink" answers "$sink_port"
start_postfix
wait_for "Postfix" answers "$smtp_port"
say ""

printf '%-46s %-24s %s\n' "what was sent" "what happened" "reply"
printf '%-46s %-24s %s\n' "---------------------------------------------" "-----------------------" "---------"
gateway=127.0.0.2 stranger=127.0.0.5 inside=127.0.0.9
mail "through the gateway"                     $gateway  boss@partner.example ann@example.com
mail "... to ann+news, in capitals"            $gateway  boss@partner.example ANN+News@EXAMPLE.com
mail "... a bounce, from <>"                   $gateway  "<>"                 ann@example.com
mail "... to nobody who exists"                $gateway  boss@partner.example zoe@example.com
mail "... to ann, and to nobody"               $gateway  boss@partner.example ann@example.com,zoe@example.com
mail "... to postmaster, who always exists"    $gateway  boss@partner.example postmaster@example.com
mail "straight to us, past the gateway"        $stranger spam@evil.example    ann@example.com
mail "... written ann%example.com"             $stranger spam@evil.example    ann%example.com
mail "... to postmaster"                       $stranger spam@evil.example    postmaster@example.com
mail "from a machine of our own"               $inside   cron@example.com     zoe@example.com
mail "a mail that was here three times"        $gateway  boss@partner.example ann@example.com \
    "X-Postern-Loop: demo.example" "X-Postern-Loop: demo.example" "X-Postern-Loop: demo.example"
mail "past the gateway, to a soft domain"      $stranger spam@evil.example    ann@soft.example
mail "... to a monitored domain"               $stranger spam@evil.example    ann@watched.example
mail "... to a domain that holds such mail"    $stranger spam@evil.example    ann@held.example
mail "... to a domain that tags such mail"     $stranger spam@evil.example    ann@tagged.example
mail "to a domain that is not listed"          $stranger spam@evil.example    ann@elsewhere.example
tagged=$(grep -rl '^X-Postern-Tag: source-not-gateway' "$dir/delivered" | wc -l)
say ""
say "$(deliveries) mails were delivered, $tagged of them with X-Postern-Tag; $(held) held."
[ "$tagged" = 1 ] && [ "$(held)" = 1 ] && [ "$(deliveries)" = 9 ] || die "that is not what should have happened; see $dir/postern.log"

if [ -n "$stay" ]; then
    trap - EXIT INT TERM
    say "
Left running in $dir:
  Postfix listens on 127.0.0.1:$smtp_port; its log is $dir/log/mail.log
  Postern listens on 127.0.0.1:$milter_port; its log is $dir/postern.log, its configuration $dir/demo.toml
Try:
  swaks --server 127.0.0.1:$smtp_port --local-interface 127.0.0.5 --to ann@example.com
  $postern --config $dir/demo.toml try --client 127.0.0.5 --rcpt ann@example.com
  kill -HUP $postern_pid     # after a change to demo.toml
End it:
  kill $postern_pid $sink_pid; ${as_root:+sudo }postfix -c $dir/etc stop; ${as_root:+sudo }rm -rf $dir"
fi
