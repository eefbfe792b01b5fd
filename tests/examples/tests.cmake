# The example of docs/adding_a_loss.md as one more loss of the list: what holds for every loss, on every device of the
# build. Only what the list reaches is compiled again.
set(here ${CMAKE_CURRENT_LIST_DIR})
set(detection ${PROJECT_SOURCE_DIR}/kernels/detection)
write_loss_list(sources ${PROJECT_BINARY_DIR}/with_example ${detection}/losses ${here}/losses)
list(FILTER sources INCLUDE REGEX "/poly\\.cpp$")  # the others are in diopter_kernels
list(APPEND sources ${detection}/loss_functions.cpp ${detection}/classification_loss.cpp)
if(NOT DIOPTER_CUDA_KIND STREQUAL "off")
  list(APPEND sources ${detection}/classification_loss.cu)
endif()
if(DIOPTER_CUDA_KIND STREQUAL "host")
  executor_sources(${detection}/classification_loss.cu)
endif()
add_executable(example_loss_tests ${sources} ${PROJECT_SOURCE_DIR}/retinanet/config/loss_text.cpp
  ${PROJECT_SOURCE_DIR}/kernels/base/did_you_mean.cpp ${here}/poly_test.cpp ${here}/../retinanet/config/loss_text_test.cpp
  ${here}/../kernels/detection/losses_test.cpp ${here}/../kernels/detection/classification_loss_test.cpp
  $<TARGET_OBJECTS:catch_main>)
target_include_directories(example_loss_tests BEFORE PRIVATE ${PROJECT_BINARY_DIR}/with_example)
target_link_libraries(example_loss_tests PRIVATE diopter_engine Catch2::Catch2)
catch_discover_tests(example_loss_tests TEST_PREFIX "example of a loss: " DISCOVERY_MODE PRE_TEST
  PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED: " LABELS example)
