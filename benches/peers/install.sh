#!/usr/bin/env bash
# Installs what Debian (12 or later) offers of the peers in other languages; as root. What it does not have, the bench skips and says so.
set -euo pipefail
packages=(g++ golang-go luajit lua5.4 libboost-context-dev libboost-fiber-dev python3 python3-greenlet)
if [ "$(id -u)" != 0 ]; then
    echo "$0: not root; install these, then run the bench: ${packages[*]}" >&2
    exit 1
fi
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}"
