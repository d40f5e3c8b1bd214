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

# configure_and_build PRESET [OPTION …]: into $build_dir/PRESET; options as for cmake --build, such as --target. One at a
# time in a folder, as parts run beside each other.
configure_and_build() {
    local preset=$1
    shift
    mkdir -p "$build_dir"
    (
        flock 9
        cd "$root" && cmake --preset "$preset" -B "$build_dir/$preset" &&
            cmake --build "$build_dir/$preset" --parallel "$jobs" "$@"
    ) 9>"$build_dir/$preset.lock"
}

# Whole cases side by side: most of them wait most of the time. What each says is told at its end, in the order of their
# beginnings.
beside_max=${WEFT_BESIDE:-$((jobs + 1))}
beside_folder=
beside_begun=0
beside_told=0

beside_tell() {
    while [ -f "$beside_folder/$beside_told.status" ]; do
        cat "$beside_folder/$beside_told"
        [ "$(cat "$beside_folder/$beside_told.status")" = 0 ] || any_failed=1
        beside_told=$((beside_told + 1))
    done
}

# beside COMMAND …: begins it once fewer than $beside_max others run. It fails when its status is not 0.
beside() {
    [ -n "$beside_folder" ] || beside_folder=$(mktemp -d)
    while [ "$(jobs -rp | wc -l)" -ge "$beside_max" ]; do
        wait -n 2>/dev/null || true
        beside_tell
    done
    {
        status=0
        "$@" >"$beside_folder/$beside_begun" 2>&1 || status=$?
        echo "$status" >"$beside_folder/.$beside_begun" && mv "$beside_folder/.$beside_begun" "$beside_folder/$beside_begun.status"
    } &
    beside_begun=$((beside_begun + 1))
}

# Waits for all of them; any_failed says how they ended.
beside_end() {
    [ -n "$beside_folder" ] || return 0
    wait
    beside_tell
    if [ "$beside_told" -ne "$beside_begun" ]; then
        echo "a case that ran beside others did not end" | not_ok "all cases end"
    fi
    rm -rf "$beside_folder"
    beside_folder=
}
