# The CUDA side, by DIOPTER_CUDA:
#   on    nvcc compiles the .cu files; cuDNN must be there
#   host  the host executor runs them on the CPU; needs nothing of CUDA but its headers
#   ptx   nvcc compiles them, and the host executor runs the PTX that it made; kernels and their tests only
#   off   no CUDA
#   auto  on where a GPU, nvcc and cuDNN are found, for that GPU; otherwise off; says which and why
# Headers and libraries come from a toolkit or from NVIDIA's wheels (pip: nvidia-cuda-runtime, nvidia-cudnn-cu13, ...),
# whose folders nvidia/*/{include,lib} and include/ are searched below DIOPTER_CUDA_WHEELS. tools/setup.sh --cuda and
# --cuda-headers put them where that points at first.
# Sets DIOPTER_CUDA_KIND to on, host, ptx or off, and makes the target diopter_cuda, which carries what .cu files and
# *_cuda.cpp need.
set(DIOPTER_CUDA auto CACHE STRING "CUDA side: on, host or ptx (executor on the CPU), off, or auto")
set_property(CACHE DIOPTER_CUDA PROPERTY STRINGS auto on host ptx off)
set(DIOPTER_CUDA_WHEELS ${PROJECT_SOURCE_DIR}/build/wheels CACHE PATH
    "Folder with NVIDIA's Python wheels, unpacked (nvidia/, include/)")
option(DIOPTER_EXECUTOR_CHECK "With DIOPTER_CUDA=host or ptx: one block at a time, shared memory that sanitizers see; kernels only"
       OFF)
if(NOT DIOPTER_CUDA MATCHES "^(auto|on|host|ptx|off)$")
  message(FATAL_ERROR "DIOPTER_CUDA is '${DIOPTER_CUDA}', must be auto, on, host, ptx or off")
endif()

file(GLOB wheel_includes ${DIOPTER_CUDA_WHEELS}/nvidia/*/include)
file(GLOB wheel_libraries ${DIOPTER_CUDA_WHEELS}/nvidia/*/lib)
include(cmake/Gpu.cmake)
set(cuda_places $ENV{CUDA_HOME} $ENV{CUDA_PATH} /usr/local/cuda)
add_library(diopter_cuda INTERFACE)

# Sets `missing` to a sentence when there is no nvcc, or to nothing.
function(find_nvcc missing)
  set(${missing} "" PARENT_SCOPE)
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS ENV CUDACXX PATHS ${cuda_places} PATH_SUFFIXES bin)
  if(NOT CMAKE_CUDA_COMPILER)
    set(${missing} "nvcc is not found: install the CUDA Toolkit 12.8 or newer, or name it with -DCMAKE_CUDA_COMPILER"
        PARENT_SCOPE)
  endif()
endfunction()

# The same for the first part that a build for a GPU lacks.
function(find_cuda_parts missing)
  find_nvcc(no_nvcc)
  set(${missing} "${no_nvcc}" PARENT_SCOPE)
  if(no_nvcc)
    return()
  endif()
  get_filename_component(toolkit ${CMAKE_CUDA_COMPILER} DIRECTORY)
  find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${wheel_includes} ${toolkit}/.. ${cuda_places} PATH_SUFFIXES include)
  find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${wheel_libraries} ${toolkit}/.. ${cuda_places}
               PATH_SUFFIXES lib64 lib lib/x86_64-linux-gnu)
  if(NOT CUDNN_INCLUDE_DIR OR NOT CUDNN_LIBRARY)
    set(${missing} "cuDNN 9 is not found: install it beside the toolkit, or tools/setup.sh --cuda fetches it" PARENT_SCOPE)
    return()
  endif()
  find_library(NVRTC_LIBRARY NAMES nvrtc libnvrtc.so.13 libnvrtc.so.12 HINTS ${wheel_libraries} ${toolkit}/..
               ${cuda_places} PATH_SUFFIXES lib64 lib)
  if(NOT NVRTC_LIBRARY)
    set(${missing} "NVRTC, which cudnn-frontend refers to, is not found: it is part of the toolkit, or tools/setup.sh --cuda\
 fetches it" PARENT_SCOPE)
    return()
  endif()
  find_path(CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h HINTS ${DIOPTER_CUDA_WHEELS}/include ${toolkit}/.. ${cuda_places}
            PATH_SUFFIXES include)
  if(NOT CUDNN_FRONTEND_INCLUDE_DIR)
    set(${missing} "the headers of cudnn-frontend are not found: tools/setup.sh --cuda fetches them, or name their\
 folder with -DCUDNN_FRONTEND_INCLUDE_DIR" PARENT_SCOPE)
    return()
  endif()
  find_path(CUBLASLT_INCLUDE_DIR cublasLt.h HINTS ${wheel_includes} ${toolkit}/.. ${cuda_places} PATH_SUFFIXES include)
  if(NOT CUBLASLT_INCLUDE_DIR)
    set(${missing} "cuBLAS's header cublasLt.h is not found: it is part of the toolkit, or pip install nvidia-cublas and name\
 the folder that holds nvidia/ with -DDIOPTER_CUDA_WHEELS" PARENT_SCOPE)
  endif()
