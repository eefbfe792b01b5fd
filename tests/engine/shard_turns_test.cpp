#include "engine/shard_turns.h"

#include <algorithm>
#include <atomic>

#include "engine/ops.h"
#include "kernels/base/check.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"
#include "tests/support/thread_ranks.h"

using namespace diopter;

namespace {

ShardTurns::Ranks ranks_of(Communicator& c) {
  return {c.rank(), c.ranks(), [&c](const std::string& mine) { return c.gather(mine); }};
}
ShardTurns::Ranks one_rank() { return ranks_of(single_process()); }

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("shards take turns: each goes on until it asks for what the others say") {
  Strings order;
  std::atomic<int> at_work = 0;
  ShardTurns turns(one_rank(), 3, Device::cpu);
  for (int pass = 0; pass < 2; ++pass) {
    order.clear();
    turns.run(ShardTurns::Statistics::moved, [&](int i) {
      CHECK(ShardTurns::current() == &turns);
      for (const char step : {'a', 'b'}) {
        CHECK(++at_work == 1);
        order.push_back(step + std::to_string(i));
        --at_work;
        const Strings all = turns.gather(step + std::to_string(i));
        CHECK(all == Strings{step + std::string("0"), step + std::string("1"), step + std::string("2")});
      }
      order.push_back('c' + std::to_string(i));
    });
    CHECK(order == Strings{"a0", "a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2"});
  }
  CHECK(ShardTurns::current() == nullptr);
}

TEST_CASE("what shards say comes in the order of the shards, on any number of ranks") {
  constexpr int kShards = 5;
  for (const int ranks : {1, 2, 3, 5}) {
    INFO(ranks << " ranks");
    std::atomic<int> right = 0;
    test::ThreadRanks(ranks).run([&](Communicator& c) {
      ShardTurns turns(ranks_of(c), kShards, Device::cpu);
      turns.run(ShardTurns::Statistics::kept, [&](int i) {
        const int shard = c.rank() + i * c.ranks();
        if (turns.gather("s" + std::to_string(shard)) == Strings{"s0", "s1", "s2", "s3", "s4"}) ++right;
        // 1e16 + 1 is 1e16: the sum depends on its order.
        const std::vector<double> numbers{1e16, 1, -1e16, 3, 1};
        if (turns.add_up(std::vector<double>{numbers[shard]}) == std::vector<double>{4}) ++right;
      });
    });
    CHECK(right == 2 * kShards);
  }
}

TEST_CASE("a shard's turns are marked, and the first one moves statistics") {
  Strings marks;
  ShardTurns turns(one_rank(), 2, Device::cpu, [&](int i) { marks.push_back("switch " + std::to_string(i)); });
  const auto pass = [&](int i) {
    marks.push_back(turns.moves_statistics() ? "moves" : "keeps");
    turns.gather("x");
    marks.push_back("end " + std::to_string(i));
  };
  turns.run(ShardTurns::Statistics::moved, pass);
  const Strings of_first{"switch 0", "moves", "switch 0"}, of_second{"switch 1", "keeps", "switch 1"};
  Strings expected = of_first;
  expected.insert(expected.end(), of_second.begin(), of_second.end());
  for (const char* mark : {"switch 0", "end 0", "switch 0", "switch 1", "end 1", "switch 1"}) expected.push_back(mark);
  CHECK(marks == expected);

  marks.clear();
  turns.run(ShardTurns::Statistics::kept, pass);
  CHECK(std::count(marks.begin(), marks.end(), "moves") == 0);
}

TEST_CASE("a shard that fails stops the others where they wait") {
  for (const int failing : {0, 1, 2}) {
    INFO("shard " << failing);
    int ended = 0, switches = 0;
    ShardTurns turns(one_rank(), 3, Device::cpu, [&](int) { ++switches; });
    const auto run = [&](int which) {
      turns.run(ShardTurns::Statistics::moved, [&](int i) {
        turns.gather("a");
        if (i == which) throw Error("shard " + std::to_string(i) + " fails");
        turns.gather("b");
        ++ended;
      });
    };
    CHECK(test::error_of([&] { run(failing); }) == "shard " + std::to_string(failing) + " fails");
    CHECK(ended == 0);
    CHECK(switches % 2 == 0);
    CHECK_NOTHROW(run(-1));  // and the next pass is not touched by it
    CHECK(ended == 3);
  }
}

TEST_CASE("after a failure no other shard begins") {
  int begun = 0;
  ShardTurns turns(one_rank(), 3, Device::cpu);
  CHECK(test::error_of([&] {
          turns.run(ShardTurns::Statistics::moved, [&](int) {
            ++begun;
            throw Error("fails at once");
          });
        }) == "fails at once");
  CHECK(begun == 1);
}

TEST_CASE("outside of a pass a shard has nothing to say") {
  ShardTurns turns(one_rank(), 2, Device::cpu);
  CHECK(test::error_of([&] { turns.gather("x"); }).find("outside") != std::string::npos);
}

// The same rows as one batch and as three shards of different sizes.
TEST_CASE("a batch norm over shards is the batch norm of all their rows") {
  constexpr int kChannels = 3, kShards = 3;
  const std::vector<std::int64_t> rows{4, 1, 7};
  std::vector<std::vector<float>> x, dy;
  std::vector<float> all_x, all_dy;
  for (const std::int64_t n : rows) {
    for (auto* values : {&x, &dy}) {
      values->emplace_back();
      for (std::int64_t i = 0; i < n * kChannels; ++i) {
        values->back().push_back(static_cast<float>((i * 37 + n * 11 + std::ssize(*values)) % 17) - 6.5f);
      }
    }
    all_x.insert(all_x.end(), x.back().begin(), x.back().end());
    all_dy.insert(all_dy.end(), dy.back().begin(), dy.back().end());
  }
  struct Result {
    std::vector<float> y, dx, dgamma, dbeta, running_mean, running_var;
  };
  const auto norm = [&](const std::vector<float>& of_x, const std::vector<float>& of_dy, Device device,
                        ShardTurns* shards) {
    const std::int64_t n = std::ssize(of_x) / kChannels;
    const Variable in(Tensor::from({1, n, 1, kChannels}, of_x, device), true);
    const Variable gamma(Tensor::from({kChannels}, std::vector<float>{1, -2, 0.5f}, device), true);
    const Variable beta(Tensor::from({kChannels}, std::vector<float>{0, 1, 2}, device), true);
    const RunningStatistics running{Tensor::full({kChannels}, 1, device), Tensor::full({kChannels}, 2, device)};
    Tape tape;
    const Variable y = batch_norm(in, gamma, beta, running, 0.1f, 1e-5f, shards);
    tape.backward(y, Tensor::from({1, n, 1, kChannels}, of_dy, device));
    const auto read = [](const Tensor& t) { return t.to_vector<float>(); };
    return Result{read(y.value()),
                  read(in.gradient()->tensor()),
                  read(gamma.gradient()->tensor()),
                  read(beta.gradient()->tensor()),
                  read(running.mean),
                  read(running.var)};
  };
  const auto close = [](const std::vector<float>& actual, const std::vector<float>& expected) {
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) CHECK(actual[i] == Approx(expected[i]).margin(1e-5));
  };
  for (const Device device : test::devices()) {
    INFO(test::device_name(device));
    const Result whole = norm(all_x, all_dy, device, nullptr);
    std::vector<Result> of_one_rank;
    for (const int ranks : {1, 2, 3}) {
      INFO(ranks << " ranks");
      std::vector<Result> results(kShards);
      test::ThreadRanks(ranks).run([&](Communicator& c) {
        ShardTurns turns(ranks_of(c), kShards, device);
        turns.run(ShardTurns::Statistics::moved, [&](int i) {
          const int shard = c.rank() + i * c.ranks();
          results[shard] = norm(x[shard], dy[shard], device, &turns);
        });
      });
      std::vector<float> y, dx, dgamma(kChannels), dbeta(kChannels);
      for (int shard = 0; shard < kShards; ++shard) {
        const Result& r = results[shard];
        y.insert(y.end(), r.y.begin(), r.y.end());
        dx.insert(dx.end(), r.dx.begin(), r.dx.end());
        for (int c = 0; c < kChannels; ++c) dgamma[c] += r.dgamma[c], dbeta[c] += r.dbeta[c];
        const bool first = shard < ranks;  // of its rank: this one moves the running statistics
        close(r.running_mean, first ? whole.running_mean : std::vector<float>(kChannels, 1));
        close(r.running_var, first ? whole.running_var : std::vector<float>(kChannels, 2));
        if (ranks == 1) continue;
        CHECK(r.y == of_one_rank[shard].y);  // to the bit
        CHECK(r.dx == of_one_rank[shard].dx);
      }
      close(y, whole.y);
      close(dx, whole.dx);
      close(dgamma, whole.dgamma);
      close(dbeta, whole.dbeta);
      if (ranks == 1) of_one_rank = results;
    }
  }
}
