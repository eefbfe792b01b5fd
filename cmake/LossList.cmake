include(${CMAKE_CURRENT_LIST_DIR}/HeaderNames.cmake)

# write_loss_list(SOURCES FOLDER LOSSES...): writes into FOLDER/generated what the build knows of the losses in the folders
# LOSSES, LOSSES/NAME.h with struct diopter::NameLoss (focal_star.h: FocalStarLoss):
#   loss_list.h       includes all of them and defines struct AnyLoss, a std::variant of them, and kLossNames, in the order
#                     of folders and names
#   losses/NAME.cpp   the CPU's loops over logits, compiled for this loss
# and sets SOURCES to the latter. A header more is noticed at the next build.
function(write_loss_list sources folder)
  set(written "")
  set(declarations "")
  set(includes "")
  set(checks "")
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
      set(source ${folder}/generated/losses/${name}.cpp)
      list(APPEND written ${source})
      file(CONFIGURE OUTPUT ${source} @ONLY CONTENT "// Written by CMake (cmake/LossList.cmake).
#include \"kernels/detection/loss_blocks.h\"

namespace diopter {
@declaration@
}

#include \"@file@\"

namespace diopter {
@check@
template cpu::LossFunctions cpu::functions_of(const @type@&, const float*);

}  // namespace diopter
")
    endforeach()
  endforeach()
  list(JOIN types ", " types)
  list(JOIN names "\", \"" names)
  file(CONFIGURE OUTPUT ${folder}/generated/loss_list.h @ONLY CONTENT "// Written by CMake (cmake/LossList.cmake) from the headers that it includes.
#pragma once

#include <variant>

#include \"kernels/detection/pointwise_loss.h\"

namespace diopter {
@declarations@}

@includes@
namespace diopter {
@checks@

struct AnyLoss : std::variant<@types@> {
  using variant::variant;
  using variant::operator=;
};
constexpr const char* kLossNames[] = {\"@names@\"};
}  // namespace diopter
")
  set(${sources} ${written} PARENT_SCOPE)
endfunction()