endfunction()

set(kind ${DIOPTER_CUDA})
if(DIOPTER_CUDA STREQUAL "on")
  find_cuda_parts(missing)
  if(missing)
    message(FATAL_ERROR "DIOPTER_CUDA=on, but ${missing}")
  endif()
elseif(DIOPTER_CUDA STREQUAL "auto")
  find_gpu(missing gpu_architectures)
  if(NOT missing)
    find_cuda_parts(missing)
    string(REGEX REPLACE "^(.+)$" "a GPU is here, but \\1" missing "${missing}")
  endif()
  if(missing)
    set(kind off)
    message(NOTICE "${missing}; building for the CPU")
  else()
    set(kind on)
    message(NOTICE "a GPU and nvcc are here; building for the GPU (${gpu_architectures})")
  endif()
endif()
set(DIOPTER_CUDA_KIND ${kind} CACHE INTERNAL "CUDA side of this build: on, host, ptx or off")

set(CUDA_BUILD_TEXT "not in this build")  # for `diopter info`

# For nvcc as a compiler of CMake's, with these architectures where the user named none. Not a function, because languages
# are enabled at file scope.
macro(enable_nvcc)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES ${ARGN})
  endif()
  set(CMAKE_CUDA_ARCHITECTURES "${CMAKE_CUDA_ARCHITECTURES}" CACHE STRING "Architectures to compile kernels for")
  set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER} CACHE FILEPATH "Host compiler of nvcc")
  if(CCACHE)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_LAUNCHER} ${CCACHE})
  endif()
  enable_language(CUDA)
  # CMake 3.25 does not know that nvcc has C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
endmacro()

if(DIOPTER_CUDA_KIND STREQUAL "on")
  if(NOT gpu_architectures)
    set(gpu_architectures 80-real 86-real 89-real 90-real 100-real 120)
  endif()
  enable_nvcc(${gpu_architectures})
  find_package(CUDAToolkit 12.8 REQUIRED)
  target_include_directories(diopter_cuda SYSTEM INTERFACE
    "$<BUILD_INTERFACE:${CUDNN_INCLUDE_DIR};${CUDNN_FRONTEND_INCLUDE_DIR};${CUBLASLT_INCLUDE_DIR}>")
  target_link_libraries(diopter_cuda INTERFACE CUDA::cudart_static ${CUDNN_LIBRARY} ${NVRTC_LIBRARY} ${CMAKE_DL_LIBS})
  # cuBLASLt is opened at its first use (kernels/nn/conv2d/conv2d_products.h): programs know where it lay when they were
  # linked, and run without it.
  find_library(CUBLASLT_LIBRARY NAMES cublasLt libcublasLt.so.13 libcublasLt.so.12 HINTS ${wheel_libraries}
               ${CUDAToolkit_LIBRARY_DIR} ${cuda_places} PATH_SUFFIXES lib64 lib)
  if(CUBLASLT_LIBRARY)
    get_filename_component(cublaslt_folder ${CUBLASLT_LIBRARY} DIRECTORY)
    target_link_options(diopter_cuda INTERFACE -Wl,-rpath,${cublaslt_folder})
  endif()
  file(STRINGS ${CUDNN_FRONTEND_INCLUDE_DIR}/cudnn_frontend_version.h frontend_lines
       REGEX "define CUDNN_FRONTEND_(MAJOR|MINOR|PATCH)_VERSION [0-9]+")
  string(REGEX REPLACE "[^;]*_VERSION ([0-9]+)[^;]*" "\\1" frontend_version "${frontend_lines}")
  string(REPLACE ";" "." frontend_version "${frontend_version}")
  if(frontend_version VERSION_LESS 1.32)
    message(FATAL_ERROR "cudnn-frontend ${frontend_version} in ${CUDNN_FRONTEND_INCLUDE_DIR} is too old, 1.32.0 is what was\
 tried: tools/setup.sh --cuda fetches it, or name its folder with -DCUDNN_FRONTEND_INCLUDE_DIR")
  endif()
  string(REPLACE ";" ", " text "${CMAKE_CUDA_ARCHITECTURES}")
  string(REPLACE "-real" "" text "${text}")
  set(CUDA_BUILD_TEXT "compiled by nvcc ${CMAKE_CUDA_COMPILER_VERSION} for sm_${text}")
  message(STATUS "CUDA: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, architectures ${CMAKE_CUDA_ARCHITECTURES}, ${CUDNN_LIBRARY}, "
                 "cudnn-frontend ${frontend_version}, cuBLASLt ${CUBLASLT_LIBRARY}")
