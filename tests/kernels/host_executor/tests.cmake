# Tests of the CUDA side besides those of its kernels. language_*.cu runs on a GPU too: the executor and the GPU must
# mean the same by barriers, shuffles and streams.
set(here ${CMAKE_CURRENT_LIST_DIR})
if(NOT DIOPTER_CUDA_KIND STREQUAL "off")
  target_sources(kernels_tests PRIVATE ${here}/language_kernels.cu ${here}/language_test.cpp ${here}/streams_test.cpp)
endif()
if(DIOPTER_CUDA_KIND STREQUAL "host")
  executor_sources(${here}/language_kernels.cu ${here}/planted_bugs.cu)
  add_executable(planted_bugs ${here}/planted_bugs.cu)
  target_link_libraries(planted_bugs PRIVATE diopter_kernels)
  if(DIOPTER_SANITIZE STREQUAL "thread")
    set(flavour tsan)
  elseif(DIOPTER_SANITIZE)
    string(TOLOWER asan-${CMAKE_CXX_COMPILER_ID} flavour)
  else()
    set(flavour fast)
  endif()
  target_sources(kernels_tests PRIVATE ${here}/planted_bugs_test.cpp)
  target_compile_definitions(kernels_tests PRIVATE DIOPTER_FLAVOUR="${flavour}"
                             DIOPTER_PLANTED_BUGS="$<TARGET_FILE:planted_bugs>")
  add_dependencies(kernels_tests planted_bugs)
endif()

# All kernels once more with the executor's threads in other orders, and with streams that wait until they must not.
# Sanitizers make this slow: there each of them takes a part, which together are everything. Races are found in any order.
if(DIOPTER_CUDA_KIND STREQUAL "host")
  set(settings_fast ORDER=reverse ORDER=shuffle LAZY=1)
  set(settings_asan-clang ORDER=shuffle LAZY=1)
  set(settings_asan-gnu ORDER=reverse)
  set(settings_tsan LAZY=1)
  foreach(setting ${settings_${flavour}})
    add_test(NAME "kernels on the executor: ${setting}" COMMAND kernels_tests "~planted*")
    set_tests_properties("kernels on the executor: ${setting}" PROPERTIES ENVIRONMENT "DIOPTER_EXECUTOR_${setting}"
                         TIMEOUT 1200)
  endforeach()
endif()

# The device's memory, when there is little of it. And a list of what one of the runs above has launched.
if(DIOPTER_CUDA_KIND STREQUAL "host" AND flavour STREQUAL "fast")
  add_test(NAME "kernels on the executor: MEMORY=256" COMMAND kernels_tests "cuda memory*,cuda graphs*,recorded work*")
  set_tests_properties("kernels on the executor: MEMORY=256" PROPERTIES ENVIRONMENT "DIOPTER_EXECUTOR_MEMORY=256")
  set(launches ${PROJECT_BINARY_DIR}/launches.txt)
  set_property(TEST "kernels on the executor: ORDER=reverse" APPEND PROPERTY ENVIRONMENT
               "DIOPTER_EXECUTOR_LAUNCHES=${launches}")
  set_tests_properties("kernels on the executor: ORDER=reverse" PROPERTIES FIXTURES_SETUP launches)
  add_test(NAME "kernels on the executor: every instantiation is launched"
           COMMAND ${here}/unlaunched.sh $<TARGET_FILE:kernels_tests> $<TARGET_FILE:diopter_kernels> ${launches})
  set_tests_properties("kernels on the executor: every instantiation is launched" PROPERTIES FIXTURES_REQUIRED launches)
endif()
