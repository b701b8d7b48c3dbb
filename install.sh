#!/bin/sh
# Installs the C API: `./install.sh PREFIX` builds the libraries and puts them, the headers and a file for pkg-config below PREFIX.
# `./install.sh PREFIX FOLDER` takes the libraries from FOLDER, instead of building them. With DESTDIR=ROOT all of it goes below ROOT,
# for packages.
set -eu

case ${1:-} in
    /*) prefix=$1 ;;
    *) echo "usage: $0 PREFIX [FOLDER]; PREFIX begins with a slash" >&2; exit 2 ;;
esac
folder=${2:-}
[ -z "$folder" ] || folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")"
if [ -z "$folder" ]; then
    cargo rustc --locked --release --lib --features capi --crate-type staticlib,cdylib
    folder=${CARGO_TARGET_DIR:-target}/release
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

root=${DESTDIR:-}$prefix
mkdir -p "$root/include" "$root/lib/pkgconfig"
for header in include/*.h include/*.hpp; do
    install -m 644 "$header" "$root/include/"
done
install -m 644 "$folder/libswitchback.a" "$root/lib/"
shared=
for library in "$folder/libswitchback.so" "$folder/libswitchback.dylib"; do
    if [ -e "$library" ]; then
        install -m 755 "$library" "$root/lib/"
        shared=$library
    fi
done
[ -n "$shared" ] || { echo "$0: $folder has no shared library" >&2; exit 1; }
# pkg-config takes it for several words otherwise.
quoted=$(printf '%s\n' "$prefix" | sed 's/[[:space:]]/\\&/g')
cat >"$root/lib/pkgconfig/switchback.pc" <<PC
prefix=$quoted
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: switchback
Description: Stackful coroutines with Python's protocol, and a scheduler of tasks
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lswitchback
Libs.private: -lpthread -ldl -lm
PC
echo "installed switchback $version below $root"
