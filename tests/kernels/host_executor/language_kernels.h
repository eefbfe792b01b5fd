// Small kernels that show what CUDA's language means, each behind a function that runs it and returns what it wrote.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/base/bf16.h"

namespace diopter::test {

struct Size3 {
  unsigned x = 1, y = 1, z = 1;
  unsigned count() const { return x * y * z; }
};

/// The linear index that each thread of the grid computes from the built-in variables, at that place.
std::vector<int> thread_indices(Size3 grid, Size3 block);

/// How often each of n indices, and the one behind them, is visited by grid_stride in `blocks` blocks of 64 threads.
std::vector<int> grid_stride_visits(std::int64_t n, unsigned blocks);

/// For each of `threads` threads: __syncthreads_count, _and and _or of "my index is below `limit`".
std::vector<int> barrier_votes(unsigned threads, int limit);

/// Threads pass a token around through shared memory, `rounds` times: thread i ends with i + rounds, modulo threads.
std::vector<int> rotated_through_shared(unsigned threads, int rounds);

enum class Shuffle { direct, up, down, exclusive };
/// The values that 64 lanes receive of 10 times the lane number; direct reads lane `argument`.
std::vector<int> shuffled(Shuffle kind, int argument, int width);
/// The same for 8-byte values, 1e10 times the lane number.
std::vector<double> shuffled_double(int distance);

/// ballot, any, all of "lane is in `set`", popcount of match_any of lane % 3, and activemask: five numbers per lane.
std::vector<unsigned> votes(unsigned set);
/// __reduce_{add,min,max} of lane - 10 signed, then {add,min,max,and,or,xor} of lane + 1 unsigned, over `mask`; lane 0.
std::vector<int> warp_reductions(unsigned mask);

/// Every atomic operation, by 1000 threads on one place each: add int, add float, min, max, and, or, xor, inc, and the
/// number of threads that won a compare-and-swap.
std::vector<int> atomics();

/// sum, max, min of the thread's value, exclusive sum and total, five numbers per thread, in one block.
std::vector<int> block_reductions(unsigned threads, const std::vector<int>& values);
/// block_sum of floats in a block of 256.
float block_sum_of(const std::vector<float>& values);
/// warp_sum of doubles.
double warp_sum_of(const std::vector<double>& values);

/// Twice each value, by 16-byte loads and stores; the size is a multiple of 8.
std::vector<float> doubled(const std::vector<float>& values);
std::vector<bf16> doubled(const std::vector<bf16>& values);
/// to<bf16> on the device.
std::vector<bf16> rounded(const std::vector<float>& values);

/// Sum of 0 .. n-1 through n ints of dynamic shared memory and a __shared__ variable of 8 KiB.
int sum_through_shared(int n);

/// popc, clz, ffs, brev, umulhi with 0x10000.
std::vector<unsigned> bit_intrinsics(unsigned x);

/// Adds `amount` to each of n ints on the device, on cuda::stream().
void add_to(int* values, int n, int amount);
/// The same with a grid or block that CUDA refuses; `line` is set to the line of the launch.
void launch_too_many_threads(int* values, int* line);

}  // namespace diopter::test