elseif(DIOPTER_CUDA_KIND MATCHES "^(host|ptx)$")
  if(DIOPTER_CUDA_KIND STREQUAL "ptx")
    find_nvcc(missing)
    if(missing)
      message(FATAL_ERROR "DIOPTER_CUDA=ptx, but ${missing}")
    endif()
    enable_nvcc(90-virtual)
    set(CMAKE_CUDA_RUNTIME_LIBRARY None)  # the executor is it
  endif()
  find_path(CUDA_HEADERS cuda_runtime.h HINTS ${wheel_includes} ${cuda_places} PATH_SUFFIXES include)
  if(NOT CUDA_HEADERS)
    message(FATAL_ERROR "DIOPTER_CUDA=${DIOPTER_CUDA} needs CUDA's headers: install a toolkit, or run tools/setup.sh --cuda-headers")
  endif()
  target_include_directories(diopter_cuda SYSTEM INTERFACE "$<BUILD_INTERFACE:${CUDA_HEADERS};${wheel_includes}>")
  foreach(folder IN LISTS CUDA_HEADERS wheel_includes)
    list(APPEND EXECUTOR_OPTIONS -isystem ${folder})  # the same for single files
  endforeach()
  if(DIOPTER_EXECUTOR_CHECK)
    target_compile_definitions(diopter_cuda INTERFACE DIOPTER_EXECUTOR_CHECK)
    list(APPEND EXECUTOR_OPTIONS -DDIOPTER_EXECUTOR_CHECK)
  endif()
  if(DIOPTER_SANITIZE STREQUAL "thread")
    target_compile_definitions(diopter_cuda INTERFACE DIOPTER_EXECUTOR_TSAN)
    list(APPEND EXECUTOR_OPTIONS -DDIOPTER_EXECUTOR_TSAN)
  endif()
  set(CUDA_BUILD_TEXT "on the CPU: the host executor")
  message(STATUS "CUDA: host executor, headers in ${CUDA_HEADERS}, kernels from ${DIOPTER_CUDA_KIND}")
endif()

# A header that says which CUDA side the build has. Not definitions for every file: most are the same whichever it is, and
# ccache compiles these once for all builds.
#   DIOPTER_WITH_CUDA       there is one
#   DIOPTER_HOST_EXECUTOR   on the CPU
#   DIOPTER_WITH_CUDNN      on a GPU, with cuDNN
function(write_cuda_kind file)
  set(text "#pragma once\n")
  if(NOT DIOPTER_CUDA_KIND STREQUAL "off")
    string(APPEND text "#define DIOPTER_WITH_CUDA\n")
    if(DIOPTER_CUDA_KIND STREQUAL "on")
      string(APPEND text "#define DIOPTER_WITH_CUDNN\n")
    else()
      string(APPEND text "#define DIOPTER_HOST_EXECUTOR\n")
    endif()
  endif()
  file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
endfunction()

# How .cu files are compiled for the host executor: as C++, which casts between float* and float4*, and adds floats up in
# double on purpose. In check flavours clang asks the executor where each __shared__ variable of a block lies.
function(executor_sources)
  set(options -xc++ -fno-strict-aliasing -Wno-unknown-pragmas -Wno-double-promotion)
  if(DIOPTER_EXECUTOR_CHECK AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    list(APPEND options -femulated-tls)
  endif()
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${options}" SKIP_PRECOMPILE_HEADERS ON)
endfunction()

# Links a target of the kind ptx with .cu files; `scope` is INTERFACE for a library whose programs shall be linked with them.
# nvcc compiles host and device code, as for a GPU; then its PTX becomes C++ on the lines of the .cu files, which has little
# optimisation because there is as much of it as there are instructions. Objects, not members of an archive: kernels are
# registered by constructors that nothing refers to.
function(link_translated target scope)
  set(compiled ${target}_nvcc)
  add_library(${compiled} OBJECT ${ARGN})
  target_link_libraries(${compiled} PRIVATE diopter_flags diopter_cuda)
  target_compile_options(${compiled} PRIVATE --no-compress)  # ptx_to_cpp finds the PTX in the objects
  set(translated ${target}_translated)
  add_library(${translated} OBJECT)
  target_link_libraries(${translated} PRIVATE diopter_flags diopter_cuda)
  target_compile_options(${translated} PRIVATE -O1 -w -fno-strict-aliasing -fwrapv -fstack-clash-protection)
  foreach(source ${ARGN})
    file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
    file(RELATIVE_PATH name_here ${CMAKE_CURRENT_SOURCE_DIR} ${source})
    set(object $<FILTER:$<TARGET_OBJECTS:${compiled}>,INCLUDE,/${name_here}.o$>)
    set(output ${PROJECT_BINARY_DIR}/generated/${name}.cpp)
    get_filename_component(folder ${output} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(OUTPUT ${output} COMMAND ptx_to_cpp ${object} ${output} ${PROJECT_SOURCE_DIR}
                       DEPENDS ptx_to_cpp ${object}
                       COMMENT "Translating the PTX of ${name}" VERBATIM)
    target_sources(${translated} PRIVATE ${output})
  endforeach()
  target_sources(${target} ${scope} $<TARGET_OBJECTS:${compiled}> $<TARGET_OBJECTS:${translated}>)
endfunction()
