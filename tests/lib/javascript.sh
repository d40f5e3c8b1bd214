# Node.js for the parts of the tests that are written in JavaScript; to be sourced by bash. The official packages need
# Node 20; Debian 12 has 18. Then the program comes from the npm registry, into a folder here that git ignores.

javascript_version=20.20.2
javascript_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# True when `node` is new enough: 20.19 is the first that can require() a module of the newer kind.
javascript_is_new() {
    command -v node >/dev/null &&
        node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)'
}

# Puts a new enough `node` on PATH.
javascript_ready() {
    local architecture package
    if javascript_is_new; then return 0; fi
    case $(uname -m) in
    x86_64) architecture=x64 ;;
    aarch64) architecture=arm64 ;;
    *)
        echo "the tests need Node 20.19 or newer, and there is none for $(uname -m) in the npm registry" >&2
        return 1
        ;;
    esac
    package=node-linux-$architecture
    (
        flock 9
        [ -x "$javascript_dir/node_modules/$package/bin/node" ] ||
            npm install --prefix "$javascript_dir" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund \
                --loglevel=error "$package@$javascript_version" >&2
    ) 9<"$javascript_dir/javascript.sh" || return 1
    PATH="$javascript_dir/node_modules/$package/bin:$PATH"
    export PATH
    hash -r
    javascript_is_new
}

# install_packages FOLDER: those of its package.json, unless they are there. Parts that run side by side wait for each other.
install_packages() {
    local mark="$1/node_modules/.installed"
    (
        flock 9
        if [ ! -f "$mark" ] || [ "$1/package.json" -nt "$mark" ]; then
            cd "$1" && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error >&2 && touch "$mark"
        fi
    ) 9<"$1/package.json"
}
