#include "retinanet/c_api/call.h"

#include <cstdio>
#include <new>

namespace diopter::c_api {

namespace {

constinit thread_local char last_error[1024] = "";

int failed(int status, const char* function, const char* message) {
  std::snprintf(last_error, sizeof last_error, "%s: %s", function, message);
  return status;
}

}  // namespace

int status_of_exception(const char* function) noexcept {
  try {
    throw;
  } catch (const BadArgument& error) {
    return failed(DIOPTER_BAD_ARGUMENT, function, error.what());
  } catch (const OutOfMemory& error) {
    return failed(DIOPTER_OUT_OF_MEMORY, function, error.what());
  } catch (const Error& error) {
    return failed(DIOPTER_FAILED, function, error.what());
  } catch (const std::bad_alloc&) {
    return failed(DIOPTER_OUT_OF_MEMORY, function, "out of memory");
  } catch (const std::exception& error) {
    return failed(DIOPTER_INTERNAL, function, error.what());
  } catch (...) {
    return failed(DIOPTER_INTERNAL, function, "an exception of an unknown kind");
  }
}

void check_struct_size(const char* name, std::uint32_t given, std::size_t first, std::size_t size) {
  require(given >= first && given <= size, name, "->struct_size: is ", given, ", must be from ", first, " to ", size,
          ", as in diopter.h");
}

}  // namespace diopter::c_api

int diopter_abi_version(void) { return DIOPTER_ABI_VERSION; }
const char* diopter_version(void) { return DIOPTER_VERSION; }
const char* diopter_last_error(void) { return diopter::c_api::last_error; }
