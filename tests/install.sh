#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what the tests need beside Rust, on Debian 12 or Ubuntu: Postfix and some tools as packages, and
# Sendmail, whose package conflicts with Postfix's, unpacked into a directory of its own.
# What is there already is left alone. Nothing is started, and /etc/postfix is not touched.
#
#   POSTERN_SENDMAIL_ROOT   where Sendmail is unpacked (/var/tmp/postern-sendmail)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${POSTERN_SENDMAIL_ROOT:-/var/tmp/postern-sendmail}
sendmail=$root/usr/libexec/sendmail/sendmail

# package:file it brings, perhaps with a wildcard
wanted=(
    postfix:/usr/sbin/postfix
    gcc:/usr/bin/gcc
    libc6-dev:/usr/include/stdio.h
    m4:/usr/bin/m4
    openssl:/usr/bin/openssl
    "libsasl2-modules:/usr/lib/*/sasl2/libanonymous.so"
    miltertest:/usr/bin/miltertest
    libmilter-dev:/usr/include/libmilter/mfapi.h
    man-db:/usr/bin/man
    bsdutils:/usr/bin/script
)

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

updated=
update_once() {
    [ -n "$updated" ] || as_root apt-get -qq update
    updated=yes
}

install_packages() {
    update_once
    if apt-get -s install --no-install-recommends "$@" | grep '^Remv'; then
        echo "install.sh: $* would replace these packages; remove them first, or use another machine" >&2
        exit 1
    fi
    # "No configuration" keeps the Postfix package from making a system mail server.
    echo "postfix postfix/main_mailer_type select No configuration" | as_root debconf-set-selections
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

missing=()
for pair in "${wanted[@]}"; do
    compgen -G "${pair#*:}" >/dev/null || missing+=("${pair%%:*}")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "install.sh: installing ${missing[*]}"
    install_packages "${missing[@]}"
fi

if [ ! -x "$sendmail" ]; then
    echo "install.sh: unpacking Sendmail into $root"
    update_once
    fresh=$(mktemp -d)
    trap 'rm -rf "$fresh"' EXIT
    chmod 755 "$fresh"
    (cd "$fresh" && apt-get -qq download sendmail-bin sendmail-cf 2>/dev/null)
    mkdir -p "$root"
    for package in "$fresh"/*.deb; do
        dpkg -x "$package" "$root"
    done
    # The program is set-group-id, for which the loader would ignore the shim below.
    chmod g-s "$sendmail"
fi

# The libraries it was built with, none of which conflicts with anything.
if ldd "$sendmail" | grep -q 'not found'; then
    update_once
    libraries=$(apt-cache depends sendmail-bin | sed -n 's/^ *Depends: \(lib[a-z0-9.+-]*\)$/\1/p')
    echo "install.sh: installing Sendmail's libraries"
    # shellcheck disable=SC2086 # a list of package names
    install_packages $libraries
fi

if [ ! "$root/shim.so" -nt "$here/mta/shim.c" ]; then
    gcc -shared -fPIC -O2 -o "$root/shim.so" "$here/mta/shim.c"
fi
