#include "kernels/host_executor/options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

namespace diopter::host_executor {

namespace {

[[noreturn]] void reject(const char* name, const std::string& value, const char* allowed) {
  std::fprintf(stderr, "host executor: %s is '%s', must be %s\n", name, value.c_str(), allowed);
  std::exit(2);
}

long number(const char* name, const std::string& value, const char* allowed) {
  char* end;
  const long result = std::strtol(value.c_str(), &end, 0);
  if (end == value.c_str() || *end != '\0' || result < 0) reject(name, value, allowed);
  return result;
}

Options read() {
  const auto variable = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text ? text : "");
  };
  Options result;
  const std::string order = variable("DIOPTER_EXECUTOR_ORDER"), seed = variable("DIOPTER_EXECUTOR_SEED");
  const std::string fill = variable("DIOPTER_EXECUTOR_FILL"), lazy = variable("DIOPTER_EXECUTOR_LAZY");
  const std::string memory = variable("DIOPTER_EXECUTOR_MEMORY"), fault = variable("DIOPTER_EXECUTOR_FAULT");
  const std::string approximation = variable("DIOPTER_EXECUTOR_APPROX");
  if (order == "reverse") {
    result.order = Order::reverse;
  } else if (order == "shuffle") {
    result.order = Order::shuffle;
  } else if (!order.empty() && order != "forward") {
    reject("DIOPTER_EXECUTOR_ORDER", order, "forward, reverse or shuffle");
  }
  if (!seed.empty()) result.seed = static_cast<unsigned>(number("DIOPTER_EXECUTOR_SEED", seed, "a number"));
  if (fill == "none") {
    result.fill = -1;
  } else if (!fill.empty()) {
    result.fill = static_cast<int>(number("DIOPTER_EXECUTOR_FILL", fill, "a byte or none") & 0xff);
  }
  if (!lazy.empty()) result.lazy = number("DIOPTER_EXECUTOR_LAZY", lazy, "0 or 1") != 0;
  result.launches = std::getenv("DIOPTER_EXECUTOR_LAUNCHES");
  if (!memory.empty()) {
    result.memory = static_cast<unsigned long>(number("DIOPTER_EXECUTOR_MEMORY", memory, "a number of MiB"));
  }
  result.random_approximation = approximation == "random";
  if (!approximation.empty() && !result.random_approximation) {
    constexpr const char* kAllowed = "-2, -1, 0, 1, 2 or random";
    const bool negative = approximation[0] == '-';
    const long ulps = number("DIOPTER_EXECUTOR_APPROX", approximation.substr(negative ? 1 : 0), kAllowed);
    if (ulps > 2) reject("DIOPTER_EXECUTOR_APPROX", approximation, kAllowed);
    result.approximation = static_cast<int>(negative ? -ulps : ulps);
  }
  static constexpr std::pair<const char*, Fault> kFaults[] = {{"", Fault::no},
                                                              {"no_driver", Fault::no_driver},
                                                              {"old_driver", Fault::old_driver},
                                                              {"no_device", Fault::no_device},
                                                              {"no_memory_pools", Fault::no_memory_pools},
                                                              {"no_kernel_image", Fault::no_kernel_image}};
  const auto* found =
      std::find_if(std::begin(kFaults), std::end(kFaults), [&](const auto& f) { return fault == f.first; });
  if (found == std::end(kFaults)) {
    reject("DIOPTER_EXECUTOR_FAULT", fault, "no_driver, old_driver, no_device, no_memory_pools or no_kernel_image");
  }
  result.fault = found->second;
  return result;
}

}  // namespace

const Options& options() {
  static const Options read_once = read();
  return read_once;
}

void fill_fresh(void* memory, unsigned long bytes) {
  if (options().fill >= 0) std::memset(memory, options().fill, bytes);
}

}  // namespace diopter::host_executor
