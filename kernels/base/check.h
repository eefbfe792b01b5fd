// Errors: the library throws Error with one clear line; tools/ prints it and sets the exit code.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace diopter {

/// Bad input or impossible request; what() is one line for the user.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The system has no memory or no file descriptors left: nothing is wrong with what was asked for.
class OutOfResources : public Error {
 public:
  using Error::Error;
};

/// What was wanted is in what(); which setting makes it smaller is known further up.
class OutOfMemory : public OutOfResources {
 public:
  using OutOfResources::OutOfResources;
};

/// Throws Error with the parts written one after another: fail(path, ": line ", line, ": no such class").
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(text.str());
}

}  // namespace diopter

/// DIOPTER_CHECK(condition, message parts...): throws diopter::Error when the condition does not hold.
#define DIOPTER_CHECK(condition, ...)               \
  do {                                              \
    if (!(condition)) ::diopter::fail(__VA_ARGS__); \
  } while (false)
