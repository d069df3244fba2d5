# Words for the terminal, sourced by the scripts beside this folder. Colours only on a terminal.
if [ -t 1 ]; then bold=$'\e[1m' red=$'\e[31m' yellow=$'\e[33m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' red='' yellow='' dim='' plain=''; fi

# step 2 6 "words": a progress line.
step() { printf '%s[%s/%s]%s %s\n' "$bold" "$1" "$2" "$plain" "$3"; }
note() { printf '      %s%s%s\n' "$dim" "$*" "$plain"; }
warn() { printf '%s%s%s\n' "$yellow" "$*" "$plain" >&2; }
die() { printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2; exit 1; }

# quietly LOG command…: runs it with its output in LOG, and shows the log's end when it fails.
quietly() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 && return 0
  local code=$?
  printf '%s%s failed%s (whole log: %s)\n' "$red" "$*" "$plain" "$log" >&2
  tail -n 40 "$log" >&2
  return "$code"
}

# at_least HAVE WANT: dotted versions compared number by number.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# stamp_of FILE…: one hash over the files' names and contents.
stamp_of() { cat -- /dev/null "$@" | sha256sum | cut -d ' ' -f 1; }

# fresh NAME HASH: is .cache/NAME.stamp this hash?   mark NAME HASH: make it so.
fresh() { [ "$(cat ".cache/$1.stamp" 2>/dev/null)" = "$2" ]; }
mark() { mkdir -p .cache && printf '%s\n' "$2" >".cache/$1.stamp"; }
