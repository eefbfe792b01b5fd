# Training and studies by several processes: scripts, of builds without sanitizers (MPI's own leaks are not ours) and of one flavour.
if(DIOPTER_SANITIZE STREQUAL "" AND DIOPTER_CUDA_KIND STREQUAL "off")
  add_test(NAME "scale: training over MPI" COMMAND ${CMAKE_CURRENT_LIST_DIR}/scale.sh $<TARGET_FILE:diopter>)
  set_tests_properties("scale: training over MPI" PROPERTIES LABELS scale SKIP_RETURN_CODE 77 TIMEOUT 600)
  add_test(NAME "scale: studies of several workers" COMMAND ${CMAKE_CURRENT_LIST_DIR}/study.sh $<TARGET_FILE:diopter>)
  set_tests_properties("scale: studies of several workers" PROPERTIES LABELS scale TIMEOUT 600)
endif()
