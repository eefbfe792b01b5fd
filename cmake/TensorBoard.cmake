# TensorBoard's messages, for event files: engine/tensorboard/event_file.cpp where protobuf and its compiler are installed,
# else its stand-in without_protobuf.cpp.
# Takes one of the two out of ENGINE_SOURCES and adds what protoc writes; sets EVENT_MESSAGES, the target to link, or "".
# Target generated_headers: what a tool that only reads sources needs (tools/tidy.sh).
set(EVENT_MESSAGES "")
add_custom_target(generated_headers)
if(NOT DIOPTER_TENSORBOARD STREQUAL "off")
  find_package(Protobuf QUIET)
  if(TARGET protobuf::libprotobuf AND TARGET protobuf::protoc)
    set(EVENT_MESSAGES event_messages)
    set(folder ${PROJECT_BINARY_DIR}/generated/tensorboard)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(OUTPUT ${folder}/event.pb.cc ${folder}/event.pb.h
      COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR}/engine/tensorboard --cpp_out=${folder} event.proto
      DEPENDS ${PROJECT_SOURCE_DIR}/engine/tensorboard/event.proto VERBATIM)
    set_source_files_properties(${folder}/event.pb.cc PROPERTIES COMPILE_OPTIONS -w SKIP_PRECOMPILE_HEADERS ON)
    list(APPEND ENGINE_SOURCES ${folder}/event.pb.cc ${folder}/event.pb.h)
    add_custom_target(event_header DEPENDS ${folder}/event.pb.h)
    add_dependencies(generated_headers event_header)
    add_library(event_messages INTERFACE)
    target_include_directories(event_messages SYSTEM INTERFACE $<BUILD_INTERFACE:${folder}>)
    target_link_libraries(event_messages INTERFACE protobuf::libprotobuf)
  elseif(DIOPTER_TENSORBOARD STREQUAL "on")
    message(FATAL_ERROR "DIOPTER_TENSORBOARD=on, but protobuf or its compiler is not found (tools/setup.sh installs them)")
  endif()
endif()
if(EVENT_MESSAGES)
  message(STATUS "TensorBoard: yes")
  list(FILTER ENGINE_SOURCES EXCLUDE REGEX "/without_protobuf\\.cpp$")
else()
  message(STATUS "TensorBoard: no")
  list(FILTER ENGINE_SOURCES EXCLUDE REGEX "/event_file\\.cpp$")
endif()
