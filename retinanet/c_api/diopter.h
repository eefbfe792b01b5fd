// The C interface of Diopter, libdiopter.so: losses, anchor matching, top-k, non-maximum suppression, COCO's metrics
// and trained detectors, for programs in any language (docs/embedding.md). Plain C11; C++ can include it as well.
//
// Every function that can fail returns a diopter_status. Where that is not DIOPTER_OK, diopter_last_error() says in one
// line which argument is wrong and what it must be, and outputs may have any values.
// All functions may be called from several threads at once.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

// Version of this interface. Within a version functions are added, and members at the end of structs that begin with
// struct_size; nothing is changed or taken away. A program whose DIOPTER_ABI_VERSION is not the library's
// diopter_abi_version() must not call anything else.
enum { DIOPTER_ABI_VERSION = 1 };
int diopter_abi_version(void);

// Version of the program, as `diopter --version` prints it.
const char* diopter_version(void);

typedef enum diopter_status {
  DIOPTER_OK = 0,
  DIOPTER_BAD_ARGUMENT = 1,   // null, of another type, size or device, or out of range
  DIOPTER_FAILED = 2,         // a file, a device or what an array holds
  DIOPTER_OUT_OF_MEMORY = 3,  // of the host or the device
  DIOPTER_INTERNAL = 4        // a fault of the library
} diopter_status;

// What the last call of this thread that failed says of it; "" where none has. Valid until the thread's next call.
const char* diopter_last_error(void);

// An array, row-major and without gaps; the layout is that of DLPack's DLTensor (version 0.2 to 1.x), so that a
// DLTensor* can be cast to diopter_tensor*. Arrays of a call lie on one device. Arrays without an element may have null
// as their data.
typedef struct diopter_tensor {
  void* data;
  int32_t device_type;  // 1: CPU, 2: CUDA; 3 and 13, memory of CUDA's that the host reaches, are CPU and CUDA
  int32_t device_id;    // of CUDA: 0, the first GPU that CUDA_VISIBLE_DEVICES leaves
  int32_t ndim;
  uint8_t type_code;       // 0: signed integer, 1: unsigned integer, 2: floating point, 4: bfloat16, 6: bool
  uint8_t type_bits;       // 8, 16, 32 or 64
  uint16_t type_lanes;     // 1
  const int64_t* shape;    // [ndim]
  const int64_t* strides;  // [ndim], in elements; null: row-major without gaps, as they must be
  uint64_t byte_offset;    // from data to the first element
} diopter_tensor;

// `stream`: the cudaStream_t on which arrays of a GPU are ready and results are wanted; null is CUDA's default stream.
// The work is queued there, and the function does not wait for it. Ignored for arrays of the CPU, where the work is
// done when the function returns. On the CPU what arrays hold is checked where a wrong value would lead outside of an
// array; on a GPU it is not.

// Classification loss over anchors and classes: losses[image] = sum of loss(logit, class == label) over the anchors
// that are not ignored; gradient = scale[image] * its derivative.
//   loss       a loss with parameters, as --loss takes it: "focal", "focal:gamma=1.5,alpha=0.5", "ce"; none that
//              selects hard examples or weighs by steps before (ohem, ohem13, ghm,
//              equalized_focal)
//   logits     [images, anchors, classes] float32 or bfloat16
//   labels     [images, anchors] int32: class, -1 for background, -2 for ignored
//   qualities  [images, anchors] float32, targets in [0, 1] of the positives of losses with soft ones; null: 1
//   scale      [images] float32; null: 1
//   losses     [images] float32, written
//   gradient   as logits, written; null: not wanted
int diopter_classification_loss(const char* loss, const diopter_tensor* logits, const diopter_tensor* labels,
                                const diopter_tensor* qualities, const diopter_tensor* scale,
                                const diopter_tensor* losses, const diopter_tensor* gradient, void* stream);

// The same of logits with a target each, without anchors: losses[i] = loss(inputs[i], targets[i]); sum = scale *
// their sum; gradient = its derivative.
//   loss      as for diopter_classification_loss
//   inputs    [n] float32 or bfloat16: logits
//   targets   [n] float32: 0 or 1; of losses with soft targets from 0 to 1. On a GPU, where it is not checked, what is
//             above 1/2 counts as 1 for losses without soft targets
//   losses    [n] float32, written; null: not wanted
//   sum       [1] float32, written; null: not wanted
//   gradient  as inputs, written; null: not wanted
int diopter_elementwise_loss(const char* loss, const diopter_tensor* inputs, const diopter_tensor* targets, float scale,
                             const diopter_tensor* losses, const diopter_tensor* sum, const diopter_tensor* gradient,
                             void* stream);

