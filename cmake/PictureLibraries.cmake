# Kinds of pictures that one can do without: data/pictures/formats/NAME.cpp where the library NAME is installed, else its
# stand-in, data/pictures/formats/without_*.cpp.
# Takes one of the two out of DATA_SOURCES; sets PICTURE_LIBRARIES and MISSING_PICTURES, the names.
set(PICTURE_LIBRARIES "")
set(MISSING_PICTURES "")

function(choose_picture_library name wanted library)
  if(wanted STREQUAL "on" AND NOT TARGET ${library})
    string(TOUPPER ${name} option)
    message(FATAL_ERROR "DIOPTER_${option}=on, but ${ARGN} is not found (tools/setup.sh installs it)")
  endif()
  set(others "/without_${name}\\.cpp$")
  if(TARGET ${library} AND NOT wanted STREQUAL "off")
    set(PICTURE_LIBRARIES ${PICTURE_LIBRARIES} ${library} PARENT_SCOPE)
    message(STATUS "Pictures: ${name}")
  else()
    set(others "/${name}\\.cpp$")
    set(MISSING_PICTURES ${MISSING_PICTURES} ${name} PARENT_SCOPE)
    message(STATUS "Pictures: no ${name}")
  endif()
  list(FILTER DATA_SOURCES EXCLUDE REGEX ${others})
  set(DATA_SOURCES ${DATA_SOURCES} PARENT_SCOPE)
endfunction()

find_package(TIFF 4.5 QUIET)  # the first with error handlers for each file
choose_picture_library(tiff ${DIOPTER_TIFF} TIFF::TIFF "libtiff 4.5 or newer")

find_path(WEBP_INCLUDE_DIR webp/demux.h)
find_library(WEBP_LIBRARY webp)
find_library(WEBP_DEMUX_LIBRARY webpdemux)
if(WEBP_INCLUDE_DIR AND WEBP_LIBRARY AND WEBP_DEMUX_LIBRARY)
  add_library(picture_webp INTERFACE)
  target_include_directories(picture_webp SYSTEM INTERFACE ${WEBP_INCLUDE_DIR})
  target_link_libraries(picture_webp INTERFACE ${WEBP_DEMUX_LIBRARY} ${WEBP_LIBRARY})
endif()
choose_picture_library(webp ${DIOPTER_WEBP} picture_webp "libwebp with libwebpdemux")
