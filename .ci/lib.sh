# shellcheck shell=bash
# What the scripts of this folder share. A tier (fast, slow, full) sources this file, calls `tier NAME "$@"`, then `beside`
# and `step` once for each check, then `tier_end`. Arguments of a tier are names of steps: only those run.

set -euo pipefail
exec </dev/null 2>&1 # one stream, in order
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A check means the same on every machine: nothing that steers cargo or the tests leaks in, but for the folder to build
# in and the number of jobs. (TRYBUILD=overwrite, for one, would make every compile-fail test pass.)
for name in $(compgen -e); do
    case $name in
        ASAN_OPTIONS | LSAN_OPTIONS | TSAN_OPTIONS | VALGRIND_OPTS) unset "$name" ;;
        CARGO_TARGET_DIR | CARGO_BUILD_JOBS) ;;
        RUSTFLAGS | RUSTDOCFLAGS | RUSTC | RUSTDOC | RUSTC_* | RUST_* | TRYBUILD | SWITCHBACK_* | \
            CARGO_ENCODED_* | CARGO_PROFILE_* | CARGO_BUILD_* | CARGO_TARGET_* | CARGO_UNSTABLE_*) unset "$name" ;;
    esac
done
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 LC_ALL=C
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR

say() { printf '.ci: %s\n' "$*"; }
fail() { say "$*"; exit 1; }

# --- tiers and steps ---

# tier NAME [STEP..]: starts a tier of which only the named steps run (all, where none is named).
tier() {
    tier_name=$1; shift
    only=" $* "
    seen=' '
    current=
    lane=
    lane_steps=()
    # Set by .ci/run, which prints one summary of all its tiers.
    own_summary=
    if [ -z "${CI_SUMMARY:-}" ]; then
        own_summary=$(mktemp)
        export CI_SUMMARY=$own_summary
    fi
    trap tier_last_words EXIT
}

wanted() {
    seen+="$1 "
    case $only in *[![:space:]]*) [[ $only == *" $1 "* ]] ;; esac
}

# beside NAME TEXT COMMAND..: a step that shares no folder with the others and mostly waits for one CPU. All of these run one
# after another beside the steps, and `tier_end` prints what they have said.
beside() {
    ! wanted "$1" || lane_steps+=("$(printf '%q ' "$@")")
}

