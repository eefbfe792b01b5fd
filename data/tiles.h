// Tiles: large pictures are looked at part by part, so that their small objects keep their size and the network's
// memory follows the tile. A tile is a view of a picture, and a view is to the rest of the program what a picture is.
// Without tiles a picture has one view, all of it.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "data/pictures/window.h"
#include "kernels/base/philox.h"

namespace diopter {

struct TileRule {
  int size = 0;        // sides of a tile in pixels of the picture; 0: no tiles
  double overlap = 0;  // of neighbouring tiles, at least, as a share of their side; below 1
  bool whole = false;  // the whole picture is a view, too
};

/// Views of a picture of width x height: with rule.whole all of it; then, row by row from the top, a grid of tiles,
/// evenly spread between the picture's borders, that covers every pixel. A picture that is no larger than a tile has
/// one view.
std::vector<Window> views_of(const TileRule& rule, int width, int height);

/// Whether a view is a tile, which is brought to the input at the scale of a full one (ResizeRule::tile); otherwise it
/// is a whole picture.
bool is_tile(const TileRule& rule, const Window& view);

/// Share of an object's area within its picture from which a view that cuts it has it as an object.
inline constexpr double kKeptShare = 0.5;

/// The record of a view as that of a picture: boxes clipped to it and moved. An object of which less than kKeptShare is
/// in the view becomes a crowd region, neither object nor background. width, height: of the picture.
ImageRecord record_of_view(const ImageRecord& record, const Window& view, int width, int height);

/// Share of the training tiles that are drawn around an object.
inline constexpr float kObjectTiles = 0.75f;

/// A tile for training on a picture of width x height. With probability kObjectTiles, and where the picture has
/// objects: one of them is drawn, then a place from all those at which the tile holds it (its centre, where it is
/// larger than a tile). Otherwise, for background, any place. Draws the same number of numbers whatever the picture.
Window draw_tile(const TileRule& rule, const ImageRecord& record, int width, int height, Philox& random);

/// Views that an epoch of training goes through: as many of each picture as views_of has. Those that are tiles are
/// drawn by draw_tile, so an epoch sees as many pixels as the grid has, but not each of them once.
class EpochViews {
 public:
  /// Sizes of pictures are those of the annotations, or those of the files where they say nothing; a file that cannot
  /// be read has one view.
  EpochViews(const Dataset& dataset, const TileRule& rule);

  std::int64_t count() const { return ends_.empty() ? 0 : ends_.back(); }
  /// Index of the picture of view number i.
  int picture(std::int64_t i) const;
  /// Pixels of a picture, where there are tiles and its size is known; otherwise 0.
  std::int64_t pixels(int picture) const { return pixels_[static_cast<std::size_t>(picture)]; }
  /// Whether view number i is of the whole picture.
  bool is_whole(std::int64_t i) const;

 private:
  TileRule rule_;
  std::vector<std::int64_t> ends_;  // by picture: number of the first view behind its views
  std::vector<std::int64_t> pixels_;
};

/// The set with each tile as a picture, for looks at annotations alone; an object is in every tile that sees it. Sizes
/// must be known. Without tiles the set itself.
Dataset with_tiles_as_pictures(const Dataset& dataset, const TileRule& rule);

}  // namespace diopter
