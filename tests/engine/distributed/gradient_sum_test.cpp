#include "engine/distributed/gradient_sum.h"

#include <cmath>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/thread_ranks.h"

using namespace diopter;

namespace {

constexpr std::int64_t kSize = 1003;  // no multiple of anything
constexpr int kShards = 6;

/// Gradients of the shards, whose sum depends on the order in which it is made.
std::vector<std::vector<float>> shard_gradients() {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> all(kShards, std::vector<float>(kSize));
  for (std::vector<float>& shard : all) {
    for (float& value : shard) value = normal(random) * std::exp(4 * normal(random));
  }
  return all;
}

/// The sum on each rank, of gradients on a device.
std::vector<std::vector<float>> sums(int ranks, Device device, std::int64_t* sent = nullptr) {
  const auto gradients = shard_gradients();
  std::vector<std::vector<float>> result(static_cast<std::size_t>(ranks));
  test::ThreadRanks threads(ranks);
  threads.run([&](Communicator& c) {
    const Tensor flat = Tensor::full({kSize}, 7, device);
    GradientSum sum(c, flat);
    for (int step = 0; step < 2; ++step) {  // the second one does not see the first
      sum.start();
      for (int first = 0; first < kShards; first += ranks) {
        const int senders = std::min(ranks, kShards - first);
        if (c.rank() < senders) flat.copy_from_host(gradients[first + c.rank()].data());
        sum.add(senders);
      }
      sum.finish();
    }
    result[c.rank()] = flat.to_vector<float>();
  });
  if (sent) *sent = threads.sent();
  return result;
}

}  // namespace

TEST_CASE("gradients are added in the order of the shards, for any number of ranks") {
  std::vector<float> expected(kSize);
  for (const std::vector<float>& shard : shard_gradients()) {
    for (std::int64_t i = 0; i < kSize; ++i) expected[i] += shard[i];
  }
  for (const int ranks : {1, 2, 3, 4, 6}) {
    INFO(ranks << " ranks");
    for (const Device device : test::devices()) {
      for (const std::vector<float>& sum : sums(ranks, device)) CHECK((sum == expected));
    }
  }
}

TEST_CASE("one shard a rank costs the bytes of a ring all-reduce") {
  std::int64_t sent = 0;
  sums(kShards, Device::cpu, &sent);
  // Of two steps. A ring sends 2 (ranks - 1) / ranks of the gradients; slices are whole cache lines.
  const double ring = 2 * 2.0 * (kShards - 1) / kShards * kSize * 4;
  CHECK(static_cast<double>(sent) == Approx(ring).epsilon(0.06));
}
