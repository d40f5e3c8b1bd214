# Completion of weftctl for bash: read it into a shell, or put it into /usr/share/bash-completion/completions as weftctl.
# Nodes are asked for by the options given so far, or by the environment; when none answers, none is offered.

_weftctl_commands="status nodes ranges plan rebalance drain move split pause resume tokens events bots bridges trace hold undelete top export import"

_weftctl_options() {
    local common="--endpoint --token --token-file --ca --help"
    case $1 in
    status | plan | trace) echo "$common --json --wide" ;;
    nodes) echo "$common --json --wide --names" ;;
    ranges) echo "$common --json --wide --node" ;;
    rebalance) echo "$common --json --watch --interval --cancel" ;;
    drain) echo "$common --json --watch --interval --cancel" ;;
    move) echo "$common --json --from --to --primary" ;;
    split) echo "$common --json --watch --interval" ;;
    pause | resume | hold | undelete) echo "$common --json" ;;
    tokens) echo "$common --json --user --scope --expires-in" ;;
    events) echo "$common --json --wide --url --schema --type --file --from" ;;
    bots) echo "$common --json --wide --url --user --file" ;;
    bridges) echo "$common --json --wide --identity --url" ;;
    top) echo "$common --interval" ;;
    export) echo "$common --connection-string --users --user --beside" ;;
    import) echo "$common --from-connection-string --connection-string --users --user --beside" ;;
    *) echo "$common --version" ;;
    esac
}

# Names of nodes, asked for with what of the line says where the cluster is.
_weftctl_nodes() {
    local given=() index
    for ((index = 1; index + 1 < ${#COMP_WORDS[@]}; index++)); do
        case ${COMP_WORDS[index]} in
        --endpoint | --token | --token-file | --ca) given+=("${COMP_WORDS[index]}" "${COMP_WORDS[index + 1]}") ;;
        esac
    done
    timeout 3 "${COMP_WORDS[0]}" nodes --names "${given[@]}" 2>/dev/null
}

# Which word after the options the one under the cursor is, and the first of them: $position, $command.
_weftctl_place() {
    local index
    position=0 command=
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
        --endpoint | --token | --token-file | --ca | --node | --from | --to | --primary | --user | --scope | --expires-in | --interval | --connection-string | --from-connection-string | --users | --beside | --url | --schema | --type | --identity | --file)
            index=$((index + 1))
            ;;
        -*) ;;
        *)
            position=$((position + 1))
            [ "$position" -gt 1 ] || command=${COMP_WORDS[index]}
            ;;
        esac
    done
}

_weftctl() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} position command words=
    _weftctl_place
    case $previous in
    --ca | --token-file | --users | --file)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --node | --from | --to | --primary) words=$(_weftctl_nodes) ;;
    --scope) words="chat voip" ;;
    --schema) words="eventgrid cloudevents" ;;
    --endpoint | --token | --user | --expires-in | --interval | --connection-string | --from-connection-string | --beside | --url | --type | --identity) ;;
    *)
        if [[ $word == -* ]]; then
            words=$(_weftctl_options "$command")
        elif [ "$position" -eq 0 ]; then
            words=$_weftctl_commands
        elif [ "$command $position" = "drain 1" ]; then
            words=$(_weftctl_nodes)
        elif [ "$command $position" = "tokens 1" ]; then
            words="create revoke"
        elif [[ "$command $position" =~ ^(export 1|import [12])$ ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
        elif [ "$command $position" = "bots 1" ]; then
            words="list show create token delete"
        elif [ "$command $position" = "events 1" ]; then
            words="list show create validate test replay dead-letters delete"
        elif [ "$command $position" = "bridges 1" ]; then
            words="list show create delete"
        elif [ "$command $position" = "hold 1" ]; then
            words="set show clear"
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _weftctl weftctl
