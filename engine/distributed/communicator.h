// Processes that work on one thing together, and what they tell each other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/distributed/messages.h"
#include "kernels/base/check.h"

namespace diopter {

/// One of `ranks()` processes. All of them call the same functions in the same order; each call returns when those that
/// have something for this one have called it, too. Its messages are between the ranks' host memories.
class Communicator : public Messages {
 public:
  virtual int rank() const = 0;
  virtual int ranks() const = 0;
  /// Rank 0 writes files and talks to people.
  bool leads() const { return rank() == 0; }

  /// What each rank says, by rank.
  virtual std::vector<std::string> gather(const std::string& mine) = 0;
  /// Messages between the ranks' GPUs, or null: then all passes through the host. Every rank calls it.
  virtual std::unique_ptr<Messages> connect_devices() { return nullptr; }
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
