# write_loss_list(HEADER FOLDER...): writes a header that includes all losses of the folders, FOLDER/NAME.h with
# struct diopter::NameLoss (focal_star.h: FocalStarLoss), and defines
#   using AnyLoss = std::variant<...>;   constexpr const char* kLossNames[] = {...};   in the order of folders and names
# A header more is noticed at the next build.
function(write_loss_list header)
  set(declarations "")
  set(includes "")
  set(checks "")
  set(names "")
  set(types "")
  foreach(folder IN LISTS ARGN)
    file(GLOB files CONFIGURE_DEPENDS ${folder}/*.h)
    if(NOT files)
      message(FATAL_ERROR "${folder}: no header of a loss there (docs/adding_a_loss.md)")
    endif()
    foreach(file IN LISTS files)
      get_filename_component(name ${file} NAME_WE)
      if(NOT name MATCHES "^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
        message(FATAL_ERROR "${file}: a loss's file name has small letters, digits and single underscores")
      elseif(name IN_LIST names)
        message(FATAL_ERROR "${file}: there already is a loss of this name")
      endif()
      list(APPEND names ${name})
      set(type "")
      string(REPLACE "_" ";" words ${name})
      foreach(word IN LISTS words)
        string(SUBSTRING ${word} 0 1 initial)
        string(SUBSTRING ${word} 1 -1 rest)
        string(TOUPPER ${initial} initial)
        string(APPEND type ${initial}${rest})
      endforeach()
      string(APPEND type "Loss")
      list(APPEND types ${type})
      string(APPEND declarations "struct ${type};\n")
      string(APPEND includes "#include \"${file}\"\n")
      string(APPEND checks "static_assert(PointwiseLoss<${type}>,\n    \"${name}.h must define struct "
        "diopter::${type} with operator()(x, positive) and source: see docs/adding_a_loss.md\");\n")
    endforeach()
  endforeach()
  list(JOIN types ", " types)
  list(JOIN names "\", \"" names)
  file(CONFIGURE OUTPUT ${header} @ONLY CONTENT "// Written by CMake (cmake/LossList.cmake) from the headers that it includes.
#pragma once

#include <variant>

#include \"kernels/detection/pointwise_loss.h\"

namespace diopter {
@declarations@}

@includes@
namespace diopter {
@checks@
using AnyLoss = std::variant<@types@>;
constexpr const char* kLossNames[] = {\"@names@\"};
}  // namespace diopter
")
endfunction()
