# shellcheck shell=bash
# A second rustc, from Debian's packages (12 or later), for what rustup's toolchain does not bring: a std for aarch64, and
# the sources of std, to build it with a sanitizer. Unpacked into target/cross-rust, not installed.
# For scripts that have sourced lib.sh: `debian_rust` sees to it that it is there, and RUSTC and RUSTDOC are set.

rust=${CROSS_RUST:-$CARGO_TARGET_DIR/cross-rust}

# Debian's `rustc-web` is the rustc its browsers are built with, newer than the release's own. Lists and downloads are
# kept apart from the system's, as these are of two architectures.
fetch_rust() {
    local part=$rust.part name packages apt
    # CROSS_RUST may name anything: what this has not made it does not remove.
    [ ! -e "$rust" ] || [ -d "$rust/root/usr/lib/rustlib" ] || fail "$rust is there and is no toolchain of this script's"
    rm -rf "$rust" "$part"
    mkdir -p "$part"/{lists,archives}/partial "$part/root" "$part/bin"
    apt=(-qq -o "Dir::State::Lists=$part/lists" -o "Dir::Cache=$part" -o "Dir::Cache::Archives=$part/archives"
        -o "APT::Architectures=amd64,arm64" -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" update
    mapfile -t packages < <(apt-cache "${apt[@]}" depends --recurse --important rustc-web libstd-rust-web-dev |
        grep -xE 'rustc-web|libstd-rust-web-(dev|[0-9.]+)|libllvm[0-9.]+' | sort -u | sed 's/$/:amd64/')
    packages+=(libstd-rust-web-dev:arm64 rust-web-src)
    say "unpacking ${packages[*]}"
    (cd "$part/archives" && apt-get "${apt[@]}" download "${packages[@]}")
    for name in "$part"/archives/*.deb; do dpkg-deb --extract "$name" "$part/root"; done
    rm -rf "$part/lists" "$part/archives" "$part"/*.bin
    for name in rustc rustdoc; do
        cat >"$part/bin/$name" <<'WRAPPER'
#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")/root
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu exec "$root/usr/bin/$(basename "$0")" "$@"
WRAPPER
        chmod +x "$part/bin/$name"
    done
    [ -d "$part/root/usr/lib/rustlib/aarch64-unknown-linux-gnu/lib" ] || fail "the packages brought no std for aarch64"
    [ -d "$part/root/usr/lib/rustlib/src/rust/library/std" ] || fail "the packages brought no sources of std"
    mv "$part" "$rust"
}

debian_rust() {
    if ! "$rust/bin/rustc" --version >/dev/null 2>&1 || [ ! -d "$rust/root/usr/lib/rustlib/src/rust/library/std" ]; then
        fetch_rust
    fi
    export RUSTC=$rust/bin/rustc RUSTDOC=$rust/bin/rustdoc
}
