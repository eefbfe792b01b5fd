#include "data/loader.h"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <stop_token>
#include <utility>

#include "data/epoch_orders.h"
#include "data/picture_stream.h"
#include "data/pictures/picture_reader.h"
#include "data/prefetch.h"
#include "data/repeat_factors.h"
#include "kernels/base/check.h"

namespace diopter {

namespace {

Batch batch_of(const std::vector<Sample>& samples, const LoaderOptions& options) {
  Batch batch = collate(samples, options.divisor);
  batch.normalisation = options.normalisation;
  for (const Sample& s : samples) batch.names.push_back(s.name);
  return batch;
}

/// How a view of a picture is resized.
ResizeRule resize_rule(const LoaderOptions& options, const Window& view) {
  ResizeRule rule = options.resize;
  rule.tile = is_tile(options.tiles, view) ? options.tiles.size : 0;
  return rule;
}

void check(const LoaderOptions& options) {
  DIOPTER_CHECK(options.batch_size >= 1, "batch size is ", options.batch_size, ", must be at least 1");
  DIOPTER_CHECK(options.workers >= 0, "number of loader threads is ", options.workers, ", must not be negative");
}

/// Repeat factors of the views: those of their pictures. Empty where every picture comes once.
std::vector<double> repeats_of(const EpochViews& views, const Dataset& dataset, double threshold) {
  std::vector<double> repeats;
  if (threshold <= 0) return repeats;
  const std::vector<double> of_pictures = repeat_factors(dataset, threshold);
  for (std::int64_t view = 0; view < views.count(); ++view) repeats.push_back(of_pictures[views.picture(view)]);
  return repeats;
}

}  // namespace

double views_per_epoch(const Dataset& dataset, const LoaderOptions& options) {
  const EpochViews views(dataset, options.tiles);
  const std::vector<double> repeats = repeats_of(views, dataset, options.repeat_threshold);
  return repeats.empty() ? static_cast<double>(views.count()) : std::accumulate(repeats.begin(), repeats.end(), 0.0);
}

struct Loader::State {
  State(const Dataset& d, const LoaderOptions& o, std::int64_t first_batch)
      : dataset(d),
        options(o),
        views(d, o.tiles),
        orders(o.seed, views.count(), repeats_of(views, d, o.repeat_threshold)),
        cache(d.images.size()),
        by_strips(choose_strips()),
        prefetch(o.workers, first_batch, std::numeric_limits<std::int64_t>::max(),
                 [this](std::int64_t number, const std::stop_token& stop) {
                   std::vector<Sample> samples;
                   const std::int64_t begin = options.shards.number(number) * options.batch_size,
                                      end = begin + options.batch_size;
                   for (std::int64_t i = begin; i < end && !stop.stop_requested(); ++i) samples.push_back(sample(i));
                   return batch_of(samples, options);
                 }) {}

  /// Which pictures are read by strips: by their sizes alone, so that a damaged one gives the same tiles whatever the
  /// cache holds. The other large ones have their place in the cache.
  std::vector<bool> choose_strips() {
    std::vector<bool> strips(dataset.images.size());
    for (std::size_t i = 0; i < strips.size(); ++i) {
      const std::size_t bytes = picture_bytes(static_cast<int>(i));
      if (bytes <= options.whole_bytes) continue;
      strips[i] = cached_bytes + bytes > options.cache_bytes;
      if (!strips[i]) cached_bytes += bytes;
    }
    return strips;
  }

  /// Of the decoded picture; 0 without tiles.
  std::size_t picture_bytes(int index) const { return 3 * static_cast<std::size_t>(views.pixels(index)); }

