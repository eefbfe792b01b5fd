// diopter.h in C++.
#include <diopter.h>

#include <cstdio>

int main() {
  std::printf("Diopter %s\n", diopter_version());
  return diopter_detector_close(1) == DIOPTER_BAD_ARGUMENT ? 0 : 1;
}
