#!/usr/bin/env bash
# Measures everything beside every peer, and makes docs/bench/ and README's tables of it. It takes some twenty minutes, during which the machine
# must have nothing else to do. First: benches/peers/install.sh, for the peers in other languages. Options are those of the bench (`--help`); with
# names of rows it would publish no others.
#
#   benches/peers/publish.sh             measures, then makes
#   benches/peers/publish.sh --again     measures once more, for nothing but the noise: how far these ratios are from those of docs/bench/x86_64.json
#   benches/peers/publish.sh --figures   measures nothing: makes them anew of docs/bench/x86_64.json, after a change of WHY.md for one
set -euo pipefail
cd "$(dirname "$0")/../.."
figures=docs/bench/x86_64.json
bench=(cargo run --locked --quiet --release --manifest-path benches/peers/Cargo.toml --)
report=(cargo run --locked --quiet --manifest-path benches/peers/report/Cargo.toml --)

again= counts=(--instructions)
if [ "${1:-}" = --again ]; then
    again=again counts=()
    shift
fi
if [ "${1:-}" != --figures ]; then
    if [ "$(uname -m)" != x86_64 ]; then
        echo "$0: $figures is of x86_64, and this is $(uname -m)" >&2
        exit 1
    fi
    new=$(realpath -m "${CARGO_TARGET_DIR:-benches/peers/target}")/figures${again:+-$again}.json
    # Compiled before, not while it measures.
    "${report[@]}" --help >/dev/null
    "${bench[@]}" --help >/dev/null
    # The compiler's load, and anybody else's, is to be gone.
    for _ in {1..30}; do
        awk '{ exit $1 > 0.3 }' /proc/loadavg && break
        echo "waiting: the load is $(cut -d ' ' -f 1 /proc/loadavg)"
        sleep 10
    done
    "${bench[@]}" "${counts[@]}" --json "$new" "$@"
    echo "$new has all figures"
    # How far it is from the last one.
    [ ! -e "$figures" ] || "${report[@]}" --from "$new" --against "$figures"
    mkdir -p docs/bench
    if [ -n "$again" ]; then
        "${report[@]}" --from "$figures" --again "$new" --json "$figures"
    else
        cp "$new" "$figures"
    fi
fi
"${report[@]}"
git --no-pager diff --stat -- README.md docs/bench
