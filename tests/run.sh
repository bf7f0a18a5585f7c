#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what the tests need and runs all of them: format, lints, dependencies, build, tests, those with real
# Postfix and Sendmail among them. Debian 12 or Ubuntu, with Rust (cargo, clippy, rustfmt); as root, or with sudo.
#
#   ./tests/run.sh               everything
#   ./tests/run.sh gate::        the tests whose names have this in them, without the checks before them
#
# POSTERN_KEEP=1 keeps the tests' directories, with all logs, below /var/tmp (or POSTERN_TEST_DIR).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# Cargo's test runner, as set below: only the tests that start mail servers need root.
if [ "${1-}" = --runner ]; then
    shift
    case $(basename "$1") in
        mta-*) exec sudo -E "$@" ;;
        *) exec "$@" ;;
    esac
fi

cd "$here/.."
if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    # shellcheck source=/dev/null
    . "$HOME/.cargo/env"
fi
command -v cargo >/dev/null || { echo "run.sh: Rust is missing: install it with rustup" >&2; exit 1; }

if [ "$(id -u)" != 0 ]; then
    triple=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    export "CARGO_TARGET_${triple}_RUNNER=bash $here/run.sh --runner"
fi

summary=
step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    if "$@"; then
        summary+=$(printf '%-8s passed  %4d s' "$name" $((SECONDS - start)))$'\n'
    else
        summary+=$(printf '%-8s FAILED  %4d s' "$name" $((SECONDS - start)))$'\n'
        printf '\n%s' "$summary"
        exit 1
    fi
}

if cargo nextest --version >/dev/null 2>&1; then
    tests=(cargo nextest run --no-fail-fast)
else
    tests=(cargo test --no-fail-fast --lib --bins --tests)
fi

step install "$here/install.sh"
if [ $# -gt 0 ]; then
    step tests "${tests[@]}" "$@"
else
    step format cargo fmt --check
    step lints cargo clippy --all-targets -- -D warnings
    if cargo deny --version >/dev/null 2>&1; then
        step deny cargo deny --offline check licenses bans sources
    fi
    step build cargo build --locked --all-targets
    step doc cargo test --quiet --doc
    step tests "${tests[@]}"
fi
printf '\n%s' "$summary"
