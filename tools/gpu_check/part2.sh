# The stages of part 2: what failed in part 1 once more, NVIDIA's tools, and the same work in PyTorch on the same GPU.
part_limit=290

stage again 30 run_failed_again
stage memcheck 25 sanitizer memcheck
stage racecheck 25 sanitizer racecheck
stage counters 30 counters
stage peers 170 peers
