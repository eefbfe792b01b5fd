#include "kernels/host_executor/ptx/translator/names.h"

#include <algorithm>

#include "kernels/host_executor/ptx/translator/arithmetic.h"

namespace diopter::ptx {

bool is_float(std::string_view type) { return type == "f32" || type == "f64"; }

std::string cpp_name(std::string_view name) {
  std::string result(name);  // %f32 is _f32, because f32 is a type
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c == '%' || c == '$'; }, '_');
  return result;
}

std::string register_type(std::string_view type) {
  return type == "pred" || is_float(type) ? std::string(type) : type_of('U', type);
}

std::vector<std::size_t> shared_addresses(const Kernel& kernel) {
  // Far from each other and from 0, so that an index that is too large meets none.
  constexpr std::size_t kGap = 1024;
  std::vector<std::size_t> addresses{kGap};
  for (const Variable& variable : kernel.shared) {
    addresses.push_back((addresses.back() + variable.bytes) / kGap * kGap + 2 * kGap);
  }
  return addresses;
}

}  // namespace diopter::ptx
