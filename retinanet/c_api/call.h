// Calls from outside: exceptions become a status and a message of the thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/check.h"
#include "retinanet/c_api/diopter.h"

namespace diopter::c_api {

/// An argument that cannot be what was meant; what() names it and says what it must be.
class BadArgument : public Error {
 public:
  using Error::Error;
};

/// Throws BadArgument: the parts one after another, unless `holds`.
template <class... Parts>
void require(bool holds, const Parts&... parts) {
  if (holds) return;
  std::ostringstream text;
  (text << ... << parts);
  throw BadArgument(text.str());
}

/// The diopter_status of the exception that is being handled; diopter_last_error() says what it is, after the name of
/// the function.
int status_of_exception(const char* function) noexcept;

/// Calls `body`. What it throws is returned as a diopter_status.
template <class Body>
int guarded(const char* function, const Body& body) noexcept {
  try {
    body();
    return DIOPTER_OK;
  } catch (...) {
    return status_of_exception(function);
  }
}

/// Throws BadArgument unless a struct's struct_size is that of a version that this library knows: from `first`, that of
/// the interface's first version, to `size`, its own.
void check_struct_size(const char* name, std::uint32_t given, std::size_t first, std::size_t size);

}  // namespace diopter::c_api
