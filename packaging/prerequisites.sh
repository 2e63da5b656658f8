# Sourced by ./test, ./demo and bench/run: finds or installs what they need, and names clearly what it cannot.
# Nothing here touches a PostgreSQL cluster of the machine (Debian's package starts one named "main" on 5432).

say()  { printf '%b\n' "$*" >&2; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Runs a command as root: directly, through sudo when it asks no password, else fails without running it.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
  else return 126; fi
}

# require_package WHAT PACKAGE...: installs Debian/Ubuntu packages, or says exactly what a human has to run.
require_package() {
  local what=$1; shift
  if ! command -v apt-get >/dev/null; then
    fail "$what is missing and this machine has no apt-get; install the equivalent of: $*"
  fi
  if ! as_root true; then
    fail "$what is missing and this user may not install it; run: sudo apt-get update && sudo apt-get install -y $*"
  fi
  say "Installing $what ($*) ..."
  local log; log=$(mktemp)
  if ! { as_root apt-get -o DPkg::Lock::Timeout=300 update -q &&
         as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
           install -y -q --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2; rm -f "$log"
    fail "apt-get could not install $what ($*); its last lines are above"
  fi
  rm -f "$log"
}

require_dotnet() {
  local wanted
  wanted='.NET SDK 10.0 (10.0.100 or newer) is needed; install it from https://dotnet.microsoft.com/download/dotnet/10.0'
  command -v dotnet >/dev/null || fail "no dotnet command found: $wanted"
  dotnet --list-sdks 2>/dev/null | grep -q '^10\.' ||
    fail "the installed .NET SDK is $(dotnet --list-sdks 2>/dev/null | cut -d' ' -f1 | paste -sd' ' -): $wanted"
  # Settings of every dotnet command run from here: quiet, and no server process left behind.
  export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
  export DOTNET_GENERATE_ASPNET_CERTIFICATE=false DOTNET_CLI_USE_MSBUILD_SERVER=0
  export DOTNET_SKIP_WORKLOAD_INTEGRITY_CHECK=1 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false
}

# Prints the directory of the PostgreSQL server binaries: $PG_BIN_DIR, version 15, else the newest of 12 and up.
find_postgres_bin() {
  local dir version best=
  if [ -n "${PG_BIN_DIR:-}" ]; then
    [ -x "$PG_BIN_DIR/postgres" ] && printf '%s\n' "$PG_BIN_DIR"
    return
  fi
  for version in 15 18 17 16 14 13 12; do
    for dir in "/usr/lib/postgresql/$version/bin" "/usr/pgsql-$version/bin"; do
      [ -z "$best" ] && [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ] && best=$dir
    done
  done
  if [ -z "$best" ] && command -v initdb >/dev/null && command -v postgres >/dev/null; then
    best=$(dirname "$(readlink -f "$(command -v postgres)")")
  fi
  [ -n "$best" ] && printf '%s\n' "$best"
}

# Sets and exports PG_BIN_DIR, installing PostgreSQL when there is none.
require_postgres() {
  local found
  found=$(find_postgres_bin)
  if [ -z "$found" ]; then
    [ -z "${PG_BIN_DIR:-}" ] || fail "PG_BIN_DIR is $PG_BIN_DIR, which has no postgres program"
    local package=postgresql-15
    command -v apt-cache >/dev/null && as_root apt-get update -q >/dev/null 2>&1
    command -v apt-cache >/dev/null && ! apt-cache show postgresql-15 >/dev/null 2>&1 && package=postgresql
    require_package PostgreSQL "$package" postgresql-contrib
    found=$(find_postgres_bin) || true
    [ -n "$found" ] || fail "PostgreSQL was installed but its programs were not found below /usr/lib/postgresql"
  fi
  export PG_BIN_DIR=$found
}

# Programs of the distribution that tests use: clients of the REST API, and shells. Python is Debian's: its modules belong to it.
require_clients() {
  local missing=()
  # Where Debian keeps haproxy; not every user has it in the path.
  export PATH=$PATH:/usr/sbin
  command -v haproxy >/dev/null || missing+=(haproxy)
  command -v curl >/dev/null || missing+=(curl)
  command -v openssl >/dev/null || missing+=(openssl)
  # Shells, for the completion that the product offers them.
  command -v zsh >/dev/null || missing+=(zsh)
  command -v fish >/dev/null || missing+=(fish)
  # Makes the terminals on which the command line is tested.
  command -v script >/dev/null || missing+=(bsdutils)
  /usr/bin/python3 -c 'import prometheus_client.parser' 2>/dev/null || missing+=(python3-prometheus-client)
  [ ${#missing[@]} = 0 ] || require_package "what the tests need" "${missing[@]}"
}

# PostgreSQL refuses to run as root: RUN_AS becomes the command prefix that drops to user postgres (empty for others).
# Supplementary groups are reset to that user's, the environment is kept.
choose_user() {
  RUN_AS=()
  [ "$(id -u)" = 0 ] || return 0
  id postgres >/dev/null 2>&1 || fail "PostgreSQL does not run as root and there is no user named postgres; create it: useradd --system postgres"
  command -v setpriv >/dev/null || require_package setpriv util-linux
  RUN_AS=(setpriv --reuid "$(id -u postgres)" --regid "$(id -g postgres)" --init-groups)
}

# Sets NAMESPACED to the command prefix that runs something as the tests' user in network and mount namespaces of its own, with the right
# to make more of them: by a user namespace where the kernel lets ordinary users have one, else by rights that root leaves to that user.
# Fails when this machine allows neither. Call it after choose_user.
choose_namespaces() {
  local tool rights=+sys_admin,+net_admin,+net_raw probe='mount -t tmpfs tmpfs /run && ip link set lo up'
  local -x PATH=$PATH:/usr/sbin:/sbin
  command -v ip >/dev/null && command -v tc >/dev/null || require_package "ip and tc" iproute2
  command -v nft >/dev/null || require_package nft nftables
  for tool in unshare nsenter setpriv; do command -v $tool >/dev/null || require_package $tool util-linux; done
  NAMESPACED=(${RUN_AS[@]+"${RUN_AS[@]}"} unshare --user --map-current-user --keep-caps --net --mount)
  "${NAMESPACED[@]}" sh -c "$probe" 2>/dev/null && return
  [ ${#RUN_AS[@]} -gt 0 ] || return 1
  NAMESPACED=(unshare --net --mount "${RUN_AS[@]}" --no-new-privs --inh-caps=$rights --ambient-caps=$rights)
  "${NAMESPACED[@]}" sh -c "$probe" 2>/dev/null
}

# Prints the ids of the processes that belong to one run: those whose environment carries MARK=VALUE, and those whose
# working directory lies below DIR (PostgreSQL's children overwrite their environment with their title), and guards of a data
# directory there (they have neither: "patroni-raft guard DATA_DIR").
processes_of() {
  { find /proc -mindepth 2 -maxdepth 2 -name cwd \( -lname "$2" -o -lname "$2/*" \) 2>/dev/null
    grep -lsxzF -- "$1" /proc/[0-9]*/environ
    guards_of "$2"
  } | cut -d/ -f3 | grep -vx "$$" | sort -u
}

guards_of() {
  local file
  for file in $(grep -lsxzF -- guard /proc/[0-9]*/cmdline); do
    case $({ tr '\0' '\n' <"$file"; } 2>/dev/null | tail -n 1)/ in "$1"/*) printf '%s\n' "$file" ;; esac
  done
}

# Killed agents and guards leave their lease and socket on tmpfs; the file "instance" there names the data directory.
remove_leases_of() {
  local instance
  for instance in /dev/shm/patroni-raft-*/instance; do
    case $(cat "$instance" 2>/dev/null)/ in "$1"/*) rm -rf "${instance%/*}" ;; esac
  done
}

# Kills what processes_of finds, again and again until nothing is left (a parent may still have been forking).
kill_processes_of() {
  local round pid pids
  for round in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(processes_of "$1" "$2")
    [ -n "$pids" ] || return 0
    for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
    sleep 0.1
  done
  say "Processes that could not be killed: $(printf '%s ' $pids)"
  return 1
}
