# An imported target `sconce_libtorch_cuda`: what is CUDA in SCONCE_LIBTORCH, and the runtime's headers and library.
# find_package(CUDAToolkit) asks for nvcc; compiling against the runtime takes two folders:
#   SCONCE_CUDA_INCLUDE   holds cuda_runtime_api.h and crt/ (packages nvidia-cuda-runtime and nvidia-cuda-crt, or a toolkit)
#   SCONCE_CUDA_LIB       holds libcudart.so.* of the major version that libtorch was built with
set(SCONCE_CUDA_INCLUDE "" CACHE PATH "Folder with cuda_runtime_api.h")
set(SCONCE_CUDA_LIB "" CACHE PATH "Folder with libcudart.so.*")
if(NOT EXISTS "${SCONCE_LIBTORCH}/lib/libtorch_cuda.so")
  message(FATAL_ERROR "${SCONCE_LIBTORCH} is a CPU build of libtorch: set LIBTORCH to a CUDA build (npm run build:cuda fetches one)")
endif()
foreach(header IN ITEMS cuda_runtime_api.h crt/host_config.h)
  if(NOT EXISTS "${SCONCE_CUDA_INCLUDE}/${header}")
    message(FATAL_ERROR "no ${header} below SCONCE_CUDA_INCLUDE=${SCONCE_CUDA_INCLUDE}")
  endif()
endforeach()
file(GLOB _cudart "${SCONCE_CUDA_LIB}/libcudart.so.*")
if(NOT _cudart)
  message(FATAL_ERROR "no libcudart.so.* in SCONCE_CUDA_LIB=${SCONCE_CUDA_LIB}")
endif()
list(GET _cudart 0 _cudart)

add_library(sconce_libtorch_cuda INTERFACE)
target_include_directories(sconce_libtorch_cuda SYSTEM INTERFACE ${SCONCE_CUDA_INCLUDE})
target_link_libraries(sconce_libtorch_cuda INTERFACE
  ${SCONCE_LIBTORCH}/lib/libtorch_cuda.so ${SCONCE_LIBTORCH}/lib/libc10_cuda.so ${_cudart})
# What libtorch_cuda.so itself wants (cuBLAS, cuDNN, …) is found at run time; here it need not even be installed.
target_link_options(sconce_libtorch_cuda INTERFACE -Wl,--no-as-needed -Wl,--allow-shlib-undefined)
