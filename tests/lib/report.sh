# What the parts of the tests have in common; to be sourced by bash. A part prints one line per test, `ok name`,
# `not ok name` or `skip name`, and under a failure what it said, each line begun with "#   ".

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_dir=${WEFT_BUILD_DIR:-$root/build}
jobs=$(nproc)
any_failed=0

ok() {
    echo "ok $1"
}

# not_ok NAME: what is on stdin explains it.
not_ok() {
    echo "not ok $1"
    tail -n 60 | sed 's/^/#   /'
    any_failed=1
}

skip() {
    echo "skip $1 # $2"
}

# wanted NAME: whether the case asked for (in $only; empty: all) is this one or a part of its name.
wanted() {
    [ -z "${only:-}" ] || [[ $1 == *"$only"* ]]
}

# try NAME COMMAND …: one test: the command succeeds.
try() {
    local name=$1 output
    shift
    wanted "$name" || return 0
    if output=$("$@" 2>&1); then
        ok "$name"
    else
        not_ok "$name" <<<"$output"
        return 1
    fi
}

# configure_and_build PRESET [OPTION …]: into $build_dir/PRESET; options as for cmake --build, such as --target.
configure_and_build() {
    local preset=$1
    shift
    (cd "$root" && cmake --preset "$preset" -B "$build_dir/$preset") &&
        cmake --build "$build_dir/$preset" --parallel "$jobs" "$@"
}
