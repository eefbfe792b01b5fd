#include "engine/distributed/gradient_sum.h"

#include <atomic>
#include <cmath>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/thread_ranks.h"

using namespace diopter;

namespace {

constexpr std::int64_t kSize = 100003, kRest = 90001;  // no multiples of anything
constexpr int kShards = 6;

/// Gradients of the shards, whose sum depends on the order in which it is made.
std::vector<std::vector<float>> shard_gradients(std::int64_t size) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> all(kShards, std::vector<float>(static_cast<std::size_t>(size)));
  for (std::vector<float>& shard : all) {
    for (float& value : shard) value = normal(random) * std::exp(4 * normal(random));
  }
  return all;
}

struct Summed {
  std::vector<float> sum;            // gathered from the owners
  std::vector<float> squared_norms;  // of each rank
  std::vector<double> early;
  std::int64_t sent = 0;             // by all ranks, through the host
  std::int64_t between_devices = 0;  // sent from device to device, by all ranks
};

/// A backward pass over parameters of some sizes, last one first, as the operations of a tape would make it.
void backward(GradientSum& sum, const Tensor& flat, const std::vector<float>& gradients) {
  const Tape::AfterEach after_each = sum.sender();
  constexpr std::int64_t kParameter = 3000;
  for (std::int64_t end = flat.size(); end > 0;) {
    const std::int64_t begin = (end - 1) / kParameter * kParameter;
    const auto gradient = std::make_shared<Gradient>();
    gradient->set_buffer(flat.slice(begin, end));
    const auto at = gradients.begin();
    gradient->accumulate(Tensor::from({end - begin}, std::vector<float>(at + begin, at + end), flat.device()));
    if (after_each) after_each({gradient});
    end = begin;
  }
}

/// How gradients pass: through host memory, or from device to device.
enum class Way { host, devices };

Summed sums(int ranks, Device device, DType wire = DType::f32, std::int64_t size = kSize, std::int64_t rest = kRest,
            Way way = Way::host) {
  const auto gradients = shard_gradients(size);
  Summed result;
  result.squared_norms.resize(static_cast<std::size_t>(ranks));
  result.early.resize(static_cast<std::size_t>(ranks));
  std::atomic<std::int64_t> between_devices = 0;
  test::ThreadRanks threads(ranks);
  threads.run([&](Communicator& c) {
    const Tensor flat = Tensor::full({size}, 7, device);
    const std::unique_ptr<Messages> devices = way == Way::devices ? c.connect_devices() : nullptr;
    GradientSum sum(c, devices ? *devices : c, flat, FlatSlices(size, rest, {c.rank(), ranks}), wire);
    for (int step = 0; step < 2; ++step) {  // the second one does not see the first
      sum.start();
      for (int first = 0; first < kShards; first += ranks) {
        const int senders = std::min(ranks, kShards - first);
        sum.begin_round(senders);
        if (c.rank() >= senders) continue;
        backward(sum, flat, gradients[first + c.rank()]);
        sum.end_backward();
      }
      result.squared_norms[c.rank()] = sum.finish();
      if (sum.passing().raw() != flat.raw()) sum.passing().copy_from(flat);
      sum.share(sum.passing());
    }
    result.early[c.rank()] = sum.arrived_early();
    if (devices) between_devices += devices->bytes_sent();
    if (c.leads()) result.sum = sum.passing().to_vector<float>();
  });
  result.sent = threads.sent();
  result.between_devices = between_devices;
  return result;
}

}  // namespace

TEST_CASE("gradients are added in the order of the shards, for any number of ranks and what passes between them") {
  for (const DType wire : {DType::f32, DType::bf16}) {
    std::vector<float> expected(kSize);
    for (const std::vector<float>& shard : shard_gradients(kSize)) {
      for (std::int64_t i = 0; i < kSize; ++i) expected[i] += wire == DType::f32 ? shard[i] : float(bf16(shard[i]));
    }
    double squared = 0;
    for (const float value : expected) squared += double{value} * double{value};
    for (const Device device : test::devices()) {
      std::vector<float> norms;
      for (const int ranks : {1, 2, 3, 4, 6}) {
        INFO(ranks << " ranks, " << name_of(wire));
        const Summed summed = sums(ranks, device, wire);
        CHECK((summed.sum == expected));
        norms.insert(norms.end(), summed.squared_norms.begin(), summed.squared_norms.end());
        if (device == Device::cpu || ranks == 1) continue;
        const Summed direct = sums(ranks, device, wire, kSize, kRest, Way::devices);
        CHECK((direct.sum == expected));
        CHECK(direct.squared_norms == summed.squared_norms);
        CHECK(direct.sent == 0);
        CHECK(direct.between_devices == summed.sent);
      }
      CHECK(norms == std::vector<float>(norms.size(), norms[0]));
      CHECK(norms[0] == Approx(squared).epsilon(1e-6));
    }
  }
}

TEST_CASE("one shard a rank costs the bytes of a ring all-reduce, and those of bf16 three quarters") {
  const std::int64_t size = FlatSlices::kRun * kShards * FlatSlices::kBuckets;  // slices as equal as can be
  const std::int64_t ring = 2 * (kShards - 1) * size / kShards * 4, steps = 2;
  CHECK(sums(kShards, Device::cpu, DType::f32, size, size).sent == steps * kShards * ring);
  CHECK(sums(kShards, Device::cpu, DType::bf16, size, size).sent == steps * kShards * ring * 3 / 4);
}

TEST_CASE("gradients leave while the backward pass goes on") {
  const auto gradients = shard_gradients(kSize);
  const FlatSlices slices(kSize, kRest, {0, 2});
  REQUIRE(slices.buckets().size() == FlatSlices::kBuckets + 1);
  std::vector<std::int64_t> sent;
  test::ThreadRanks threads(2);
  threads.run([&](Communicator& c) {
    const Tensor flat = Tensor::zeros({kSize});
    GradientSum sum(c, c, flat, FlatSlices(kSize, kRest, {c.rank(), 2}), DType::f32);
    sum.start();
    sum.begin_round(2);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      const auto gradient = std::make_shared<Gradient>();
      gradient->set_buffer(flat.slice(begin, end));
      sum.sender()({gradient});
      if (c.leads()) sent.push_back(c.bytes_sent() / 4);
    };
    const FlatRange last = slices.buckets()[FlatSlices::kBuckets - 1];
    part(last.begin + 4, last.end);                            // its first values are missing
    part(slices.buckets()[0].begin, slices.buckets()[0].end);  // whose turn it is not
    part(last.begin - 8, last.begin + 4);
    sum.end_backward();
    if (c.leads()) sent.push_back(c.bytes_sent() / 4);
    sum.finish();
  });
  const auto to_other = [&](std::size_t bucket) { return slices.slice(bucket, 1).size(); };
  std::int64_t all = 0;
  for (std::size_t bucket = 0; bucket < slices.buckets().size(); ++bucket) all += to_other(bucket);
  CHECK(sent == std::vector<std::int64_t>{0, 0, to_other(FlatSlices::kBuckets - 1), all});
}
