include(${CMAKE_CURRENT_LIST_DIR}/HeaderNames.cmake)

# write_loss_list(SOURCES FOLDER LOSSES...): writes into FOLDER/generated what the build knows of the losses in the folders
# LOSSES, LOSSES/NAME.h with struct diopter::NameLoss (focal_star.h: FocalStarLoss):
#   loss_list.h, .cpp  include all of them and list their types; list their entries (kernels/detection/any_loss.h): in the
#                     order of folders and names
#   losses/NAME.cpp   what is compiled for this loss on the CPU: its entry, and loops over logits
# and sets SOURCES to the sources. A header more is noticed at the next build.
function(write_loss_list sources folder)
  set(written "")
  set(declarations "")
  set(includes "")
  set(checks "")
  set(entries "")
  set(names "")
  set(types "")
  foreach(losses IN LISTS ARGN)
    file(GLOB files CONFIGURE_DEPENDS ${losses}/*.h)
    if(NOT files)
      message(FATAL_ERROR "${losses}: no header of a loss there (docs/adding_a_loss.md)")
    endif()
    foreach(file IN LISTS files)
      get_filename_component(name ${file} NAME_WE)
      if(name IN_LIST names)
        message(FATAL_ERROR "${file}: there already is a loss of this name")
      endif()
      list(APPEND names ${name})
      type_of_header(type ${file} Loss)
      list(APPEND types ${type})
      set(declaration "struct ${type};")
      string(APPEND declarations "${declaration}\n")
      string(APPEND includes "#include \"${file}\"\n")
      string(CONCAT check "static_assert(PointwiseLoss<${type}>,\n    \"${name}.h must define struct diopter::${type} with "
        "operator()(x, positive) and source: see docs/adding_a_loss.md\");\n")
      string(APPEND checks "${check}")
      list(APPEND entries "&loss_entry<${type}>()")
      set(source ${folder}/generated/losses/${name}.cpp)
      list(APPEND written ${source})
      file(CONFIGURE OUTPUT ${source} @ONLY CONTENT "// Written by CMake (cmake/LossList.cmake).
#include \"kernels/detection/loss_entry.h\"

namespace diopter {
@declaration@
}

#include \"@file@\"

namespace diopter {
@check@
template <>
constexpr const char* kLossName<@type@> = \"@name@\";
template const LossEntry& loss_entry<@type@>();

}  // namespace diopter
")
    endforeach()
  endforeach()
  list(JOIN types ", " types)
  list(JOIN entries ",\n                                           " entries)
  file(CONFIGURE OUTPUT ${folder}/generated/loss_list.h @ONLY CONTENT "// Written by CMake (cmake/LossList.cmake) from the headers that it includes.
#pragma once

#include \"kernels/detection/pointwise_loss.h\"

namespace diopter {
@declarations@}

@includes@
namespace diopter {
@checks@
template <class... Losses>
struct LossTypes {};
using AllLossTypes = LossTypes<@types@>;
}  // namespace diopter
")
  set(source ${folder}/generated/loss_list.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT "// Written by CMake (cmake/LossList.cmake).
#include \"kernels/detection/any_loss.h\"

namespace diopter {
@declarations@
std::span<const LossEntry* const> loss_entries() {
  static const LossEntry* const entries[] = {@entries@};
  return entries;
}

}  // namespace diopter
")
  set(${sources} ${written} ${source} PARENT_SCOPE)
endfunction()
