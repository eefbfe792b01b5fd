// Batches for training, prepared ahead by worker threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/dataset.h"
#include "data/pictures/augment.h"
#include "data/shards.h"
#include "data/tiles.h"
#include "data/unreadable_pictures.h"

namespace diopter {

struct LoaderOptions {
  int batch_size = 8;  // pictures of a Batch: in training of a shard
  ShardRule shards;    // of training batches: a Loader gives those that the process has, one as a Batch each
  int workers = 2;     // threads; 0: batches are made by the caller's thread
  std::uint64_t seed = 0;
  int divisor = 32;
  std::size_t cache_bytes = 0;  // decoded pictures are kept up to this size
  // With tiles, training pictures of more than this are read by strips where the cache has no room for them.
  std::size_t whole_bytes = std::size_t{128} << 20;
  double repeat_threshold = 0;  // of repeat_factors; 0: every picture once an epoch
  TileRule tiles;
  ResizeRule resize;  // of whole pictures; tiles have tiles.size as its `tile`
  AugmentOptions augment;
  Normalisation normalisation;
  int white = kFullRange;               // of pictures of more than 8 bits: see read_image
  PixelsBy pixels_by = PixelsBy::host;  // who makes the network's input of a picture's bytes
  bool skip_undecodable = false;        // evaluation: a picture that cannot be decoded is left out, and told
};

/// How many views an epoch has; with a repeat_threshold in the mean of all epochs.
double views_per_epoch(const Dataset& dataset, const LoaderOptions& options);

/// Endless stream of training batches, shard by shard. Shard number i of all depends on (data set, options, i) only:
/// every epoch is an order of the pictures, with tiles of their views (EpochViews), drawn from (seed, epoch): a
/// permutation, or with repeat_threshold one of pictures that come again and again (EpochOrders); every tile is drawn
/// and every picture augmented with random numbers from (seed, epoch, position). So neither the number of workers nor
/// where a run was resumed changes a bit. Where the data set has a stream, item number i of all batches is its picture
/// number i of the seed instead, or a tile of it, each once. A picture that cannot be decoded is replaced by the next
/// one in the order; it is counted and reported once.
class Loader {
 public:
  /// Throws Error when the data set has no images, and for a stream with a repeat_threshold. `first_batch`: number, of
  /// the shards that the process has, of the first that next() returns. The data set must outlive the loader.
  Loader(const Dataset& dataset, const LoaderOptions& options, std::int64_t first_batch = 0);
  ~Loader();

  /// The next batch; waits for the workers. Throws Error when no picture at all can be decoded.
  Batch next();

  /// Messages ("FILE: reason") about pictures that were skipped since the last call.
  std::vector<std::string> take_warnings();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The images of a set in order, with tiles view by view (views_of), prepared ahead by `workers` threads: for
/// evaluation. With `shards`, as many as there are ranks, the batches are dealt out to these. Tiles are cut by one
/// thread at a time, which reads a picture once from top to bottom. A picture that cannot be decoded is an Error here,
/// but with skip_undecodable. The data set must outlive the loader.
class EvaluationLoader {
 public:
  EvaluationLoader(const Dataset& dataset, const LoaderOptions& options);
  ~EvaluationLoader();
  /// The next batch in data set order (the last may be smaller); false when there is none left. Where pictures were
  /// skipped it is smaller or empty: `views` tells which it has. Of a picture that is damaged further down there may
  /// have been views before it is skipped.
  bool next(Batch& batch);
  /// Batches of all ranks together.
  std::int64_t batches() const;

  /// The pictures that were skipped since the last call.
  std::vector<UnreadablePicture> take_skipped();
  /// Files with pages or frames behind the one that was used, since the last call.
  std::vector<std::string> take_several();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Calls look() with the views of a picture in memory, batch after batch, as an EvaluationLoader gives those of a file.
void for_each_batch(const Image& picture, const LoaderOptions& options, const std::function<void(const Batch&)>& look);

}  // namespace diopter
