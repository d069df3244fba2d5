# What a CUDA build of libtorch is compiled against; sourced by build-cuda and gpu-check. Installs nothing.

# CUDA's version of a torch folder, "13.0"; empty for a CPU build.
cuda_of() { sed -n "s/^cuda[^=]*= '\([0-9.]*\)'.*/\1/p" "$1/version.py" 2>/dev/null; }
is_cuda_build() { [ -n "$1" ] && [ -e "$1/lib/libtorch_cuda.so" ]; }

# cuda_folders TORCH [MORE]: sets include and lib, empty where there are none: from the environment, pip's packages beside
# torch or below MORE, a toolkit.
cuda_folders() {
  local beside major each toolkit
  beside=$(dirname "$1")/nvidia
  major=$(cuda_of "$1")
  major=${major%%.*}
  toolkit=/usr/local/cuda
  if [ ! -d $toolkit ] && command -v nvcc >/dev/null; then toolkit=$(dirname "$(dirname "$(realpath "$(command -v nvcc)")")"); fi
  include=${SCONCE_CUDA_INCLUDE:-}
  lib=${SCONCE_CUDA_LIB:-}
  for each in "$beside/cu$major/include" "$beside/cuda_runtime/include" "${2:-$beside}/nvidia/cu$major/include" "$toolkit/include"; do
    if [ -z "$include" ] && [ -e "$each/cuda_runtime_api.h" ] && [ -e "$each/crt/host_config.h" ]; then include=$each; fi
  done
  for each in "$beside/cu$major/lib" "$beside/cuda_runtime/lib" "${2:-$beside}/nvidia/cu$major/lib" "$toolkit/lib64" "$1/lib"; do
    if [ -z "$lib" ] && [ -n "$(find "$each" -maxdepth 1 -name "libcudart*.so.$major*" -print -quit 2>/dev/null)" ]; then lib=$each; fi
  done
}