lane_start() {
    [ ${#lane_steps[@]} != 0 ] && [ -z "$lane" ] || return 0
    lane_output=$(mktemp)
    # A process group of its own, so that it can be stopped.
    set -m
    (
        trap - EXIT
        for words in "${lane_steps[@]}"; do eval "run_step $words"; done
    ) >"$lane_output" 2>&1 &
    lane=$!
    set +m
}

lane_end() {
    local status=0
    [ -n "$lane" ] || return 0
    wait "$lane" || status=$?
    lane=
    cat "$lane_output"
    rm -f "$lane_output"
    [ $status = 0 ] || fail "FAILED: the last of the steps above, which ran beside the others"
}

# step NAME TEXT COMMAND..: runs one check under a heading, and stops the tier where it fails.
step() {
    lane_start
    ! wanted "$1" || run_step "$@"
}

run_step() {
    local name=$1 text=$2 status start=$SECONDS
    shift 2
    printf '\n==== %s %s: %s\n' "$tier_name" "$name" "$text"
    current=$name
    # Not `if (..)` nor `(..) || ..`: there bash would ignore the inner `set -e`.
    set +e
    (set -e; "$@")
    status=$?
    set -e
    elapsed=$((SECONDS - start))
    [ $status = 0 ] || exit $status
    current=
    printf -- '---- %s %s: passed in %s s\n' "$tier_name" "$name" $elapsed
    printf '%5s s  %s %s\n' $elapsed "$tier_name" "$name" >>"$CI_SUMMARY"
}

tier_end() {
    local name
    lane_start
    lane_end
    for name in $only; do
        [[ $seen == *" $name "* ]] || fail "no step is called $name; there are:$seen"
    done
    [ -z "$own_summary" ] || summary
}

# The steps that passed and their seconds. Its last line can be read by a program.
summary() {
    printf '\n==== summary\n'
    cat "$CI_SUMMARY"
    printf 'steps: %s passed, 0 failed\n' "$(wc -l <"$CI_SUMMARY")"
}

tier_last_words() {
    local status=$?
    if [ -n "$lane" ]; then
        # It may have ended by itself.
        kill -- "-$lane" 2>/dev/null || true
        rm -f "$lane_output"
    fi
    [ -z "$own_summary" ] || rm -f "$own_summary"
    [ $status != 0 ] || return 0
    if [ -n "$current" ]; then
        printf '\n.ci: FAILED: step %s after %s s (alone: .ci/%s %s)\n' \
            "$current" "${elapsed:-?}" "$tier_name" "$current"
    else
        printf '\n.ci: FAILED: outside the steps of %s (status %s)\n' "$tier_name" $status
    fi
}

# --- what several steps need ---

# field NAME: a string of Cargo.toml's [package].
field() { sed -n "/^\[package\]/,/^\[[^p]/ s/^$1 *= *\"\(.*\)\"/\1/p" Cargo.toml | head -n 1; }

# readme_block N: the commands of README.md's N-th block of shell, without comments and `$ `.
readme_block() {
    awk -v n="$1" '/^```/ { inside = 0 } inside == n && !/^#/ { sub(/^\$ /, ""); print } /^```(sh|console|bash)$/ { inside = ++count }' \
        README.md
}

# The tests of tests/ that run anywhere, as options of cargo. compile_fail judges rustc's words, so it runs where the
# declared rustc runs natively, and only there; capi takes compilers of C, and has a step of its own; planted has no tests
# but where .ci/sanitizers runs it.
portable_tests() {
    local path name without=" compile_fail capi planted "
    [ -n "${WHOLE:-}" ] || without+="${LESS:-} "
    for path in tests/*.rs tests/*/main.rs; do
        [ -e "$path" ] || continue
        name=${path#tests/}; name=${name%.rs}; name=${name%/main}
        [[ $without == *" $name "* ]] || printf -- '--test %s ' "$name"
    done
}

# Those of them that are about switching, stacks and the protocol.
core_tests() {
    local name
    for name in coroutines scheduler; do printf -- '--test %s ' $name; done
}

# counted COMMAND..: runs a command that ends in libtest's reports; fails if it does, or if a test program ran no test, or a file
# of the core's programs (if all of it was to run). EMPTY names those that may be empty: tests/coroutines/abort.rs is, unless a
# panic aborts. tests/planted.rs is, but where .ci/sanitizers runs it.
counted() {
    local log=$CARGO_TARGET_DIR/ci-tests.txt files
    files=$(grep -lE '^ *#\[test\]' tests/{coroutines,scheduler}/*.rs | tr '\n' ' ')
    mkdir -p "$CARGO_TARGET_DIR"
    say "\$ $*"
    "$@" 2>&1 | tee "$log"
    awk -v empty=" planted ${EMPTY:-abort} " -v files="$files" '
        function ran_none(what, name) {
            if (!index(empty, " " name " ")) { print ".ci: " what " ran no test"; bad = 1 }
        }
        / Running | Doc-tests / { name = $2 == "unittests" ? $3 : $2; sub(/^tests\//, "", name); sub(/(\/main)?\.rs$/, "", name) }
        /^test [a-z0-9_]+::/ && !/ ignored/ { module = $2; sub(/::.*/, "", module); seen["tests/" name "/" module ".rs"] = 1 }
        /^test result: ok\./ {
            passed += $4
            programs++
            if (!$4) ran_none(name, name)
            else if (/ 0 filtered out/) {
                for (i = split(files, list, " "); i; i--) {
                    if (split(list[i], part, "/") && part[2] == name && !(list[i] in seen)) {
                        sub(/\.rs$/, "", part[3])
                        ran_none(list[i], part[3])
                    }
                }
            }
            delete seen
        }
        END { printf ".ci: %d tests passed in %d programs\n", passed, programs; exit bad || !passed }' "$log" ||
        fail "what should have been tested was not: $*"
}

# portable CARGO-OPTION..: the library's own tests and those of tests/ that run anywhere, with these options. The examples
# are built first, if tests/examples is among them: it starts them as programs, and a selection of tests does not bring them.
portable() {
    local tests
    read -r -a tests <<<"$(portable_tests)"
    say "without compile_fail${LESS:+ and, but with WHOLE=1, $LESS}"
    [[ " ${tests[*]} " != *" examples "* ]] || cargo build --locked --examples "$@"
    counted cargo test --locked --lib "${tests[@]}" "$@"
}

# core CARGO-OPTION..: the library's own tests and those of `core_tests`, where a configuration changes no more than what the
# compiler makes of the code. With WHOLE set, as .ci/full sets it, `portable`.
core() {
    local tests
    if [ -n "${WHOLE:-}" ]; then portable "$@"; return; fi
    read -r -a tests <<<"$(core_tests)"
    say "the tests of the core (all: WHOLE=1)"
    counted cargo test --locked --lib "${tests[@]}" "$@"
}

# Backtraces need functions and lines; only debuggers need the rest of the debug information, which takes much of a build.
less_debug_info() { export CARGO_PROFILE_DEV_DEBUG=limited; }

doctests() { counted cargo test --locked --doc "$@"; }