// Where the anchors of an image lie: level after level, then by y, x and cell. All arrays are the host's.
typedef struct diopter_anchor_grid {
  uint32_t struct_size;  // sizeof(diopter_anchor_grid)
  int32_t levels;        // 1 to 8
  int32_t cells;         // anchors per pixel, 1 to 16
  float offset;          // 0: centres on the corner of their pixel (torchvision, Detectron2); 0.5: on its middle
  const int32_t* sizes;  // [levels, 2]: height and width in pixels of the level
  const float* strides;  // [levels, 2]: pixels of the picture from pixel to pixel, down and to the right
  const float* boxes;    // [levels, cells, 4]: x1, y1, x2, y2 around the origin
} diopter_anchor_grid;

// The anchors' boxes [anchors, 4] float32.
int diopter_anchors(const diopter_anchor_grid* grid, const diopter_tensor* boxes, void* stream);

// How anchors are assigned to boxes (docs/kernels/match.md).
typedef struct diopter_match_rule {
  uint32_t struct_size;  // sizeof(diopter_match_rule)
  float foreground_iou;  // an anchor of at least this IoU with its best box gets that box's class
  float background_iou;  // of less than this one: background; between them: ignored
  int32_t low_quality;   // 1: each box gets its best anchors, however small their IoU
  float ignore_overlap;  // share of a background anchor in an ignored region from which on it is ignored
} diopter_match_rule;

// Assigns the anchors of each image to its boxes.
//   rule        null: 0.5, 0.4, 0, 0.5
//   boxes       [total, 4] float32, x1, y1, x2, y2, image after image
//   box_labels  [total] int32: class, or -2 for an ignored region
//   offsets     [images + 1] int32: boxes of image i are offsets[i] to offsets[i + 1] - 1; offsets[0] = 0
//   labels      [images, anchors] int32, written: class, -1 for background, -2 for ignored
//   matches     [images, anchors] int32, written: the box within the image of an anchor with a class, else -1
//   positives   [images] int32, written: how many anchors have a class
int diopter_match_anchors(const diopter_anchor_grid* grid, const diopter_match_rule* rule, const diopter_tensor* boxes,
                          const diopter_tensor* box_labels, const diopter_tensor* offsets, const diopter_tensor* labels,
                          const diopter_tensor* matches, const diopter_tensor* positives, void* stream);

// Box loss of the anchors with a class: losses[image] is their sum, gradient = scale[image] * derivative, 0 elsewhere.
//   loss      "l1", "smooth_l1", "giou", "diou" or "ciou"
//   beta      of smooth_l1, at least 0: where the square begins
//   deltas    [images, anchors, 4] float32 or bfloat16: dx, dy, dw, dh
//   boxes, offsets, labels, matches   as for and from diopter_match_anchors
//   scale     [images] float32; null: 1
//   losses    [images] float32, written
//   gradient  as deltas, written; null: not wanted
//   ious      [images, anchors] float32, written where there is a class: IoU of the decoded box; null: not wanted
int diopter_box_loss(const char* loss, float beta, const diopter_anchor_grid* grid, const diopter_tensor* deltas,
                     const diopter_tensor* boxes, const diopter_tensor* offsets, const diopter_tensor* labels,
                     const diopter_tensor* matches, const diopter_tensor* scale, const diopter_tensor* losses,
                     const diopter_tensor* gradient, const diopter_tensor* ious, void* stream);

// Loss of boxes1[i] against its target boxes2[i], without anchors.
//   loss      "giou", "diou" or "ciou"
//   epsilon   positive, is added to denominators; 1e-7 is usual
//   boxes1, boxes2   [n, 4] float32: x1, y1, x2, y2, with x1 < x2 and y1 < y2; any loss for others, NaN perhaps
//   losses    [n] float32, written
//   gradient  [n, 4] float32, written: of the losses with respect to boxes1; null: not wanted
int diopter_box_pair_loss(const char* loss, float epsilon, const diopter_tensor* boxes1, const diopter_tensor* boxes2,
                          const diopter_tensor* losses, const diopter_tensor* gradient, void* stream);

