# Sets namespace and name of NAMESPACE::NAME.
macro(split_qualified_name qualified_name)
  string(REGEX REPLACE "::[^:]*$" "" namespace "${qualified_name}")
  string(REGEX REPLACE "^.*::" "" name "${qualified_name}")
endmacro()

# embed_files(OUTPUT.cpp NAMESPACE::NAME FILE...): writes a C++ file that defines
#   const std::map<std::string, std::string>& NAME();   file name without extension -> contents
# so that the program needs no data files beside it.
function(embed_files output qualified_name)
  split_qualified_name(${qualified_name})
  set(entries "")
  foreach(file IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    get_filename_component(stem ${file} NAME_WE)
    string(APPEND entries "    {\"${stem}\", R\"embedded(${text})embedded\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT "#include <map>
#include <string>
namespace @namespace@ {
const std::map<std::string, std::string>& @name@();
const std::map<std::string, std::string>& @name@() {
  static const std::map<std::string, std::string> files = {
@entries@  };
  return files;
}
}  // namespace @namespace@
")
endfunction()

# embed_bytes(OUTPUT.cpp NAMESPACE::NAME FILE): writes a C++ file that defines
#   std::string_view NAME();   the file's bytes, which the assembler takes in
function(embed_bytes output qualified_name file)
  split_qualified_name(${qualified_name})
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT "#include <string_view>
__asm__(
    \".pushsection .rodata\\n\"
    \".balign 16\\n\"
    \".hidden @name@_begin\\n.globl @name@_begin\\n@name@_begin:\\n\"
    \".incbin \\\"@file@\\\"\\n\"
    \".hidden @name@_end\\n.globl @name@_end\\n@name@_end:\\n\"
    \".popsection\\n\");
extern \"C\" __attribute__((visibility(\"hidden\"))) const char @name@_begin[], @name@_end[];
namespace @namespace@ {
std::string_view @name@();
std::string_view @name@() { return {@name@_begin, static_cast<std::size_t>(@name@_end - @name@_begin)}; }
}  // namespace @namespace@
")
  set_source_files_properties(${output} PROPERTIES OBJECT_DEPENDS ${file} SKIP_PRECOMPILE_HEADERS ON
                              SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
