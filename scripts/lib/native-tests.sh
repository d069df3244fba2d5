# Builds the C++ tests of some parts in a folder of their own and runs them; sourced by test and .ci/run.

# lane OUTCOME NAME REASON: one line for the tally that is no test runner's.
lane() { printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>".cache/results/${4:-lanes}.lane"; }

# native_tests NAME PARTS CMAKE_ARGUMENT…: results in .cache/results/NAME.xml; a build that fails is one failed test.
# NATIVE_FOLDER: where it is built, otherwise build/NAME.
native_tests() {
  local name=$1 parts=$2
  shift 2
  local folder=${NATIVE_FOLDER:-build/$name} generator=(-G Ninja)
  if [ -e "$folder/CMakeCache.txt" ]; then generator=(); fi
  if ! { quietly ".cache/$name-configure.log" cmake -S . -B "$folder" "${generator[@]}" -DSCONCE_PARTS="$parts" -DSCONCE_TESTS=ON "$@" &&
    quietly ".cache/$name-build.log" cmake --build "$folder" -j "$(nproc)"; }; then
    lane failed "$name: build" "see .cache/$name-build.log"
    return 1
  fi
  local log=".cache/$name-ctest.log" code=0
  ctest --test-dir "$folder" -j 2 --timeout 300 --no-tests=error --output-on-failure \
    --output-junit "$PWD/.cache/results/$name.xml" >"$log" 2>&1 || code=$?
  if [ $code -ne 0 ]; then cat "$log"; else grep -E 'tests passed|No tests' "$log" || true; fi
  [ -e ".cache/results/$name.xml" ] || lane failed "$name: ctest wrote no results"
  return $code
}
