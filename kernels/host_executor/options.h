// Options of the host executor, from the environment.
#pragma once

namespace diopter::host_executor {

enum class Order { forward, reverse, shuffle };
enum class Fault { no, no_driver, old_driver, no_device, no_memory_pools, no_kernel_image };

struct Options {
  Order order = Order::forward;  // DIOPTER_EXECUTOR_ORDER=forward|reverse|shuffle: of threads and blocks
  unsigned seed = 1;             // DIOPTER_EXECUTOR_SEED: of the shuffle and of random approximations
  int fill = 0xff;               // DIOPTER_EXECUTOR_FILL: byte of fresh memory (0xff: NaN, -1), or "none": as it comes
  bool lazy = false;             // DIOPTER_EXECUTOR_LAZY=1: a stream works only when something waits for it
  unsigned long memory = 0;      // DIOPTER_EXECUTOR_MEMORY: MiB that the device has; 0 is as much as the machine
  const char* launches = nullptr;  // DIOPTER_EXECUTOR_LAUNCHES: file that tells which kernels were launched, how often
  int approximation = 0;  // DIOPTER_EXECUTOR_APPROX=-2..2: approximate instructions of PTX are so many units in
                          // the last place too large
  bool random_approximation = false;  // DIOPTER_EXECUTOR_APPROX=random: by -2 to 2, depending on the value and the seed
  Fault fault = Fault::no;  // DIOPTER_EXECUTOR_FAULT=no_driver|old_driver|no_device|no_memory_pools|no_kernel_image:
                            // what a machine may lack; the last is a build for another GPU
};

/// Read once; exits with a message for a value that means nothing.
const Options& options();

/// Fills fresh memory as the options say.
void fill_fresh(void* memory, unsigned long bytes);

}  // namespace diopter::host_executor
