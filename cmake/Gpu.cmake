# NVIDIA GPUs of the machine, as nvidia-smi knows them.

# Sets `problem` to a sentence when there is none, else to nothing, and `architectures` to CMake's names for those of the
# GPUs: 90-real for compute capability 9.0.
function(find_gpu problem architectures)
  set(${problem} "" PARENT_SCOPE)
  set(${architectures} "" PARENT_SCOPE)
  find_program(NVIDIA_SMI nvidia-smi)
  if(NOT NVIDIA_SMI)
    set(${problem} "no GPU: nvidia-smi is not found" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${NVIDIA_SMI} --query-gpu=compute_cap --format=csv,noheader
                  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX MATCHALL "(^|\n)[0-9]+\\.[0-9]" capabilities "${output}")
  if(NOT status EQUAL 0 OR NOT capabilities)
    string(REGEX REPLACE "\n.*" "" first_line "${output}")
    set(${problem} "no GPU: nvidia-smi answers \"${first_line}\"" PARENT_SCOPE)
    return()
  endif()
  list(TRANSFORM capabilities REPLACE "[^0-9]" "")
  list(REMOVE_DUPLICATES capabilities)
  list(TRANSFORM capabilities APPEND "-real")
  set(${architectures} "${capabilities}" PARENT_SCOPE)
endfunction()
