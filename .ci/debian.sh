# shellcheck shell=bash
# What .ci/cross, .ci/targets, .ci/sanitizers, .ci/python and .ci/conformance take from Debian (12 or later): linkers, C
# libraries, emulators and Python, installed by apt-get; and a second rustc with the sources of std, as rustup's toolchain
# brings no std for other targets. That one is unpacked
# into target/cross-rust, not installed. .ci/lib.sh has been sourced before.

rust=${CROSS_RUST:-$CARGO_TARGET_DIR/cross-rust}
rustlib=$rust/root/usr/lib/rustlib

# needs WHAT PACKAGE..: installs each package whose command or file is missing, which takes root.
needs() {
    local missing=()
    while [ $# != 0 ]; do
        [ -e "$1" ] || command -v "$1" >/dev/null || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} != 0 ] || return 0
    say "installing ${missing[*]}"
    [ "$(id -u)" = 0 ] || fail "not root: install ${missing[*]}, then run this again"
    # One at a time: a step may run beside another.
    exec 9>"${TMPDIR:-/tmp}/switchback-ci-apt"
    flock 9
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
    exec 9>&-
}

# other_rust: makes the second rustc the one that cargo uses. It needs no network after the first time.
other_rust() {
    { [ -d "$rustlib/src/rust/library/std" ] && "$rust/bin/rustc" --version >/dev/null 2>&1; } || fetch_rust
    export RUSTC=$rust/bin/rustc RUSTDOC=$rust/bin/rustdoc
}

# Debian's `rustc-web` is the rustc its browsers are built with, newer than the release's own. Lists and downloads are
# kept apart from the system's, as these are of two architectures.
fetch_rust() {
    local part=$rust.part name packages apt
    # CROSS_RUST may name anything: what this has not made it does not remove.
    [ ! -e "$rust" ] || [ -d "$rustlib" ] || fail "$rust is there and is no toolchain of this script's"
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
    for name in "$part"/archives/*.deb; do
        # Of the sources, those of std: the compiler's are twenty times as many.
        dpkg-deb --fsys-tarfile "$name" |
            tar --extract --directory "$part/root" --wildcards --no-wildcards-match-slash \
                --exclude='./usr/src/*/compiler' --exclude='./usr/src/*/src'
    done
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

# std_for TARGET: builds std, where the packages have none, and puts it beside the others. Cargo builds std for one build
# only; from there build scripts that try things out with rustc would not find it.
std_for() {
    local target=$1 crate=$rust/std lib=$rustlib/$1/lib
    [ ! -e "$lib" ] || return 0
    say "building std for $target"
    mkdir -p "$crate"
    printf '[package]\nname = "empty"\n[lib]\npath = "empty.rs"\n[workspace]\n' >"$crate/Cargo.toml"
    : >"$crate/empty.rs"
    # With bitcode, for link-time optimisation.
    RUSTC_BOOTSTRAP=1 RUSTFLAGS='-C embed-bitcode=yes' cargo build --quiet --release --target "$target" \
        -Zbuild-std=std,panic_unwind,panic_abort,proc_macro,test --manifest-path "$crate/Cargo.toml" --target-dir "$crate/target"
    mkdir -p "$lib.part"
    cp "$crate/target/$target/release/deps"/lib*.r{lib,meta} "$lib.part"
    rm -f "$lib.part"/libempty-*
    mv "$lib.part" "$lib"
}

# for_aarch64: builds for that CPU from here on, and runs what is built by qemu-user. Sets `target` and `qemu`.
for_aarch64() {
    target=aarch64-unknown-linux-gnu
    qemu='qemu-aarch64 -L /usr/aarch64-linux-gnu'
    needs aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu qemu-aarch64 qemu-user \
        /usr/aarch64-linux-gnu/lib/crt1.o libc6-dev-arm64-cross
    other_rust
    export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/aarch64
    cargo_for $target LINKER aarch64-linux-gnu-gcc
    cargo_for $target RUNNER "$qemu"
    say "$($RUSTC --version), $(qemu-aarch64 --version | head -n 1)"
}

# cargo_for TARGET NAME VALUE: sets cargo's variable of that name for the target.
cargo_for() {
    local target=${1^^}
    export "CARGO_TARGET_${target//-/_}_$2=$3"
}
