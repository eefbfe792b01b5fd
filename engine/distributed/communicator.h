// Processes that work on one thing together, and what they tell each other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/check.h"

namespace diopter {

/// One of `ranks()` processes. All of them call the same functions in the same order; each call returns when those that
/// have something for this one have called it, too.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int ranks() const = 0;
  /// Rank 0 writes files and talks to people.
  bool leads() const { return rank() == 0; }

  /// What each rank says, by rank.
  virtual std::vector<std::string> gather(const std::string& mine) = 0;
  /// `send` holds send_counts[r] floats for each rank r, one rank after another; `receive` gets receive_counts[r] from
  /// each. Both in host memory.
  virtual void all_to_all(const float* send, const std::vector<std::int64_t>& send_counts, float* receive,
                          const std::vector<std::int64_t>& receive_counts) = 0;
  /// `values` are cut into counts[r] floats for each rank r: each gives its own to all others. In host memory.
  virtual void gather_slices(float* values, const std::vector<std::int64_t>& counts) = 0;
  /// Bytes that this rank has sent to others so far.
  virtual std::int64_t bytes_sent() const = 0;
};

/// The process that works alone.
Communicator& single_process();

/// An Error that all ranks throw at the same place, with the same text.
class SharedError : public Error {
 public:
  using Error::Error;
};

/// Whether it is so on any rank.
bool any(Communicator& ranks, bool mine);

/// Throws SharedError where a rank has another value than rank 0: "rank 2 has another NAME than rank 0".
void require_same(Communicator& ranks, const std::vector<std::pair<std::string, std::string>>& names_and_values);

/// Throws SharedError where two ranks have the same value: "ranks 0 and 2 have the same NAME, VALUE".
void require_distinct(Communicator& ranks, const std::string& name, const std::string& value);

/// Calls `work`, which does not communicate. Where it throws on a rank, all throw SharedError with the text of the
/// first such rank, which it names unless all ranks say the same. A single process throws what `work` throws.
void together(Communicator& ranks, const std::function<void()>& work);

}  // namespace diopter
