#include "engine/distributed/communicator.h"

#include <algorithm>
#include <exception>

namespace diopter {

namespace {

class SingleProcess final : public Communicator {
 public:
  int rank() const override { return 0; }
  int ranks() const override { return 1; }
  std::vector<std::string> gather(const std::string& mine) override { return {mine}; }
  void begin_send(int, int, const void*, std::int64_t) override {}
  void begin_receive(int, int, void*, std::int64_t) override {}
  std::int64_t progress() override { return 0; }
  void complete() override {}
  std::int64_t bytes_sent() const override { return 0; }
};

}  // namespace

Communicator& single_process() {
  static SingleProcess single;
  return single;
}

bool any(Communicator& ranks, bool mine) {
  if (ranks.ranks() == 1) return mine;
  const std::vector<std::string> all = ranks.gather(mine ? "1" : "0");
  return std::find(all.begin(), all.end(), "1") != all.end();
}

void require_same(Communicator& ranks, const std::vector<std::pair<std::string, std::string>>& names_and_values) {
  for (const auto& [name, value] : names_and_values) {
    const std::vector<std::string> all = ranks.gather(value);
    for (std::size_t r = 1; r < all.size(); ++r) {
      if (all[r] != all[0]) throw SharedError("rank " + std::to_string(r) + " has another " + name + " than rank 0");
    }
  }
}

void require_distinct(Communicator& ranks, const std::string& name, const std::string& value) {
  const std::vector<std::string> all = ranks.gather(value);
  for (auto other = all.begin(); other != all.end(); ++other) {
    const auto first = std::find(all.begin(), other, *other);
    if (first == other) continue;
    throw SharedError("ranks " + std::to_string(first - all.begin()) + " and " + std::to_string(other - all.begin()) +
                      " have the same " + name + ", " + *other);
  }
}

void together(Communicator& ranks, const std::function<void()>& work) {
  if (ranks.ranks() == 1) {
    work();
    return;
  }
  std::string problem;
  try {
    work();
  } catch (const std::exception& error) {
    problem = error.what();
    if (problem.empty()) problem = "unknown error";
  }
  const std::vector<std::string> problems = ranks.gather(problem);
  const auto first = std::find_if(problems.begin(), problems.end(), [](const std::string& p) { return !p.empty(); });
  if (first == problems.end()) return;
  const bool everywhere =
      std::all_of(problems.begin(), problems.end(), [&](const std::string& p) { return p == *first; });
  throw SharedError(everywhere ? *first : "rank " + std::to_string(first - problems.begin()) + ": " + *first);
}

}  // namespace diopter
