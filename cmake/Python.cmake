# The Python package (docs/python.md): diopter._kernels, compiled with nanobind, and the package's Python beside it.
#   DIOPTER_PYTHON   on, off, or auto: where the Python that CMake finds has nanobind. `pip install .` sets it
# Python is that of build/python_environment, where tools/setup.sh --dev has made one, or -DPython_EXECUTABLE.
# In the build folder the package lies in python/diopter, for the tests; an installation has it as the component python.
set(DIOPTER_PYTHON_KIND off)
if(NOT DIOPTER_PYTHON STREQUAL "off" AND DIOPTER_SHARED AND NOT DIOPTER_SANITIZE)
  set(environment ${PROJECT_SOURCE_DIR}/build/python_environment)
  if(NOT Python_EXECUTABLE AND EXISTS ${environment}/complete)
    set(Python_EXECUTABLE ${environment}/bin/python)
  endif()
  find_package(Python 3.9 QUIET COMPONENTS Interpreter Development.Module)
  if(Python_FOUND)
    execute_process(COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir OUTPUT_VARIABLE nanobind_ROOT ERROR_QUIET
      OUTPUT_STRIP_TRAILING_WHITESPACE)
    find_package(nanobind CONFIG QUIET)
  endif()
  if(nanobind_FOUND)
    set(DIOPTER_PYTHON_KIND on)
  elseif(DIOPTER_PYTHON STREQUAL "on")
    message(FATAL_ERROR "DIOPTER_PYTHON=on needs Python with its headers and nanobind: pip install nanobind")
  endif()
endif()
message(STATUS "Python package: ${DIOPTER_PYTHON_KIND}")
if(DIOPTER_PYTHON_KIND STREQUAL "off")
  return()
endif()

set(package ${PROJECT_BINARY_DIR}/python/diopter)
file(GLOB python_sources CONFIGURE_DEPENDS retinanet/python/*.cpp)
nanobind_add_module(diopter_python NB_STATIC ${python_sources})
set_target_properties(nanobind-static PROPERTIES SYSTEM ON)  # its headers are not ours to warn about
target_link_libraries(diopter_python PRIVATE diopter_c_api diopter_frame_flags)
set_target_properties(diopter_python PROPERTIES OUTPUT_NAME _kernels LIBRARY_OUTPUT_DIRECTORY ${package})
file(GLOB python_files CONFIGURE_DEPENDS retinanet/python/diopter/*)
file(MAKE_DIRECTORY ${package}/include)
foreach(file IN LISTS python_files)
  get_filename_component(name ${file} NAME)
  file(CREATE_LINK ${file} ${package}/${name} SYMBOLIC)
endforeach()
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/kernels ${package}/include/kernels SYMBOLIC)

# What diopter.losses.compile compiles a header with. The rest of the package is copied by its build (pyproject.toml).
install(TARGETS diopter_python LIBRARY DESTINATION diopter COMPONENT python EXCLUDE_FROM_ALL)
install(DIRECTORY kernels/base kernels/detection kernels/toolkit DESTINATION diopter/include/kernels COMPONENT python
  EXCLUDE_FROM_ALL FILES_MATCHING PATTERN "*.h" PATTERN widest_vectors.cpp)
