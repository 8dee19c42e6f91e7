# What the service scripts share; they source it, nobody runs it.
#
# Default ports lie below 10,000: the system gives none of them to a connection, nor `free_port` to a test.
#
# A script takes start, stop, status or env. `start` uses what answers on the port already and otherwise starts a server
# of its own on loopback, with all it writes under $SERVICES_HOME; `stop` ends only such a server; `status` tells whether
# anything answers; `env` prints the variables by which a test finds it.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NAME=$(basename "$0")
HOST=127.0.0.1
SERVICES_HOME=${SERVICES_HOME:-${TMPDIR:-/tmp}/glance-mini-services}
HOME_OF_SERVICE=$SERVICES_HOME/$NAME
LOG=$SERVICES_HOME/$NAME.log
PATH=$PATH:/usr/sbin:/sbin

fail() { echo "$NAME: $*" >&2; exit 1; }

port_answers() { (exec 3<>"/dev/tcp/$HOST/$PORT") 2>/dev/null; }
answers() { port_answers; }

# need_packages COMMAND PACKAGE...: install Debian packages unless COMMAND is there. RUNLEVEL=1 keeps the installation
# from starting a server. Scripts that run at the same time take turns.
need_packages() {
    local command=$1; shift
    compgen -G "$command" >/dev/null && return
    command -v apt-get >/dev/null || fail "$command is not installed and this is not a Debian system"
    [ "$(id -u)" = 0 ] || fail "$command is not installed: apt-get install $*"
    echo "$NAME: apt-get install $*" >&2
    local apt=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o DPkg::Lock::Timeout=300)
    { flock 9 && "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; } \
        9>"$SERVICES_HOME/apt.lock" >>"$LOG" 2>&1 || fail "apt-get failed, see $LOG"
}

# need_venv PACKAGE...: make $VENV, a virtual environment of this service, with these packages of PyPI. $PYTHON makes it.
VENV=$HOME_OF_SERVICE/venv
need_venv() {
    [ "$(cat "$VENV/complete" 2>/dev/null)" = "$*" ] && return
    echo "$NAME: pip install $*" >&2
    { "${PYTHON:-python3}" -m venv --clear "$VENV" && "$VENV/bin/pip" install --quiet "$@"; } >>"$LOG" 2>&1 ||
        fail "pip failed, see $LOG"
    echo "$*" >"$VENV/complete"
}

# need_services NAME...: start the services that this one uses.
need_services() {
    local each
    for each; do bash "$HERE/$each" start 9>&- || fail "$each is needed and did not start"; done
}

# answers_at URL: whether a GET is answered with success.
answers_at() { /usr/bin/env python3 -c "import urllib.request as r; r.urlopen('$1', timeout=5)" 2>/dev/null; }

# become USER: set AS to the words before a command that make it run as USER when we are root, else to none.
become() {
    AS=()
    if [ "$(id -u)" = 0 ]; then AS=(setpriv --reuid "$1" --regid "$1" --init-groups); fi
}

# launch NAME COMMAND...: run COMMAND in the background, in a process group of its own, unless it runs.
launch() {
    local name=$1; shift
    is_running "$name" && return
    setsid "$@" >>"$LOG" 2>&1 </dev/null 9>&- &
    echo "$! $(started_at $!)" >"$SERVICES_HOME/$name.pid"
    disown $!
}

# is_running NAME: the time of the start tells our process from a later one with the same number.
is_running() {
    local pid when
    read -r pid when 2>/dev/null <"$SERVICES_HOME/$1.pid" || return 1
    [ -n "$when" ] && [ "$(started_at "$pid")" = "$when" ]
}

# started_at PID: nothing for a process that has ended, be it still a zombie.
started_at() { sed -n 's/.*) \([^Z]\) /\1 /p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# end NAME: ask it to stop, wait 20 seconds, then kill the group.
end() {
    local name=$1 pid i
    if is_running "$name"; then
        read -r pid _ <"$SERVICES_HOME/$name.pid"
        kill -TERM "$pid" || true
        for i in {1..100}; do is_running "$name" || break; sleep 0.2; done
        kill -KILL -- "-$pid" 2>/dev/null || true
    fi
    rm -f "$SERVICES_HOME/$name.pid"
}

# wait_until SECONDS COMMAND...: try COMMAND until it succeeds.
wait_until() {
    local deadline=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "no answer in time ($*), see $LOG"
        sleep 0.2
    done
}

# main ACTION: what every script ends with; it has defined PORT, start_own, stop_own and env_lines. Of several starts at
# the same time the first starts the server and the others wait for it.
main() {
    mkdir -p "$HOME_OF_SERVICE"
    case ${1:-} in
    start) { flock 9 && { answers || start_own; }; } 9>"$SERVICES_HOME/$NAME.lock" ;;
    stop) stop_own ;;
    status) if answers; then echo "answers on $HOST:$PORT"; else echo "nothing answers on $HOST:$PORT"; return 1; fi ;;
    env) env_lines | sed 's/^/export /' ;;
    *) echo "usage: $0 start|stop|status|env" >&2; exit 2 ;;
    esac
}

stop_own() { end "$NAME"; }

# main_of_program ACTION PATH PACKAGE...: what the script of a program ends with that is no service, but PATH.
main_of_program() {
    local action=$1 path=$2; shift 2
    mkdir -p "$SERVICES_HOME"
    case $action in
    start) need_packages "$path" "$@" ;;
    status) [ -e "$path" ] || { echo "$path is not installed"; return 1; } ;;
    stop | env) ;;
    *) echo "usage: $0 start|stop|status|env" >&2; exit 2 ;;
    esac
}
