# Finds libtorch, or fetches it; sourced by setup (after say.sh, system.sh). Order: LIBTORCH, ./.venv, the torch of
# `python3`, else the pin of requirements.txt into ./.venv. The answer is kept in .cache/libtorch (one line: a folder
# with include/ and lib/), which scripts/build-native and the tests read.

# A folder is a libtorch when a program can be compiled and linked against it.
is_libtorch() { [ -n "$1" ] && [ -e "$1/lib/libtorch_cpu.so" ] && [ -e "$1/include/torch/headeronly/version.h" ]; }

# torch_of PYTHON: the folder of its torch, without importing it (an import takes seconds).
torch_of() {
  "$1" -c 'import importlib.util as u; s = u.find_spec("torch"); print(list(s.submodule_search_locations)[0] if s and s.submodule_search_locations else "")' 2>/dev/null
}

find_libtorch() {
  local found
  if [ -n "${LIBTORCH:-}" ]; then
    is_libtorch "$LIBTORCH" || die "LIBTORCH=$LIBTORCH has no lib/libtorch_cpu.so and include/torch; unset it or point it to an unpacked libtorch 2.11 to 2.14"
    printf '%s\n' "$LIBTORCH"
    return 0
  fi
  for python in .venv/bin/python python3; do
    command -v "$python" >/dev/null || continue
    found=$(torch_of "$python") || continue
    if is_libtorch "$found"; then
      printf '%s\n' "$found"
      return 0
    fi
  done
  return 1
}

has_nvidia_gpu() { [ -e /proc/driver/nvidia/version ] || { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }; }

# The dependencies that torch in ./.venv names, one a line, without extras.
torch_requires() {
  .venv/bin/python - <<'PY'
import importlib.metadata as metadata
import re
for line in metadata.requires("torch") or []:
    if not re.search(r";.*\bextra\b", line):
        print(line)
PY
}

# torch first without its dependencies: its own metadata then says whether it is the CUDA build, and only a machine
# with an NVIDIA GPU gets the 3 GB that one asks for. libtorch_cpu.so of a CUDA build needs two small packages of it.
fetch_libtorch() {
  have_venv || die "python3 has no venv module, and libtorch has to be fetched into ./.venv. On Debian: sudo apt-get install -y python3-venv; or set LIBTORCH to an unpacked libtorch"
  [ -x .venv/bin/python ] || quietly .cache/venv.log python3 -m venv .venv || exit 1
  local pin
  pin=$(sed -n 's/^\(torch==[^ #]*\).*/\1/p' requirements.txt)
  note "pip install $pin into ./.venv (about 200 MB as CPU build, 550 MB as CUDA build)"
  quietly .cache/pip-torch.log .venv/bin/python -m pip install --disable-pip-version-check --no-deps "$pin" || exit 1
  if ! torch_requires | grep -q -i -E '^(nvidia|cuda)-'; then
    note "a CPU build; with numpy, so that the tests can compare with Python's PyTorch"
    quietly .cache/pip-deps.log .venv/bin/python -m pip install --disable-pip-version-check "$pin" numpy || exit 1
  elif has_nvidia_gpu; then
    note "a CUDA build and an NVIDIA GPU: installing what it needs (about 3 GB)"
    quietly .cache/pip-deps.log .venv/bin/python -m pip install --disable-pip-version-check "$pin" numpy || exit 1
  else
    note "a CUDA build, no NVIDIA GPU: only the two small CUDA packages that its CPU part is linked to"
    quietly .cache/pip-deps.log .venv/bin/python -m pip install --disable-pip-version-check --no-deps \
      'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*' || exit 1
  fi
  link_cuda_runtime "$(torch_of .venv/bin/python)"
}

# Where the wheel's own search path does not lead to a library that libtorch_cpu.so wants, a link beside it does.
link_cuda_runtime() {
  local name found
  ldd "$1/lib/libtorch_cpu.so" | sed -n 's/^[[:space:]]*\([^ ]*\) => not found/\1/p' | while read -r name; do
    found=$(find "$(dirname "$1")/nvidia" -name "$name" -print -quit 2>/dev/null)
    [ -n "$found" ] || die "libtorch_cpu.so needs $name, and no package in ./.venv has it; pip install the nvidia package that carries it into ./.venv"
    ln -sf "$(realpath --relative-to "$1/lib" "$found")" "$1/lib/$name"
  done
}

ensure_libtorch() {
  local folder
  mkdir -p .cache
  if ! folder=$(find_libtorch); then
    [ -z "${LIBTORCH:-}" ] || exit 1
    fetch_libtorch
    folder=$(find_libtorch) || die "torch was installed into ./.venv but has no libtorch in it; see .cache/pip-torch.log"
  fi
  [ "$(cat .cache/libtorch 2>/dev/null)" = "$folder" ] || printf '%s\n' "$folder" >.cache/libtorch
  export LIBTORCH="$folder"
}

# For tests: TorchServe's own worker for those of Python handlers, gRPC's tools for those of generated stubs. Only where
# ./.venv has a torch that can be imported. Without them those tests are skipped by name.
ensure_test_packages() {
  [ -x .venv/bin/python ] || return 0
  .venv/bin/python -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("numpy") and not (u.find_spec("ts") and u.find_spec("grpc_tools"))))' || return 0
  note "TorchServe's worker and grpcio-tools into ./.venv, for the tests (50 MB)"
  .venv/bin/python -m pip install --disable-pip-version-check --no-deps torchserve==0.12.0 pyyaml psutil packaging \
    grpcio==1.85.3 grpcio-tools==1.85.1 protobuf==7.36.2 \
    >.cache/pip-torchserve.log 2>&1 || note "it cannot be had, see .cache/pip-torchserve.log; those tests are skipped"
}