  /// The decoded picture, null when it cannot be decoded.
  std::shared_ptr<const Image> read(int index) {
    {
      const std::lock_guard lock(mutex);
      if (cache[index]) return cache[index];
      if (unreadable.count(index)) return nullptr;
    }
    std::shared_ptr<const Image> image;
    try {
      image = std::make_shared<const Image>(read_image(dataset.images[index].file, options.white));
    } catch (const OutOfResources&) {  // another picture in its place would make it another run
      throw;
    } catch (const Error& error) {
      note_unreadable(index, error);
      return nullptr;
    }
    const std::lock_guard lock(mutex);
    if (!cache[index] && !by_strips[index] && has_room(index, image->rgb.size())) cache[index] = image;
    return image;
  }

  /// The first pictures that fit stay: in random order, throwing some out for others would not raise the hit rate.
  bool has_room(int index, std::size_t bytes) {
    if (picture_bytes(index) > options.whole_bytes) return true;  // its place was kept
    if (cached_bytes + bytes > options.cache_bytes) return false;
    cached_bytes += bytes;
    return true;
  }

  void note_unreadable(int index, const Error& error) {
    const std::lock_guard lock(mutex);
    if (unreadable.emplace(index, error.what()).second) warnings.push_back(error.what());
  }

  /// What is seen of a picture of width x height at a position: all of it, or a tile that is drawn.
  Window window_of(const ImageRecord& record, int width, int height, bool whole, std::int64_t epoch,
                   std::int64_t position) const {
    if (whole) return {0, 0, width, height};
    Philox place = random_stream(options.seed, Purpose::tile, epoch, position);
    return draw_tile(options.tiles, record, width, height, place);
  }

  /// Augments the pixels and the record of a window.
  Sample augmented(const Image& seen, const ImageRecord& record, const Window& window, std::int64_t epoch,
                   std::int64_t position) const {
    Philox random = random_stream(options.seed, Purpose::augment, epoch, position);
    Sample sample = augment(seen, record, resize_rule(options, window), in_epoch(options.augment, epoch),
                            options.normalisation, random, options.pixels_by);
    sample.view.window = window;
    return sample;
  }

  Sample sample_of(const Image& image, const ImageRecord& record, bool whole, std::int64_t epoch,
                   std::int64_t position) const {
    const Window window = window_of(record, image.width, image.height, whole, epoch, position);
    if (window == Window{0, 0, image.width, image.height}) return augmented(image, record, window, epoch, position);
    return augmented(cut(image, window), record_of_view(record, window, image.width, image.height), window, epoch,
                     position);
  }

  Sample streamed(std::int64_t item) const {
    ImageRecord record;
    const Image image = dataset.stream->make(options.seed, item, record);
    return sample_of(image, record, options.tiles.size == 0, 0, item);
  }

  /// A tile of a picture of which no more than its strips are decoded; nothing where it is damaged there or above.
  std::optional<Sample> tile_by_strips(int index, std::int64_t epoch, std::int64_t position) {
    const ImageRecord& record = dataset.images[index];
    try {
      PictureReader reader(record.file, options.white);
      const int width = reader.width(), height = reader.height();
      const Window window = window_of(record, width, height, false, epoch, position);
      return augmented(reader.cut(window), record_of_view(record, window, width, height), window, epoch, position);
    } catch (const OutOfResources&) {
      throw;
    } catch (const Error& error) {
      note_unreadable(index, error);
      return std::nullopt;
    }
  }

  std::optional<Sample> sample_of_view(int view, std::int64_t epoch, std::int64_t position) {
    const int index = views.picture(view);
    const bool whole = views.is_whole(view);
    if (by_strips[index] && !whole) return tile_by_strips(index, epoch, position);
    const std::shared_ptr<const Image> image = read(index);
    if (!image) return std::nullopt;
    return sample_of(*image, dataset.images[index], whole, epoch, position);
  }