// IoU of each box with each.
//   boxes1, boxes2   [n, 4] and [m, 4] float32: x1, y1, x2, y2
//   ious             [n, m] float32, written; 0 for two empty boxes
int diopter_box_iou(const diopter_tensor* boxes1, const diopter_tensor* boxes2, const diopter_tensor* ious,
                    void* stream);

// The k largest values of each row that are above min_value; equal ones by their index.
//   values   [rows, n] float32 or bfloat16
//   indices  [rows, k] int32, written: the first counts[row] of each row; k is taken from here
//   top      [rows, k] float32, written in the same way: the values
//   counts   [rows] int32, written
int diopter_top_k(const diopter_tensor* values, float min_value, const diopter_tensor* indices,
                  const diopter_tensor* top, const diopter_tensor* counts, void* stream);

// Greedy non-maximum suppression: by descending score, then index, a box is kept unless a kept one of its image and
// label has an IoU above iou_threshold with it.
//   boxes   [images, n, 4] float32: x1, y1, x2, y2
//   scores  [images, n] float32, none NaN
//   labels  [images, n] int32; null: boxes of all classes suppress each other
//   counts  [images] int32: the boxes of image i are the first counts[i]; null: all n
//   keep    [images, m] int32, written: indices of the kept boxes by descending score, at most m
//   kept    [images] int32, written: how many
int diopter_batched_nms(const diopter_tensor* boxes, const diopter_tensor* scores, const diopter_tensor* labels,
                        const diopter_tensor* counts, float iou_threshold, const diopter_tensor* keep,
                        const diopter_tensor* kept, void* stream);

// COCO's metrics of boxes, equal to pycocotools'. All arrays are the host's; boxes are x, y, width, height in pixels.
//   image_ids, category_ids, boxes   [objects] int64, [objects] int64, [objects, 4] float64: the ground truth
//   areas                            [objects] float64, by which objects are small or large; null: width * height
//   crowds                           [objects] uint8 or bool: ignored regions; null: none
//   images                           [pictures] int64, ids of all pictures, of those without objects, too; null: those
//   of
//                                    the objects and detections
//   found_image_ids, found_category_ids, found_boxes, scores   the same of the detections, and float64 [detections]
//   numbers                          [12] float64, written: AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm,
//                                    ARl; -1 where there is nothing to average
// Detections of categories without an object count for nothing, as in pycocotools.
int diopter_coco_metrics(const diopter_tensor* image_ids, const diopter_tensor* category_ids,
                         const diopter_tensor* boxes, const diopter_tensor* areas, const diopter_tensor* crowds,
                         const diopter_tensor* images, const diopter_tensor* found_image_ids,
                         const diopter_tensor* found_category_ids, const diopter_tensor* found_boxes,
                         const diopter_tensor* scores, const diopter_tensor* numbers);

// A trained detector. Numbers of closed detectors do not come again; 0 is none's.
typedef int64_t diopter_detector;

// Opens a checkpoint or run folder, of any kind that `diopter detect` takes. device: "cpu", "cuda" or "auto".
int diopter_detector_open(const char* checkpoint, const char* device, diopter_detector* detector);

typedef struct diopter_detector_info {
  uint32_t struct_size;    // sizeof(diopter_detector_info), to be set before the call
  int32_t classes;         // how many
  int32_t max_detections;  // in a view of a picture; with tiles a picture has several
} diopter_detector_info;

int diopter_detector_describe(diopter_detector detector, diopter_detector_info* info);

// Copies the name of class `label`, ended by 0, into `name`, which has room for `size` characters.
int diopter_detector_class_name(diopter_detector detector, int32_t label, char* name, size_t size);

// Finds objects in a picture.
//   picture  [height, width, 3] uint8 on the host: red, green, blue
//   boxes    [n, 4] float32 on the host, written: x1, y1, x2, y2 in pixels of the picture, by descending score
//   scores   [n] float32 on the host, written
//   labels   [n] int32 on the host, written
//   found    how many there are; where it is more than n, the n best are written
// Calls for the same detector wait for each other.
int diopter_detector_detect(diopter_detector detector, const diopter_tensor* picture, const diopter_tensor* boxes,
                            const diopter_tensor* scores, const diopter_tensor* labels, int32_t* found);

// Closes it. What other threads still compute with it comes to its end.
int diopter_detector_close(diopter_detector detector);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
