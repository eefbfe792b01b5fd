# cmake --install: the program, libdiopter.so with diopter.h, and the C++ libraries as a CMake package (docs/embedding.md,
# docs/engine.md):
#   find_package(Diopter COMPONENTS kernels engine retinanet c)   Diopter::kernels, ...; data comes with retinanet
# In a build of which Diopter is a part (add_subdirectory, FetchContent) the targets have the same names.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Diopter)

# export_component(COMPONENT TARGET...): the targets as Diopter::NAME, NAME without diopter_.
function(export_component component)
  foreach(target IN LISTS ARGN)
    string(REGEX REPLACE "^diopter_" "" name ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
    add_library(Diopter::${name} ALIAS ${target})
  endforeach()
  install(TARGETS ${ARGN} EXPORT Diopter_${component}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT Diopter_${component} NAMESPACE Diopter:: DESTINATION ${package} FILE Diopter_${component}.cmake)
endfunction()

set(picture_targets "")
if(TARGET picture_webp)
  set(picture_targets picture_webp)
endif()
export_component(kernels diopter_flags diopter_cuda diopter_base diopter_kernels)
export_component(engine ${EVENT_MESSAGES} diopter_engine)
export_component(data ${picture_targets} diopter_data)
export_component(retinanet ${ONNX_MESSAGES} diopter_retinanet)
if(DIOPTER_SHARED)
  set_target_properties(diopter_shared PROPERTIES EXPORT_NAME c)
  target_include_directories(diopter_shared INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/retinanet/c_api>"
    $<INSTALL_INTERFACE:include>)
  add_library(Diopter::c ALIAS diopter_shared)
  install(TARGETS diopter_shared EXPORT Diopter_c LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT Diopter_c NAMESPACE Diopter:: DESTINATION ${package} FILE Diopter_c.cmake)
  install(FILES retinanet/c_api/diopter.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()

install(TARGETS diopter RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET diopter_mpi)  # which the program looks for beside itself
  install(TARGETS diopter_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY kernels engine data retinanet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/diopter
  FILES_MATCHING PATTERN "*.h" PATTERN "*.cuh" PATTERN c_api EXCLUDE)
install(DIRECTORY retinanet/config/presets DESTINATION ${CMAKE_INSTALL_DATADIR}/diopter)

# The lists of losses and backbones name headers by where they lie in this tree; installed, by where they are installed.
foreach(list loss_list backbone_list backbone_names)
  file(READ ${PROJECT_BINARY_DIR}/generated/${list}.h text)
  string(REPLACE "\"${PROJECT_SOURCE_DIR}/" "\"" text "${text}")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/installed/${list}.h CONTENT "${text}" @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/generated/installed/${list}.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/diopter/generated)
endforeach()

install(FILES ${PROJECT_BINARY_DIR}/generated/cuda_kind.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/diopter/generated)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/DiopterConfig.cmake.in
  ${PROJECT_BINARY_DIR}/generated/DiopterConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/DiopterConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/DiopterConfig.cmake
  ${PROJECT_BINARY_DIR}/generated/DiopterConfigVersion.cmake DESTINATION ${package})