  /// View number i of the sequence that strings the epochs together; of a stream picture number i, or a tile of it.
  Sample sample(std::int64_t i) {
    if (dataset.stream) return streamed(i);
    const auto [epoch, position] = orders.place(i);
    const std::shared_ptr<const std::vector<int>> order = orders.of(epoch);
    const std::int64_t length = std::ssize(*order);
    for (std::int64_t step = 0; step < length; ++step) {
      const int view = (*order)[(position + step) % length];
      std::optional<Sample> sample = sample_of_view(view, epoch, position);
      if (!sample) continue;
      sample->view.picture = static_cast<std::size_t>(views.picture(view));
      return std::move(*sample);
    }
    const std::lock_guard lock(mutex);
    fail("none of the ", dataset.images.size(), " pictures can be decoded; the first: ", unreadable.begin()->second);
  }

  const Dataset& dataset;
  const LoaderOptions options;
  const EpochViews views;
  EpochOrders orders;                               // of the views
  std::mutex mutex;                                 // of all between here and the prefetch
  std::vector<std::shared_ptr<const Image>> cache;  // by image
  std::size_t cached_bytes = 0;                     // and places that are kept
  const std::vector<bool> by_strips;                // by image
  std::map<int, std::string> unreadable;            // why, by image
  std::vector<std::string> warnings;
  Prefetch prefetch;  // last: its threads use all of the above
};

Loader::Loader(const Dataset& dataset, const LoaderOptions& options, std::int64_t first_batch) {
  check(options);
  DIOPTER_CHECK(!dataset.images.empty(), "the training set has no pictures");
  DIOPTER_CHECK(!dataset.stream || options.repeat_threshold <= 0,
                "train.repeat_threshold: pictures that are streamed come once each: set it to 0");
  DIOPTER_CHECK(first_batch >= 0, "number of the first batch is ", first_batch, ", must not be negative");
  state_ = std::make_unique<State>(dataset, options, first_batch);
}

Loader::~Loader() = default;

Batch Loader::next() { return state_->prefetch.next(); }

std::vector<std::string> Loader::take_warnings() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->warnings, {});
}

struct EvaluationLoader::State {
  State(const Dataset& d, const LoaderOptions& o)
      : dataset(d),
        options(o),
        views(views_of_all()),
        prefetch(o.workers, 0, (batches() - o.shards.rank + o.shards.ranks - 1) / o.shards.ranks,
                 [this](std::int64_t number, const std::stop_token& stop) {
                   const std::int64_t begin = options.shards.number(number) * options.batch_size;
                   const std::int64_t end = std::min(begin + options.batch_size, count());
                   return batch_of(options.tiles.size > 0 ? samples_of_views(number, begin, end, stop)
                                                          : samples_of_pictures(begin, end, stop),
                                   options);
                 }) {}

  /// Of the pictures as tiles; one that cannot be read has a view without a size.
  std::vector<PictureView> views_of_all() const {
    std::vector<PictureView> all;
    for (std::size_t picture = 0; picture < dataset.images.size() && options.tiles.size > 0; ++picture) {
      int width = 0, height = 0;
      try {
        read_image_size(dataset.images[picture].file, width, height);
      } catch (const OutOfResources&) {
        throw;
      } catch (const Error&) {  // told when it is its turn
      }
      for (const Window& window : views_of(options.tiles, width, height)) all.push_back({picture, window, false});
      all.back().last = true;
    }
    return all;
  }

  std::int64_t count() const { return options.tiles.size > 0 ? std::ssize(views) : std::ssize(dataset.images); }
  std::int64_t batches() const { return (count() + options.batch_size - 1) / options.batch_size; }

  /// Calls look() at a picture. A picture that cannot be decoded is skipped, where that is wanted.
  template <class Look>
  void try_to(std::size_t picture, const Look& look) {
    try {
      look();
    } catch (const OutOfResources&) {
      throw;
    } catch (const Error& error) {
      if (!options.skip_undecodable) throw;
      const std::lock_guard lock(mutex);
      skipped.push_back({picture, error.what()});
      unreadable = picture;
    }
  }

  void note_more(const ImageRecord& record) {
    const std::lock_guard lock(mutex);
    several.push_back(record.file);
  }

