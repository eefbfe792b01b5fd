# The build, installed and used by somebody else's program; and its source tree as a part of theirs. ctest -L install
if(NOT TARGET diopter_shared OR NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
function(install_test name folder)
  add_test(NAME "install: ${name}" COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR} -DSOURCE=${PROJECT_SOURCE_DIR}
    -DCOMPILER=${CMAKE_CXX_COMPILER} -DSCRATCH=${PROJECT_BINARY_DIR}/${folder} ${ARGN}
    -P ${PROJECT_SOURCE_DIR}/tests/install/check.cmake)
  set_tests_properties("install: ${name}" PROPERTIES LABELS install TIMEOUT 600)
endfunction()
install_test("the package, moved elsewhere, in other programs" installed)
install_test("the source tree in another build" as_subdirectory -DSUBDIRECTORY=ON)

# The wheel, in fresh environments: minutes, and PyPI. Where the build found nanobind.
# DIOPTER_TEST_WHEEL=1 ctest --preset release -L wheel
if(DIOPTER_PYTHON_KIND STREQUAL "on")
  add_test(NAME "install: the wheel" COMMAND ${CMAKE_CURRENT_LIST_DIR}/wheel.sh ${PROJECT_SOURCE_DIR}
    ${PROJECT_BINARY_DIR}/wheel_test ${Python_EXECUTABLE})
  set_tests_properties("install: the wheel" PROPERTIES LABELS wheel SKIP_RETURN_CODE 77 TIMEOUT 3600)
endif()

add_test(NAME "install: the archive and the Debian package" COMMAND ${CMAKE_CURRENT_LIST_DIR}/packages.sh
  ${PROJECT_BINARY_DIR} ${PROJECT_BINARY_DIR}/package_test)
set_tests_properties("install: the archive and the Debian package" PROPERTIES LABELS install SKIP_RETURN_CODE 77 TIMEOUT 600)
