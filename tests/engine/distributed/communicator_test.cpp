#include "engine/distributed/communicator.h"

#include "tests/support/catch.h"
#include "tests/support/thread_ranks.h"

using namespace diopter;

namespace {

/// What each rank throws, "" for nothing.
std::vector<std::string> errors(int ranks, const std::function<void(Communicator&)>& work) {
  std::vector<std::string> all(static_cast<std::size_t>(ranks));
  test::ThreadRanks(ranks).run([&](Communicator& c) {
    try {
      work(c);
    } catch (const SharedError& error) {
      all[c.rank()] = error.what();
    }
  });
  return all;
}

}  // namespace

TEST_CASE("what is so on one rank is so on all") {
  for (int asking = -1; asking < 3; ++asking) {
    std::vector<int> answers(3);
    test::ThreadRanks(3).run([&](Communicator& c) { answers[c.rank()] = any(c, c.rank() == asking); });
    CHECK(answers == std::vector<int>(3, asking >= 0));
  }
  CHECK(any(single_process(), true));
  CHECK_FALSE(any(single_process(), false));
}

TEST_CASE("an error of one rank is thrown by all, and names the rank unless all have it") {
  const auto failing = [](int from, int to) {
    return errors(3, [=](Communicator& c) {
      together(c, [&] { DIOPTER_CHECK(c.rank() < from || c.rank() > to, "no such file"); });
    });
  };
  CHECK(failing(1, 1) == std::vector<std::string>(3, "rank 1: no such file"));
  CHECK(failing(1, 2) == std::vector<std::string>(3, "rank 1: no such file"));
  CHECK(failing(0, 2) == std::vector<std::string>(3, "no such file"));
  CHECK(failing(5, 5) == std::vector<std::string>(3, ""));
  CHECK_THROWS_AS(together(single_process(), [] { throw OutOfMemory("too much"); }), OutOfMemory);
}

TEST_CASE("ranks that differ refuse each other") {
  const auto with_odd = [](int odd) {
    return errors(3, [=](Communicator& c) {
      require_same(c, {{"program", "a"}, {"training set", c.rank() == odd ? "b" : "a"}});
    });
  };
  CHECK(with_odd(-1) == std::vector<std::string>(3, ""));
  CHECK(with_odd(2) == std::vector<std::string>(3, "rank 2 has another training set than rank 0"));
  CHECK(with_odd(0) == std::vector<std::string>(3, "rank 1 has another training set than rank 0"));
}

TEST_CASE("ranks that must differ and do not refuse each other") {
  const auto with = [](const std::vector<std::string>& values) {
    return errors(static_cast<int>(values.size()),
                  [&](Communicator& c) { require_distinct(c, "GPU", values[c.rank()]); });
  };
  CHECK(with({"a", "b", "c"}) == std::vector<std::string>(3, ""));
  CHECK(with({"a", "b", "a"}) == std::vector<std::string>(3, "ranks 0 and 2 have the same GPU, a"));
  CHECK(with({"a", "b", "b"}) == std::vector<std::string>(3, "ranks 1 and 2 have the same GPU, b"));
}