  /// Pictures begin, begin + 1, ... end - 1.
  std::vector<Sample> samples_of_pictures(std::int64_t begin, std::int64_t end, const std::stop_token& stop) {
    std::vector<Sample> samples;
    for (auto picture = static_cast<std::size_t>(begin); std::cmp_less(picture, end) && !stop.stop_requested();
         ++picture) {
      const ImageRecord& record = dataset.images[picture];
      try_to(picture, [&] {
        const Image image = read_image(record.file, options.white);
        if (image.more) note_more(record);
        samples.push_back(prepare(image, record, options.resize, options.normalisation, options.pixels_by));
        samples.back().view = {picture, {0, 0, image.width, image.height}, true};
      });
    }
    return samples;
  }

  /// A view with its pixels and boxes.
  struct Cut {
    PictureView view;
    Image image;
    ImageRecord record;
  };

  /// Views begin, begin + 1, ... end - 1, which are cut when those before them are and prepared at any time.
  std::vector<Sample> samples_of_views(std::int64_t number, std::int64_t begin, std::int64_t end,
                                       const std::stop_token& stop) {
    std::vector<Cut> cuts;
    if (!turn.wait(number, stop)) return {};
    try {
      for (std::int64_t i = begin; i < end && !stop.stop_requested(); ++i) cut_view(views[i], cuts);
    } catch (...) {
      turn.pass();
      throw;
    }
    turn.pass();
    std::vector<Sample> samples;
    for (const Cut& cut : cuts) {
      samples.push_back(prepare(cut.image, cut.record, resize_rule(options, cut.view.window), options.normalisation,
                                options.pixels_by));
      samples.back().view = cut.view;
    }
    return samples;
  }

  /// In turn only.
  void cut_view(const PictureView& view, std::vector<Cut>& cuts) {
    if (view.picture == unreadable) return;
    const ImageRecord& record = dataset.images[view.picture];
    try_to(view.picture, [&] {
      if (view.picture != open) {
        reader.emplace(record.file, options.white);
        open = view.picture;
        if (reader->more()) note_more(record);
      }
      Image image = reader->cut(view.window);
      cuts.push_back({view, std::move(image), record_of_view(record, view.window, reader->width(), reader->height())});
    });
  }

  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  const Dataset& dataset;
  const LoaderOptions options;
  const std::vector<PictureView> views;  // with tiles
  Turnstile turn;                        // of the reader and what is known of it
  std::optional<PictureReader> reader;
  std::size_t open = kNone, unreadable = kNone;  // pictures: of the reader, and the last one that failed
  std::mutex mutex;                              // of what is told of pictures
  std::vector<UnreadablePicture> skipped;
  std::vector<std::string> several;
  Prefetch prefetch;  // last: its threads use all of the above
};

EvaluationLoader::EvaluationLoader(const Dataset& dataset, const LoaderOptions& options) {
  check(options);
  state_ = std::make_unique<State>(dataset, options);
}

EvaluationLoader::~EvaluationLoader() = default;

std::vector<UnreadablePicture> EvaluationLoader::take_skipped() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->skipped, {});
}

std::vector<std::string> EvaluationLoader::take_several() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->several, {});
}

std::int64_t EvaluationLoader::batches() const { return state_->batches(); }

bool EvaluationLoader::next(Batch& batch) {
  if (state_->prefetch.finished()) return false;
  batch = state_->prefetch.next();
  return true;
}

void for_each_batch(const Image& picture, const LoaderOptions& options, const std::function<void(const Batch&)>& look) {
  check(options);
  const std::vector<Window> views = views_of(options.tiles, picture.width, picture.height);
  std::vector<Sample> samples;
  for (const Window& window : views) {
    samples.push_back(
        prepare(cut(picture, window), {}, resize_rule(options, window), options.normalisation, options.pixels_by));
    const bool last = &window == &views.back();
    samples.back().view = {0, window, last};
    if (!last && std::ssize(samples) < options.batch_size) continue;
    look(batch_of(samples, options));
    samples.clear();
  }
}

}  // namespace diopter
