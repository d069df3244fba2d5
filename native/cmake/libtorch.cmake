include_guard()
# An imported target `sconce_libtorch` of our own: find_package(Torch) of a CUDA build demands the CUDA toolkit even for
# a program that only uses the CPU parts. SCONCE_LIBTORCH is the folder that holds include/ and lib/ (an unpacked
# libtorch, or the `torch` folder of a Python environment); scripts/find-libtorch prints it.
set(SCONCE_LIBTORCH "$ENV{LIBTORCH}" CACHE PATH "Folder with libtorch's include/ and lib/")
if(NOT SCONCE_LIBTORCH AND EXISTS "${CMAKE_SOURCE_DIR}/scripts/find-libtorch")
  execute_process(COMMAND bash "${CMAKE_SOURCE_DIR}/scripts/find-libtorch"
    OUTPUT_VARIABLE SCONCE_LIBTORCH OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT SCONCE_LIBTORCH)
  message(FATAL_ERROR "libtorch not found: set LIBTORCH or pass -DSCONCE_LIBTORCH=… (scripts/setup does it for you)")
endif()
if(NOT EXISTS "${SCONCE_LIBTORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "no lib/libtorch_cpu.so below SCONCE_LIBTORCH=${SCONCE_LIBTORCH}")
endif()

add_library(sconce_libtorch INTERFACE)
target_include_directories(sconce_libtorch SYSTEM INTERFACE
  ${SCONCE_LIBTORCH}/include ${SCONCE_LIBTORCH}/include/torch/csrc/api/include)
target_link_libraries(sconce_libtorch INTERFACE
  ${SCONCE_LIBTORCH}/lib/libtorch_cpu.so ${SCONCE_LIBTORCH}/lib/libc10.so)
target_link_options(sconce_libtorch INTERFACE "-Wl,-rpath,${SCONCE_LIBTORCH}/lib" -Wl,--disable-new-dtags)

# The version this tree is compiled against, compared with the loaded library's at run time.
file(STRINGS "${SCONCE_LIBTORCH}/include/torch/headeronly/version.h" _version
  REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
string(REGEX REPLACE "[^0-9;]" "" _version "${_version}")
string(REPLACE ";" "." SCONCE_TORCH_VERSION "${_version}")
message(STATUS "libtorch ${SCONCE_TORCH_VERSION} in ${SCONCE_LIBTORCH}")
