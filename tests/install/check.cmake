# Installs a build and builds a program of somebody else's with it (cmake -P, with these):
#   BUILD      the build folder, whose targets are built
#   SOURCE     the source tree
#   COMPILER   of C++
#   SCRATCH    a folder that is emptied
#   SUBDIRECTORY   nothing is installed: the source tree becomes part of the other program's build
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(configure)
  run(${CMAKE_COMMAND} -G Ninja -S ${SOURCE}/tests/install/consumer -B ${SCRATCH}/consumer
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_BUILD_TYPE=Debug ${ARGN})
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
if(SUBDIRECTORY)
  configure(-DDIOPTER_SOURCE=${SOURCE} -DDIOPTER_CUDA=off -DDIOPTER_UNITY=ON)
  run(${CMAKE_COMMAND} --build ${SCRATCH}/consumer --target two_layers)
  run(${SCRATCH}/consumer/two_layers)
  return()
endif()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/at_first)
file(RENAME ${SCRATCH}/at_first ${SCRATCH}/prefix)  # it may be moved
file(GLOB_RECURSE texts ${SCRATCH}/prefix/*.h ${SCRATCH}/prefix/*.cuh ${SCRATCH}/prefix/*.cmake)
foreach(file IN LISTS texts)
  file(READ ${file} text)
  string(FIND "${text}" "${SOURCE}/" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "${file} names the source tree, ${SOURCE}")
  endif()
endforeach()

configure(-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix)
run(${CMAKE_COMMAND} --build ${SCRATCH}/consumer)
run(${SCRATCH}/prefix/bin/diopter --version)
foreach(program IN ITEMS nms nms_as_cpp losses two_layers)
  run(${SCRATCH}/consumer/${program})
endforeach()
