# What up and down have in common; to be sourced by bash. Everything about running nodes is in $run_dir:
#   node-N/       data of node N              node-N.pid    "process id, start time" of the one running
#   node-N.port   port it keeps               node-N.log    what it printed since its last start
#   node-N-peer.port   port for the other nodes
#   node-N.plain-port  port without TLS, on loopback, of the one running
#   etcd/ etcd.*  the same of the coordinator of a cluster     secret  what its nodes know each other by
#   nodes         the number of the last one; those with node-N/left in their data have left the cluster
#   env           where things are, for other programs to source

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
run_dir=${WEFT_RUN_DIR:-$here/run}

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# start_time PID: clock ticks since boot at which the process started; nothing when there is no such process. With the
# process id it names a process for good, as ids are used again.
start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name in parentheses may hold spaces, so fields are counted behind it.
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [ "$1" != Z ] && echo "${20}"
}

# running_pid NODE: the process id of this node when it runs and is the one that `up` started; fails otherwise.
running_pid() {
    local pid started
    read -r pid started 2>/dev/null <"$run_dir/$1.pid" || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# has_left NODE: it was drained, and ended of itself when it was empty (weft-node makes the file, and removes it at a start).
has_left() {
    [ -e "$run_dir/$1/left" ]
}

# Only one up or down at a time: the lock is held on descriptor 9 until this program ends.
lock() {
    mkdir -p "$run_dir"
    exec 9>"$run_dir/lock"
    flock -n 9 || die "another up or down is running"
}
