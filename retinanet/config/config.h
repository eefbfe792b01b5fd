// Everything that decides how a detector is built, trained and evaluated, as one structure. keys.cpp says of each
// member how it is called in files, which values it can have and what it means (docs/settings.md). A preset
// (retinanet/config/presets/*.toml) sets every value; a TOML file or --set key=value overrides single ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/detection/any_loss.h"
#include "retinanet/config/names.h"

namespace diopter {

/// Numbers that a key states, or the rule that finds them on the training set.
template <class Rule>
struct NumbersOrRule {
  Rule rule = Rule::stated;
  std::vector<double> values;  // of rule stated
};
/// The probability that a positive starts with, pi of the paper: one for all classes, or one per class.
using Prior = NumbersOrRule<PriorRule>;
/// One weight per class.
using ClassWeights = NumbersOrRule<ClassWeightRule>;

struct Config {
  struct Model {
    std::string backbone;      // name of one of the backbones
    int width;                 // of tiny: channels of the stem
    NormKind norm;             // of the backbone: batch, frozen_batch or group
    int groups;                // of group norms, in backbone and head
    double norm_eps;           // added to the variance in the backbone's norms
    int freeze_stages;         // 0: none; 1: stem; 2: stem and layer1; ...
    bool stride_in_1x1;        // bottlenecks: stride in the first 1x1 (Caffe's ResNets) instead of the 3x3
    std::string weights;       // file to start from (docs/weights.md), or ""
    int min_level, max_level;  // pyramid levels; level l has stride 2^l
    P6Source p6_from;          // input of the first level beyond the backbone
    int fpn_channels;
    int head_depth;      // 3x3 convolutions before the last one, in each of the two subnets
    NormKind head_norm;  // none or group
    Prior prior;
  } model;
  struct Anchors {
    double size_factor;                  // an anchor of scale 1 on level l has the area (size_factor 2^l)^2
    std::vector<double> scales, ratios;  // ratio = height / width
    AnchorRounding round;
    AnchorOrder order;
    AnchorStride stride;
    double offset;  // 0: centres on pixel corners, 0.5: on pixel centres
  } anchors;
  struct Match {
    MatchKind rule;
    int candidates;  // of rule = atss: anchors of a level that a box looks at
    double foreground_iou, background_iou;
    bool low_quality;       // every box claims its best anchors (torchvision, detectron2)
    double ignore_overlap;  // share of an anchor inside a crowd region from which it is ignored
  } match;
  struct Loss {
    AnyLoss kind;               // of the classes; its parameters are keys beside it: loss.gamma, ...
    LossNormaliser normaliser;  // image (torchvision), batch (paper), ema (detectron2): what positives are counted over
    double ema_momentum, ema_start;
    BoxLoss box;
    double smooth_l1_beta;
    double classification_weight;  // or kGuidedWeight
    double box_weight;
    ClassWeights class_weights;  // of the classification loss of positives
    double effective_beta;       // of class_weights = effective
  } loss;
  struct Input {
    ResizeRule::Kind resize;
    std::vector<int> min_sizes;  // shorter side: one is drawn in training, the last is for evaluation
    int max_size;
    bool enlarge;  // false: pictures that are smaller stay as they are
    ResizeRule::Filter filter;
    bool round;        // sizes rounded instead of floored
    bool float_scale;  // floored sizes: the scale in float (torchvision until 0.13), not in double
    int size_divisor;  // batches are padded to multiples of it
    std::vector<double> mean, std;
    double divisor;  // pixel values are divided by it before mean and std
    bool bgr;
    int tile;             // sides of tiles in pixels of the picture; 0: none
    double tile_overlap;  // of neighbours, as a share of the side
    bool tile_whole;      // the whole picture is looked at, too
    int white;            // sample that becomes 255, of pictures of more than 8 bits; kFullRange, kAutoWhite
  } input;
  struct Augment {
    double flip, vertical_flip, turn, scale_min, scale_max, crop, crop_min, brightness, contrast, saturation, hue;
    double ramp_epochs;  // in which all but flips and turns reach their strength
  } augment;
  struct Train {
    std::int64_t iterations;  // length of the schedule
    double minutes;           // from which `diopter train` made iterations; 0: they were stated
    int patience;             // evaluations in a row without a better AP that end a stage of the schedule; 0: none do
    std::int64_t stop_at;     // end early, as Ctrl-C would; 0: at the end of the schedule
    int batch_size;
    int shards;      // equal parts of a batch, worked on one after another or by several processes
    DType wire;      // f32 or bf16: what a shard adds to the gradient of a batch is rounded to it
    int accumulate;  // batches a step
    OptimizerKind optimizer;
    double lr, momentum;
    bool nesterov;
    double beta1, beta2, epsilon;                 // of adamw
    double weight_decay, norm_decay, bias_decay;  // of convolutions' weights, of norms, of biases
    Schedule::Kind schedule;
    std::vector<double> milestones;  // of multistep, as shares of the iterations
    double lr_gamma;
    std::int64_t warmup_iterations;
    double warmup_factor;
    double clip_norm;  // gradients are scaled down to this norm; 0: never
    double average;    // decay of the moving average of the weights that is evaluated; 0: none
    std::int64_t seed;
    DType precision;  // f32 or bf16: activations and the copies of the weights that steps work with
    bool cuda_graph;  // a step runs as one CUDA graph
    std::int64_t evaluate_every, save_every, log_every;  // iterations; 0: only at the end
    int pictures;                                        // validation pictures drawn after each evaluation
    bool tensorboard;                                    // event files in RUN/tensorboard
    int workers;                                         // loader threads
    int cache_mib;                                       // decoded pictures kept in memory
    double repeat_threshold;                             // of repeat-factor sampling; 0: every picture once an epoch
  } train;
  struct Detect {
    double score_threshold;
    int top_k;  // candidates per image and level
    double nms_iou;
    bool class_aware;
    int max_detections;
    bool clip_before_nms;  // torchvision: yes; detectron2: after
    int batch_size;        // of evaluation
    DType precision;       // f32 or bf16
    bool cuda_graph;       // network and post-processing run as one CUDA graph
  } detect;
};

}  // namespace diopter
