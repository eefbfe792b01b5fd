# Fuzz targets: their corpus as a plain program of tests, and with the preset fuzz each as a program of libFuzzer.
set(FUZZ_SOURCES fuzz/target.cpp fuzz/annotations.cpp fuzz/configurations.cpp fuzz/pictures.cpp fuzz/weights.cpp)
test_program(fuzz_tests O0 fuzz/corpus_test.cpp ${FUZZ_SOURCES})
target_link_libraries(fuzz_tests PRIVATE diopter_retinanet)
discover_tests(fuzz_tests "fuzz: ")

if(DIOPTER_FUZZ)
  add_library(fuzz_targets STATIC ${FUZZ_SOURCES})
  target_link_libraries(fuzz_targets PUBLIC diopter_retinanet)
  add_custom_target(fuzz)
  # The targets of each list, under their names there.
  foreach(target IN ITEMS annotation:coco_truth annotation:coco_results annotation:voc annotation:yolo annotation:csv
          annotation:cvat annotation:label_studio annotation:via annotation:labelme
          configuration:config configuration:protocol configuration:run_state
          picture:jpeg picture:png picture:tiff picture:webp picture:picture picture:exif
          weight:safetensors weight:pickle weight:torch_file weight:checkpoint)
    string(REPLACE ":" ";" target ${target})
    list(GET target 0 list)
    list(GET target 1 name)
    add_executable(fuzz_${name} fuzz/fuzz_main.cpp)
    target_compile_definitions(fuzz_${name} PRIVATE DIOPTER_FUZZ_TARGETS=${list}_targets DIOPTER_FUZZ_NAME="${name}")
    target_link_libraries(fuzz_${name} PRIVATE fuzz_targets)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer -fuse-ld=lld)
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    add_dependencies(fuzz fuzz_${name})
  endforeach()
endif()
