#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what the tests need beside Rust, on Debian 12 or Ubuntu: Postfix and some tools as packages, and more programs
# unpacked into directories of their own: Sendmail, whose package conflicts with Postfix's, and the servers named, slapd,
# PostgreSQL and MariaDB, whose packages would start them, make a database for the system, and confine them to its
# directories.
# What is there already is left alone. Nothing is started, and /etc/postfix is not touched.
#
#   POSTERN_SENDMAIL_ROOT   where Sendmail is unpacked (/var/tmp/postern-sendmail)
#   POSTERN_NAMED_ROOT      where named is unpacked (/var/tmp/postern-named)
#   POSTERN_SLAPD_ROOT      where slapd is unpacked (/var/tmp/postern-slapd)
#   POSTERN_POSTGRES_ROOT   where PostgreSQL is unpacked (/var/tmp/postern-postgres)
#   POSTERN_MARIADB_ROOT    where MariaDB is unpacked (/var/tmp/postern-mariadb)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${POSTERN_SENDMAIL_ROOT:-/var/tmp/postern-sendmail}
sendmail=$root/usr/libexec/sendmail/sendmail
named_root=${POSTERN_NAMED_ROOT:-/var/tmp/postern-named}
named=$named_root/usr/sbin/named
slapd_root=${POSTERN_SLAPD_ROOT:-/var/tmp/postern-slapd}
slapd=$slapd_root/usr/sbin/slapd
postgres_root=${POSTERN_POSTGRES_ROOT:-/var/tmp/postern-postgres}
mariadb_root=${POSTERN_MARIADB_ROOT:-/var/tmp/postern-mariadb}
mariadbd=$mariadb_root/usr/sbin/mariadbd

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
    bind9-utils:/usr/bin/dnssec-signzone
    nftables:/usr/sbin/nft
    util-linux:/usr/bin/unshare
    ldap-utils:/usr/bin/ldapsearch
    sqlite3:/usr/bin/sqlite3
    tzdata:/usr/share/zoneinfo/UTC
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

# unpack DIRECTORY PACKAGE...
unpack() {
    local into=$1 package
    shift
    echo "install.sh: unpacking $* into $into"
    update_once
    fresh=$(mktemp -d)
    trap 'rm -rf "$fresh"' EXIT
    chmod 755 "$fresh"
    (cd "$fresh" && apt-get -qq download "$@" 2>/dev/null)
    mkdir -p "$into"
    for package in "$fresh"/*.deb; do
        dpkg -x "$package" "$into"
    done
    rm -rf "$fresh"
}

# install_libraries PACKAGE PROGRAM...: what the programs were built with, none of which conflicts with anything or starts.
install_libraries() {
    local package=$1 libraries
    shift
    [[ $(ldd "$@") == *"not found"* ]] || return 0
    update_once
    # LLVM is only what PostgreSQL could compile queries with; it is larger than all the rest.
    libraries=$(apt-cache depends "$package" |
        sed -n '/libllvm/d; s/^ *Depends: \(lib[a-z0-9.+-]*\|[a-z0-9]*-libs\)$/\1/p')
    echo "install.sh: installing the libraries of $package"
    # shellcheck disable=SC2086 # a list of package names
    install_packages $libraries
}

# newest PATTERN: the package of that name that has the highest version in its name. Which one there is depends on the
# distribution.
newest() {
    apt-cache search --names-only "$1" | cut -d' ' -f1 | sort -V | tail -n 1
}

if [ ! -x "$sendmail" ]; then
    unpack "$root" sendmail-bin sendmail-cf
    # The program is set-group-id, for which the loader would ignore the shim below.
    chmod g-s "$sendmail"
fi
install_libraries sendmail-bin "$sendmail"

if [ ! -x "$named" ]; then
    unpack "$named_root" bind9
fi
install_libraries bind9 "$named"

if [ ! -x "$slapd" ]; then
    unpack "$slapd_root" slapd
fi
# One of its libraries comes in its own package, so it is looked for there.
LD_LIBRARY_PATH=$(compgen -G "$slapd_root/usr/lib/*-linux-*" | head -n 1) install_libraries slapd "$slapd"

if ! compgen -G "$postgres_root/usr/lib/postgresql/*/bin/postgres" >/dev/null; then
    update_once
    unpack "$postgres_root" "$(newest '^postgresql-[0-9]+$')" "$(newest '^postgresql-client-[0-9]+$')"
fi
for bin in "$postgres_root"/usr/lib/postgresql/*/bin; do
    version=$(basename "$(dirname "$bin")")
    install_libraries "postgresql-$version" "$bin/postgres" "$bin/initdb"
    install_libraries "postgresql-client-$version" "$bin/psql"
done

if [ ! -x "$mariadbd" ]; then
    update_once
    unpack "$mariadb_root" "$(newest '^mariadb-server-core(-[0-9.]+)?$')" "$(newest '^mariadb-client-core(-[0-9.]+)?$')"
fi
# What the packages are called is seen in what they brought.
install_libraries "$(basename "$mariadb_root"/usr/share/doc/mariadb-server-core*)" "$mariadbd"
install_libraries "$(basename "$mariadb_root"/usr/share/doc/mariadb-client-core*)" "$mariadb_root/usr/bin/mariadb"

if [ ! "$root/shim.so" -nt "$here/mta/shim.c" ]; then
    gcc -shared -fPIC -O2 -o "$root/shim.so" "$here/mta/shim.c"
fi
