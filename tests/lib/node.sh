# Starts, awaits and stops weft-node processes for tests; to be sourced by bash. A node lives in a directory of its own:
#   $dir/node.conf  its configuration (written when missing)     $dir/data     its data, kept over restarts
#   $dir/node.log   what it printed, all starts                  $dir/pid $dir/port   of the running process
#   $dir/environment   lines NAME=value, set for every start, if there      $dir/status   with which it ended
# Only processes started here are ever signalled, by their process id.

# The program under test: $WEFT_NODE, or the newest weft-node in a build folder of this tree.
weft_node_program() {
    if [ -n "${WEFT_NODE:-}" ]; then
        printf '%s\n' "$WEFT_NODE"
        return
    fi
    local root newest
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    newest=$(find "$root" -maxdepth 4 -path "$root/build*" -name weft-node -type f -perm -u+x -printf '%T@ %p\n' |
        sort -rn | head -n 1 | cut -d' ' -f2-)
    if [ -z "$newest" ]; then
        echo "no weft-node found: build it (cmake --preset debug && cmake --build --preset debug) or set WEFT_NODE" >&2
        return 1
    fi
    printf '%s\n' "$newest"
}

# A port of 127.0.0.1 where nobody listens, below the range from which outgoing connections take theirs.
free_port() {
    local port attempt
    for attempt in {1..200}; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return
        fi
    done
    echo "no free port found" >&2
    return 1
}

# start_node DIR [flag …]: starts a node with DIR/data and the flags; a second start in DIR keeps data and port.
start_node() {
    local dir=$1 program port
    shift
    program=$(weft_node_program) || return 1
    mkdir -p "$dir"
    [ -f "$dir/node.conf" ] || : >"$dir/node.conf"
    if [ -f "$dir/port" ]; then port=$(<"$dir/port"); else port=$(free_port) || return 1; fi
    rm -f "$dir/pid" "$dir/status"
    printf '%s\n' "$port" >"$dir/port"
    # WEFT_* variables are configuration to a node; those of the caller speak of something else. The shell in between
    # keeps the status of a node that somebody else may have stopped, and what bash has to say of its end.
    (
        unset ${!WEFT_*}
        if [ -f "$dir/environment" ]; then while IFS= read -r line; do export "${line?}"; done <"$dir/environment"; fi
        "$program" --config "$dir/node.conf" --data "$dir/data" --listen "127.0.0.1:$port" "$@" &
        printf '%s\n' "$!" | tee "$dir/awaited" >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
        wait "$!"
        printf '%s\n' "$?" >"$dir/status.new" && mv "$dir/status.new" "$dir/status"
    ) >>"$dir/node.log" 2>&1 &
    disown
    until [ -f "$dir/pid" ]; do sleep 0.01; done
}

# wait_ready DIR [seconds]: until the node answers 200 at /health/ready. Fails when it ended or at the deadline, and
# shows the end of its log.
wait_ready() {
    local dir=$1 deadline=$((SECONDS + ${2:-30})) pid port
    pid=$(<"$dir/pid")
    port=$(<"$dir/port")
    while [ "$SECONDS" -lt "$deadline" ]; do
        if [ -f "$dir/data/tls/ca.pem" ] && curl --silent --output /dev/null --fail --max-time 5 \
            --cacert "$dir/data/tls/ca.pem" "https://127.0.0.1:$port/health/ready"; then
            return 0
        fi
        if ! node_is_alive "$pid"; then
            echo "weft-node in $dir ended before it was ready:" >&2
            tail -n 20 "$dir/node.log" >&2
            return 1
        fi
        sleep 0.1
    done
    echo "weft-node in $dir is not ready after ${2:-30} s:" >&2
    tail -n 20 "$dir/node.log" >&2
    return 1
}

# node_env DIR: the variables of a running node, shell form, as `cluster-config/up` leaves them; for eval.
node_env() {
    local dir=$1
    printf 'export WEFT_ENDPOINTS=%q\n' "https://127.0.0.1:$(<"$dir/port")"
    printf 'export WEFT_CONNECTION_STRING=%q\n' "$(<"$dir/data/connection-string")"
    printf 'export WEFT_CA=%q\n' "$dir/data/tls/ca.pem"
    printf 'export WEFT_ADMIN_TOKEN=%q\n' "$(<"$dir/data/admin-token")"
    printf 'export WEFT_PIDS=%q\n' "$(<"$dir/pid")"
}

# True while the process runs; one that ended but was not awaited does not. As long as a worker of it is still ending, so
# are its locks.
node_is_alive() {
    local stat tasks
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    tasks=("/proc/$1/task"/*)
    [[ ${stat##*) } != Z* ]] || [ "${#tasks[@]}" -gt 1 ]
}

# stop_node DIR [seconds]: SIGTERM, and SIGKILL at the deadline. Succeeds only when the node ended by itself with 0.
stop_node() {
    local dir=$1 deadline=$((SECONDS + ${2:-30})) pid status
    [ -f "$dir/pid" ] || return 0
    pid=$(<"$dir/pid")
    rm -f "$dir/pid"
    kill -TERM "$pid" 2>/dev/null
    while node_is_alive "$pid"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "weft-node $pid does not stop; killed" >&2
            kill -KILL "$pid" 2>/dev/null
            return 1
        fi
        sleep 0.1
    done
    # The status of a node that a script in JavaScript started is not ours to know.
    [ "$(<"$dir/awaited")" = "$pid" ] || return 0
    until [ -f "$dir/status" ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.02; done
    status=$(<"$dir/status")
    [ "${status:-1}" -eq 0 ] || {
        echo "weft-node $pid ended with status $status:" >&2
        tail -n 20 "$dir/node.log" >&2
        return 1
    }
}

# kill_node DIR: SIGKILL, as a crash.
kill_node() {
    local dir=$1 pid
    [ -f "$dir/pid" ] || return 0
    pid=$(<"$dir/pid")
    rm -f "$dir/pid"
    kill -KILL "$pid" 2>/dev/null
    while node_is_alive "$pid"; do sleep 0.02; done
}
