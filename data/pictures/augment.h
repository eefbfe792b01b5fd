// From a decoded picture and its boxes to the network's input: augmentation, resizing, normalisation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/pictures/image.h"
#include "data/pictures/input_pixels.h"
#include "data/pictures/window.h"
#include "kernels/base/philox.h"
#include "kernels/nn/pictures.h"

namespace diopter {

/// How a picture is brought to the network's input size.
struct ResizeRule {
  enum class Kind {
    shorter_side,  // keep the aspect ratio: shorter side to min_size, longer at most max_size (torchvision, detectron2)
    longer_side,   // keep the aspect ratio: longer side to max_size
    exact          // to max_size x max_size, whatever the aspect ratio
  } kind = Kind::shorter_side;
  std::vector<int> min_sizes{800};  // one is drawn for each training picture; evaluation uses the last
  int max_size = 1333;
  bool enlarge = true;  // false: a picture that would grow keeps its size (not for exact)
  bool round = false;   // sizes are rounded (detectron2) instead of floored (torchvision)
  using Filter = ResizeFilter;
  Filter filter = Filter::bilinear;
  bool float_scale = false;  // the scale is computed in float before sizes are floored (old torchvision)
  int tile = 0;  // if not 0: pictures of any size are resized by the scale that one of tile x tile pixels would get
};

struct AugmentOptions {
  float flip = 0.5f;                   // probability of a horizontal flip
  float vertical_flip = 0;             // probability of a flip upside down
  float turn = 0;                      // probability of a turn by 90, 180 or 270 degrees, one as likely as the other
  float scale_min = 1, scale_max = 1;  // scale jitter: the input size is multiplied by a factor drawn from
                                       // here, then cropped to (or left within) the size without jitter
  float crop = 0;                      // probability of a random crop that keeps the centre of >= 1 box
  float crop_min = 0.5f;               // its sides, at least, of the picture's
  float brightness = 0, contrast = 0, saturation = 0;  // photometric: factors from [1 - v, 1 + v]
  float hue = 0;                                       // rotation of the colours by up to so many turns either way
  float ramp_epochs = 0;  // scale jitter, crops and photometric changes rise from none to these over so many epochs
};

/// The options in an epoch, of which 0 is the first: min(1, epoch / ramp_epochs) of the way from no scale jitter, crops
/// and photometric changes to theirs. A picture's first views are as it is, its later ones more and more different.
AugmentOptions in_epoch(const AugmentOptions& options, std::int64_t epoch);

/// A box with its class (>= 0) or kIgnore, in pixels of the input.
struct TargetBox {
  Box box;
  std::int32_t label;
};

/// Where in a set's pictures a sample was cut out.
struct PictureView {
  std::size_t picture = 0;  // index into Dataset::images
  Window window = {};       // in pixels of the picture
  bool last = true;         // no other view of the picture follows in an evaluation
};

/// The network's input for one picture or one view of it.
struct Sample {
  int width = 0, height = 0;        // of the resized picture
  std::vector<float> pixels;        // [height, width, 3], normalised; or, where pixels are left to the device:
  std::vector<std::uint8_t> bytes;  // those of `picture`, whose offset is 0
  PictureBytes picture = {};
  std::vector<TargetBox> targets;  // clipped to the picture; less than 1 pixel wide or high: dropped
  std::int64_t image_id = 0;
  std::string name;                             // of the record
  int original_width = 0, original_height = 0;  // of the decoded picture, or of the view
  PictureView view = {};
};

/// Size after resizing a picture of width x height; min_size is the one drawn.
void resized_size(const ResizeRule& rule, int min_size, int width, int height, int& out_width, int& out_height);

/// Who changes the colours of pictures, normalises them, and resizes them with the filter `bilinear`: the host, or the
/// device that gets them as bytes.
enum class PixelsBy { host, device };

/// Evaluation: resize and normalise. Boxes are scaled by the ratio of the axes.
Sample prepare(const Image& image, const ImageRecord& record, const ResizeRule& rule, const Normalisation& norm,
               PixelsBy by = PixelsBy::host);

/// Training: crop, turn, flips, photometric, scale jitter, resize, normalise; all drawn from `random`.
/// Crowd and difficult boxes become targets with label kIgnore. An object whose centre a crop cuts away is dropped;
/// ignored regions are only clipped.
Sample augment(const Image& image, const ImageRecord& record, const ResizeRule& rule, const AugmentOptions& options,
               const Normalisation& norm, Philox& random, PixelsBy by = PixelsBy::host);

}  // namespace diopter
