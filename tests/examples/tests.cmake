# The examples of two pages, built and run: what holds for every loss, on every device of the build. Only what the list of
# losses reaches is compiled again; the losses themselves are in diopter_kernels but for the example.
set(examples ${CMAKE_CURRENT_LIST_DIR})
set(detection ${PROJECT_SOURCE_DIR}/kernels/detection)
if(DIOPTER_CUDA_KIND STREQUAL "host")
  executor_sources(${detection}/classification_loss.cu)
endif()

# example_tests(PROGRAM FOLDER LOSSES SOURCE...): the tests of losses and those in the sources, with the list of losses that
# was written into FOLDER. LOSSES: those that are other than in diopter_kernels; the first gives the tests their name.
function(example_tests program folder losses)
  list(GET losses 0 loss)
  list(TRANSFORM losses REPLACE "(.+)" "${folder}/generated/losses/\\1.cpp" OUTPUT_VARIABLE sources)
  list(APPEND sources ${folder}/generated/loss_list.cpp)
  if(NOT DIOPTER_CUDA_KIND STREQUAL "off")
    list(APPEND sources ${detection}/classification_loss.cu)
  endif()
  set(tests ${PROJECT_SOURCE_DIR}/tests/kernels/detection)
  test_program(${program} O1 ${sources} ${tests}/losses_test.cpp
    ${tests}/loss_versions.cpp ${tests}/classification_loss_test.cpp ${ARGN})
  target_include_directories(${program} BEFORE PRIVATE ${folder})
  target_link_libraries(${program} PRIVATE diopter_engine diopter_cuda)
  discover_tests(${program} "example, ${loss}: " LABELS example)
endfunction()

# docs/adding_a_loss.md: one more loss.
set(folder ${PROJECT_BINARY_DIR}/with_example)
write_loss_list(sources ${folder} ${detection}/losses ${examples}/losses)
example_tests(example_loss_tests ${folder} gce ${examples}/gce_test.cpp
  ${PROJECT_SOURCE_DIR}/retinanet/config/loss_text.cpp ${PROJECT_SOURCE_DIR}/retinanet/config/range.cpp
  ${PROJECT_SOURCE_DIR}/tests/retinanet/config/loss_text_test.cpp)

# docs/adding_a_kernel.md: focal.h changed, in the place of the project's. The losses that are made from it change with it.
set(changed_losses focal)
set(folder ${PROJECT_BINARY_DIR}/with_changed_focal)
set(changed ${folder}/kernels/detection/losses)
file(GLOB losses CONFIGURE_DEPENDS ${detection}/losses/*.h)
foreach(loss IN LISTS losses)
  get_filename_component(name ${loss} NAME)
  configure_file(${loss} ${changed}/${name} COPYONLY)
  file(STRINGS ${loss} includes_focal REGEX "#include \"kernels/detection/losses/focal.h\"")
  if(includes_focal)
    get_filename_component(name ${loss} NAME_WE)
    list(APPEND changed_losses ${name})
  endif()
endforeach()
configure_file(${examples}/focal_gamma_negative/focal.h ${changed}/focal.h COPYONLY)
write_loss_list(sources ${folder} ${changed})
example_tests(example_kernel_tests ${folder} "${changed_losses}" ${examples}/focal_gamma_negative/focal_gamma_negative_test.cpp
  ${PROJECT_SOURCE_DIR}/tests/kernels/detection/focal_test.cpp ${PROJECT_SOURCE_DIR}/tests/kernels/detection/paper_losses_test.cpp)

# docs/adding_a_backbone.md: its examples as two more backbones of the list; only what the list reaches is compiled again.
write_backbone_list(${PROJECT_BINARY_DIR}/with_backbones ${PROJECT_SOURCE_DIR}/retinanet/network/backbones
                    ${examples}/backbones)
add_executable(example_backbone_tests ${PROJECT_SOURCE_DIR}/retinanet/config/backbone_names.cpp
  ${PROJECT_SOURCE_DIR}/retinanet/network/backbone.cpp ${examples}/backbone_test.cpp $<TARGET_OBJECTS:catch_main>)
target_include_directories(example_backbone_tests BEFORE PRIVATE ${PROJECT_BINARY_DIR}/with_backbones)
target_link_libraries(example_backbone_tests PRIVATE diopter_retinanet Catch2::Catch2)
discover_tests(example_backbone_tests "example, backbones: " LABELS example)

# docs/onnx.md: a program for onnxruntime, where that is installed for C++ (Debian 13: libonnxruntime-dev).
find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_cxx_api.h PATH_SUFFIXES onnxruntime)
find_library(ONNXRUNTIME_LIBRARY onnxruntime)
if(ONNXRUNTIME_INCLUDE_DIR AND ONNXRUNTIME_LIBRARY AND NOT DIOPTER_SANITIZE)
  add_executable(onnx_program ${examples}/onnx/detect.cpp)
  set_target_properties(onnx_program PROPERTIES TEST_PROGRAM ON)
  target_include_directories(onnx_program SYSTEM PRIVATE ${ONNXRUNTIME_INCLUDE_DIR} ${STB_INCLUDE_DIR})
  target_link_libraries(onnx_program PRIVATE test_options_O0 nlohmann_json::nlohmann_json ${ONNXRUNTIME_LIBRARY})
endif()
