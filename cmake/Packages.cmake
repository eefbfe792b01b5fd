# cpack -G TGZ or DEB in the build folder: what cmake --install installs, as an archive or a Debian package
# (docs/building.md). Nothing is built for it: build first.
set(CPACK_PACKAGE_NAME diopter)
set(CPACK_PACKAGE_VENDOR Diopter)
set(CPACK_PACKAGE_CONTACT "the authors of Diopter")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR TGZ)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # Depends: the packages of the libraries that the program is linked with
include(CPack)
