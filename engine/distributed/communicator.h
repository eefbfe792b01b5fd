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
  /// Messages between two ranks, which pass while these do other work: each begins them, and `progress` moves them on.
  /// Those of the same tag are matched in the order in which they were begun. Their memory, on the host, is not to be
  /// touched before `complete`.
  virtual void begin_send(int to, int tag, const void* bytes, std::int64_t count) = 0;
  virtual void begin_receive(int from, int tag, void* bytes, std::int64_t count) = 0;
  /// Does not wait. Bytes of what has begun that are still to come.
  virtual std::int64_t progress() = 0;
  /// Waits for all that has begun.
  virtual void complete() = 0;
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
