# The Python package: each *_test.py by unittest, with the package of the build folder. ctest -L python
if(DIOPTER_PYTHON_KIND STREQUAL "on")
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.py)
  foreach(file IN LISTS tests)
    get_filename_component(name ${file} NAME_WE)
    add_test(NAME "python: ${name}" COMMAND ${Python_EXECUTABLE} -m unittest -v ${name}
      WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})
    set_tests_properties("python: ${name}" PROPERTIES LABELS python TIMEOUT 600 ENVIRONMENT
      "PYTHONPATH=${PROJECT_BINARY_DIR}/python;PYTHONDONTWRITEBYTECODE=1;DIOPTER_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
  endforeach()
else()
  add_test(NAME "python: the package" COMMAND ${CMAKE_COMMAND} -E echo
    "SKIPPED: the Python package is not built (needs Python's headers and nanobind: docs/python.md)")
  set_tests_properties("python: the package" PROPERTIES LABELS python SKIP_REGULAR_EXPRESSION "SKIPPED: ")
endif()
