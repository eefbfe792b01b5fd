# With DIOPTER_UNITY the files of a folder are compiled as one, which takes two thirds of the time of all of them, or less:
# templates and inline functions of headers are compiled once instead of in each file. For builds that begin at nothing
# (the preset auto, .ci/run); who edits builds file by file. Kernels (.cu) always are. A folder has those below it
# (kernels/detection/pairs) with it; names in its anonymous namespaces must differ.
#   compile_by_folder(TARGET [EXCEPT REGEX])   of the target's sources, those in the source tree whose paths do not match
# What asks which CUDA side there is makes a group of its own: the rest is compiled once for all builds, by ccache.
string(CONCAT ASKS_FOR_CUDA "#include \"(generated/cuda_kind|kernels/toolkit/dispatch|tools/kernels/(bench|scene)"
  "|tests/support/(devices|device_buffer|gradcheck))\\.h\"")
function(compile_by_folder target)
  if(NOT DIOPTER_UNITY)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 by_folder "" EXCEPT "")
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source)
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE path)
    if(EXISTS ${source} AND path MATCHES "^(kernels|engine|data|retinanet|tools|tests)/"
       AND NOT (by_folder_EXCEPT AND path MATCHES "${by_folder_EXCEPT}"))
      cmake_path(GET path PARENT_PATH folder)
      string(REGEX MATCH "^(tests/)?[a-z_]+(/[a-z_]+)?" folder ${folder})
      string(REPLACE "/" "_" group ${folder})
      file(STRINGS ${source} asks REGEX "${ASKS_FOR_CUDA}" LIMIT_COUNT 1)
      if(asks)
        string(APPEND group "_cuda")
      endif()
      set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
    endif()
  endforeach()
endfunction()
