#include "tools/kernels/list.h"

#include "kernels/base/check.h"
#include "kernels/base/did_you_mean.h"

namespace diopter {

const std::vector<KernelEntry>& kernel_list() {
  static const std::vector<KernelEntry> list{
      {.name = "classification_loss",
       .files = "kernels/detection/classification_loss",
       .more = "kernels/detection/losses/*.h",
       .formula = "focal loss, cross-entropy and the others of diopter info: Lin et al. 2017, equations 1 to 11",
       .floor = "per logit of 80 classes 8.05 (float), 4.05 (bf16): 2 s and a label per anchor",
       .tests = "classification "
                "loss:*,losses:*,focal:*,ce:*,balanced_ce:*,focal_star:*,hinge:*,poly:*,asymmetric:*,quality_focal:*,"
                "varifocal:*,logistic:*"},
      {.name = "elementwise_loss",
       .files = "kernels/detection/pairs/elementwise_loss",
       .more = "kernels/detection/losses/*.h",
       .formula = "the same losses of logits with a target each, as torchvision's sigmoid_focal_loss",
       .floor = "per logit 2 s + 8: target, loss and gradient",
       .tests = "elementwise loss:*"},
      {.name = "hard_examples",
       .files = "kernels/detection/hard_examples",
       .more = "kernels/detection/losses/ohem.h kernels/detection/losses/ohem13.h",
       .formula = "online hard example mining, Shrivastava et al. 2016; Lin et al. 2017, table 1d",
       .floor = "scores: per anchor s per class and 8; selection: per anchor 4",
       .tests = "hard examples:*"},
      {.name = "match",
       .files = "kernels/detection/match",
       .more = "",
       .formula = "assignment by IoU, Lin et al. 2017, section 4; ties as in torchvision; ATSS, Zhang et al. 2020",
       .floor = "8 per anchor: label and match",
       .tests = "match:*,atss:*"},
      {.name = "loss_scale",
       .files = "kernels/detection/loss_scale",
       .more = "kernels/detection/weighting/gradient_density.{h,cpp,cu} (GHM-C), class_focusing.{h,cpp,cu} (equalized "
               "focal)",
       .formula =
           "normalisation of the losses: Lin et al. 2017, section 4.1; torchvision; Detectron2; GHM-C, Li et al. "
           "2019; exponents of classes, Li et al. 2022",
       .floor = "8 per image",
       .tests =
           "loss scale:*,gradient histogram:*,density weights:*,GHM-C:*,class gradients:*,class focusing:*,equalized "
           "focal loss:*"},
      {.name = "box_loss",
       .files = "kernels/detection/box_loss",
       .more = "",
       .formula = "Girshick 2015 (smooth L1); Rezatofighi et al. 2019 (GIoU); Zheng et al. 2020 (DIoU, CIoU)",
       .floor = "per anchor 4 + 4 s: label and gradient; a positive also reads 4 s + 20",
       .tests = "box loss:*"},
      {.name = "box_pairs",
       .files = "kernels/detection/pairs/box_pairs",
       .more = "",
       .formula = "IoU of each with each; GIoU, DIoU and CIoU losses of pairs, as torchvision's",
       .floor = "IoU: 4 per pair; losses: 52 per pair, with the gradient",
       .tests = "box pairs:*"},
      {.name = "top_k",
       .files = "kernels/detection/candidates/top_k",
       .more = "",
       .formula = "candidates of an image, Lin et al. 2017, section 4.1; box decoding, Girshick et al. 2014",
       .floor = "s per logit",
       .tests = "top-k:*,decode:*"},
      {.name = "nms",
       .files = "kernels/detection/candidates/nms",
       .more = "",
       .formula = "greedy suppression by class, as torchvision's batched_nms",
       .floor = "24 per box: corners, score, label",
       .tests = "nms:*"},
      {.name = "anchors",
       .files = "kernels/detection/anchors",
       .more = "",
       .formula = "Lin et al. 2017, section 4",
       .floor = "16 per anchor",
       .tests = "anchors:*"},
      {.name = "sgd",
       .files = "kernels/nn/sgd",
       .more = "",
       .formula = "momentum, weight decay and Nesterov as torch.optim.SGD",
       .floor = "20 per parameter, 22 with a bf16 copy",
       .tests = "sgd:*"},
      {.name = "adamw",
       .files = "kernels/nn/adamw",
       .more = "",
       .formula = "Loshchilov and Hutter 2019, as torch.optim.AdamW",
       .floor = "28 per parameter, 30 with a bf16 copy",
       .tests = "adamw:*"},
      {.name = "conv2d",
       .files = "kernels/nn/conv2d",
       .more = "kernels/nn/conv2d/conv2d_cudnn.cpp, conv2d_route.h (convolutions on a GPU) "
               "kernels/nn/conv2d/conv2d_host.cu (on the host executor)",
       .formula = "cross-correlation; hand-written on CUDA: epilogue and its gradient, scaled weights",
       .floor = "epilogue 2 s per value, 3 s with a residual; convolutions are bound by arithmetic",
       .tests = "conv2d:*"},
      {.name = "group_norm",
       .files = "kernels/nn/group_norm",
       .more = "",
       .formula = "Wu and He 2018",
       .floor = "per value 3 s forward, 5 s backward",
       .tests = "group norm:*"},
      {.name = "batch_norm",
       .files = "kernels/nn/batch_norm",
       .more = "",
       .formula = "Ioffe and Szegedy 2015",
       .floor = "per value 3 s forward, 5 s backward; 2 s either way with fixed statistics",
       .tests = "batch norm:*"},
      {.name = "elementwise",
       .files = "kernels/nn/elementwise",
       .more = "",
       .formula = "sums, ReLU, sigmoid, casts",
       .floor = "per value s for each operand and the result",
       .tests = "elementwise:*,sigmoid:*"},
      {.name = "reduce",
       .files = "kernels/nn/reduce",
       .more = "",
       .formula = "sums, norms and counts in a fixed order",
       .floor = "s per value, 8 for dot products",
       .tests = "reduce:*"},
      {.name = "max_pool",
       .files = "kernels/nn/max_pool",
       .more = "",
       .formula = "maximum of a window, first tap on ties as in PyTorch",
       .floor = "s per input and s + 1 per output, either way",
       .tests = "max pool:*"},
      {.name = "pictures",
       .files = "kernels/nn/pictures",
       .more = "",
       .formula = "normalisation and bilinear resizing, as torch.nn.functional.interpolate with align_corners=False",
       .floor = "15 per pixel: 3 bytes and 3 floats",
       .tests = "pictures:*"},
      {.name = "upsample",
       .files = "kernels/nn/upsample",
       .more = "",
       .formula = "nearest neighbour in integers, as PyTorch's \"nearest\"",
       .floor = "s per input and per output, either way",
       .tests = "upsample:*"},
  };
  return list;
}

const KernelEntry& kernel_named(const std::string& name) {
  std::vector<std::string> names;
  for (const KernelEntry& kernel : kernel_list()) {
    if (name == kernel.name) return kernel;
    names.emplace_back(kernel.name);
  }
  fail("unknown kernel '", name, "'", hint_with_list(name, names));
}

}  // namespace diopter
