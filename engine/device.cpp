#include "engine/device.h"

#include "engine/tensor.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

/// Throws Error where the device cannot be used: no driver, no GPU, or code for another architecture.
void probe(Device device) { Tensor::full({1}, 1.0f, device).item(); }

}  // namespace

Device device_from_name(const std::string& name) {
  DIOPTER_CHECK(name == "cpu" || name == "cuda" || name == "auto", "--device ", name, ": must be cpu, cuda or auto");
  if (name == "cuda") {
    probe(Device::cuda);
    return Device::cuda;
  }
  if (name == "cpu" || !kHasGpu) return Device::cpu;
  try {
    probe(Device::cuda);
    return Device::cuda;
  } catch (const Error&) {
    return Device::cpu;
  }
}

}  // namespace diopter
