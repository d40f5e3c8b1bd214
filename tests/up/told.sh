# What the tests of up have in common; to be sourced by bash.

# told FILE: what up told, without the news about building.
told() {
    grep -E '^(endpoint|connection string|CA file|page|console) ' "$1"
}

# In a container without an init a process that ended stays a zombie.
runs() {
    local state
    state=$(sed -E 's/.*\) ([A-Z]) .*/\1/' "/proc/$1/stat" 2>/dev/null) && [ "$state" != Z ]
}

# refused WHAT COMMAND …: it fails and says so.
refused() {
    local what=$1 output
    shift
    output=$("$@" 2>&1) && return 1
    grep -qF -- "$what" <<<"$output" || {
        echo "$output"
        return 1
    }
}
