include(${CMAKE_CURRENT_LIST_DIR}/HeaderNames.cmake)

# write_backbone_list(FOLDER BACKBONES...): writes into FOLDER what the build knows of the backbones in the folders
# BACKBONES, BACKBONES/NAME.h with class diopter::NameBackbone:
#   generated/backbone_names.h  kBackboneNames, for the configuration
#   generated/backbone_list.h   includes all of them and defines AllBackbones, the types in the same order
# A header more is noticed at the next build.
function(write_backbone_list folder)
  set(names "")
  set(types "")
  set(declarations "")
  set(includes "")
  set(checks "")
  foreach(backbones IN LISTS ARGN)
    file(GLOB files CONFIGURE_DEPENDS ${backbones}/*.h)
    foreach(file IN LISTS files)
      get_filename_component(name ${file} NAME_WE)
      if(name IN_LIST names)
        message(FATAL_ERROR "${file}: there already is a backbone of this name")
      endif()
      type_of_header(type ${file} Backbone)
      list(APPEND names ${name})
      list(APPEND types ${type})
      string(APPEND declarations "class ${type};\n")
      string(APPEND includes "#include \"${file}\"\n")
      string(APPEND checks "static_assert(std::is_base_of_v<Backbone, ${type}>,\n    \"${name}.h must define class "
        "diopter::${type}, a Backbone: see docs/adding_a_backbone.md\");\n")
    endforeach()
  endforeach()
  list(JOIN types ", " types)
  list(JOIN names "\", \"" names)
  file(CONFIGURE OUTPUT ${folder}/generated/backbone_names.h @ONLY CONTENT "// Written by CMake (cmake/BackboneList.cmake).
#pragma once

namespace diopter {
constexpr const char* kBackboneNames[] = {\"@names@\"};
}  // namespace diopter
")
  file(CONFIGURE OUTPUT ${folder}/generated/backbone_list.h @ONLY CONTENT "// Written by CMake (cmake/BackboneList.cmake) from the headers that it includes.
#pragma once

#include <type_traits>

#include \"retinanet/network/backbone.h\"

namespace diopter {
@declarations@}

@includes@
namespace diopter {
@checks@
template <class... Backbones>
struct BackboneTypes {};
using AllBackbones = BackboneTypes<@types@>;
}  // namespace diopter
")
endfunction()
