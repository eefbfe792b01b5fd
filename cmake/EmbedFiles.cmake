# embed_files(OUTPUT.cpp NAMESPACE::NAME FILE...): writes a C++ file that defines
#   const std::map<std::string, std::string>& NAME();   file name without extension -> contents
# so that the program needs no data files beside it.
function(embed_files output qualified_name)
  string(REGEX REPLACE "::[^:]*$" "" namespace "${qualified_name}")
  string(REGEX REPLACE "^.*::" "" name "${qualified_name}")
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
