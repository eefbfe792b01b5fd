#include "kernels/base/limits.h"

#include "kernels/base/check.h"

namespace diopter {

void check_limit(const Limit& limit, std::int64_t number, const std::string& place) {
  DIOPTER_CHECK(number <= limit.value, place, ": ", limit.of, ": ", number, ", at most ", limit.value);
}

}  // namespace diopter
