// Non-maximum suppression of three boxes through libdiopter.so.
#include <diopter.h>
#include <stdio.h>

enum { kInteger = 0, kFloat = 2, kCpu = 1 };

static diopter_tensor array(void* data, uint8_t type, int32_t dimensions, const int64_t* shape) {
  diopter_tensor tensor = {data, kCpu, 0, dimensions, type, 32, 1, shape, NULL, 0};
  return tensor;
}

int main(void) {
  if (diopter_abi_version() != DIOPTER_ABI_VERSION) return 1;
  float corners[] = {0, 0, 10, 10, 1, 1, 10, 10, 20, 20, 30, 30}, score[] = {0.8f, 0.9f, 0.5f};
  int32_t keep[3], kept[1];
  const int64_t of_boxes[] = {1, 3, 4}, of_scores[] = {1, 3}, of_images[] = {1};
  const diopter_tensor boxes = array(corners, kFloat, 3, of_boxes), scores = array(score, kFloat, 2, of_scores);
  const diopter_tensor best = array(keep, kInteger, 2, of_scores), count = array(kept, kInteger, 1, of_images);
  if (diopter_batched_nms(&boxes, &scores, NULL, NULL, 0.5f, &best, &count, NULL) != DIOPTER_OK) {
    fprintf(stderr, "%s\n", diopter_last_error());
    return 1;
  }
  for (int i = 0; i < kept[0]; ++i) printf("box %d, score %g\n", (int)keep[i], score[keep[i]]);
  return 0;
}
