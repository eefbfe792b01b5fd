# Headers made ready once instead of in every file. Those of the standard library with GCC only: other compilers read what
# each file includes, so that a missing #include is found by them where files are compiled one by one (Unity.cmake).
#   precompile_headers(NAME FLAGS HEADER...)   makes them ready for targets that link the interface library FLAGS
#   use_precompiled_headers(TARGET NAME)
#
# ccache takes what was compiled with them from its store when it is told that no file looks at the time or at macros that
# change the headers; and it goes by the .sum beside the header, since no two runs of a compiler make the same bytes.
function(precompile_headers name flags)
  if("${ARGN}" MATCHES "<" AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    return()
  endif()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/${name}.cpp CONTENT "")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/generated/${name}.cpp)
  target_link_libraries(${name} PRIVATE ${flags})
  target_precompile_headers(${name} PRIVATE ${ARGN})
  set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER "")
  set(sum "${CMAKE_CXX_COMPILER_VERSION} ${Catch2_VERSION} ${ARGN}")
  foreach(header IN LISTS ARGN)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${header})  # one of the project's
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${header})
      file(SHA256 ${CMAKE_CURRENT_SOURCE_DIR}/${header} hash)
      string(APPEND sum " ${hash}")
    endif()
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${name}.dir/cmake_pch.hxx${CMAKE_PCH_EXTENSION}.sum CONTENT "${sum}")
endfunction()

function(use_precompiled_headers target name)
  if(NOT TARGET ${name})
    return()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${name})
  if(CCACHE)
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER
      "${CCACHE_LAUNCHER};CCACHE_SLOPPINESS=pch_defines,time_macros;CCACHE_PCH_EXTSUM=1;${CCACHE}")
  endif()
endfunction()
