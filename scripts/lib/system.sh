# What the system must have, and how it gets there; sourced by setup, test and .ci/run (after say.sh).

# as_root command…: runs it as root, or fails when that takes a password.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
  command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

# install_debian PACKAGE…: only those that are not installed yet.
install_debian() {
  local missing=() each
  for each in "$@"; do
    dpkg-query -W -f '${Status}' "$each" 2>/dev/null | grep -q 'ok installed' || missing+=("$each")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  note "apt-get install ${missing[*]}"
  mkdir -p .cache
  quietly .cache/apt-update.log as_root apt-get update -q || true
  quietly .cache/apt.log as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Packages behind each tool that setup needs. GoogleTest, ccache, ninja and wrk serve tests and benchmarks.
system_packages() {
  have_compiler || echo build-essential
  have_cmake || echo cmake
  command -v ninja >/dev/null || echo ninja-build
  command -v ccache >/dev/null || echo ccache
  [ -e /usr/include/gtest/gtest.h ] || [ -e /usr/local/include/gtest/gtest.h ] || echo libgtest-dev
  command -v wrk >/dev/null || echo wrk
  command -v python3 >/dev/null || echo python3
  have_venv || echo python3-venv
}

have_compiler() { command -v g++ >/dev/null && at_least "$(g++ -dumpfullversion)" 12; }
have_cmake() { command -v cmake >/dev/null && at_least "$(cmake --version | sed -n '1s/[^0-9]*//p')" 3.25; }
have_venv() { command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null; }

check_node() {
  command -v node >/dev/null || die "Node.js is missing; sconce needs 20.17 or later. On Debian: apt-get install nodejs npm (bookworm's is 18, too old: take 20 or 22 from your Node provider)"
  local version
  version=$(node --version | tr -d v)
  at_least "$version" 20.17 || die "Node.js is $version; sconce needs 20.17 or later"
  command -v npm >/dev/null || die "npm is missing. On Debian: apt-get install npm"
  [ "$(uname -sm)" = "Linux x86_64" ] || die "sconce runs on Linux x86-64; this is $(uname -sm)"
}

# Everything of the system that is missing: installed where that needs no password, else named with its install line.
ensure_system() {
  check_node
  local wanted
  mapfile -t wanted < <(system_packages)
  if [ ${#wanted[@]} -gt 0 ]; then
    if can_install; then
      install_debian "${wanted[@]}" || warn "apt-get could not install everything; going on with what is there"
    fi
    mapfile -t wanted < <(system_packages)
  fi
  [ ${#wanted[@]} = 0 ] && return 0
  local line="sudo apt-get install -y ${wanted[*]}"
  have_compiler || die "no g++ 12 or later found ($(g++ -dumpfullversion 2>/dev/null || echo none)). Install it with: $line"
  have_cmake || die "no CMake 3.25 or later found. Install it with: $line (or: pip install cmake)"
  command -v python3 >/dev/null || die "no python3 found. Install it with: $line"
  # A venv is needed only where libtorch has to be fetched; torch.sh checks again.
  warn "not installed: ${wanted[*]} (tests and benchmarks use them): $line"
}
