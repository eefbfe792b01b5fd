// Matrices [rows, channels] on the GPU: how they are cut among blocks, and sums over rows in a fixed order.
//
// Threads with the same threadIdx.y stand side by side and take one pack of neighbouring channels each; threads with
// the same threadIdx.x have the same channels and take turns at the rows. blockIdx.x counts chunks of rows, blockIdx.y
// tiles of channels. So a thread keeps what belongs to its channels in registers while it walks down the rows.
//
// A sum over rows takes two launches: every block leaves one partial result per channel, made of its rows in float, and
// the partial results are added in double. The cut depends on the shape only, so the same input gives the same bits.
#pragma once

#include <algorithm>

#include "kernels/base/check.h"
#include "kernels/nn/packed.cuh"
#include "kernels/toolkit/levels.h"

namespace diopter::cuda {

inline constexpr int kRowThreads = 256;

/// How a matrix is cut for one launch.
struct RowCut {
  dim3 grid, block;
  std::int64_t rows;  // of one chunk
};

/// Threads of a block whose packs have N channels, and the number of blocks side by side.
template <int N>
RowCut row_block(int channels) {
  const int packs = (channels + N - 1) / N;
  unsigned wide = 1;
  while (wide < 32 && static_cast<int>(wide) < packs) wide *= 2;
  return {.grid = {0, (packs + wide - 1) / wide}, .block = {wide, kRowThreads / wide}, .rows = 0};
}

/// `rows` rows in chunks of `chunk`.
inline RowCut in_chunks(RowCut cut, std::int64_t rows, std::int64_t chunk) {
  cut.rows = chunk;
  cut.grid.x = blocks_for(rows, static_cast<int>(chunk));
  return cut;
}

/// For a kernel that only maps rows to rows: 8 rows per thread, to make loading the parameters of its channels worth
/// it.
template <int N>
RowCut cut_for_map(std::int64_t rows, int channels) {
  const RowCut cut = row_block<N>(channels);
  return in_chunks(cut, rows, 8 * cut.block.y);
}

/// For a kernel that leaves partial results: at least 16 rows per thread and at most about 1024 blocks.
template <int N>
RowCut cut_for_sums(std::int64_t rows, int channels) {
  const RowCut cut = row_block<N>(channels);
  const std::int64_t most = std::max(1u, 1024 / cut.grid.y);
  return in_chunks(cut, rows, std::max<std::int64_t>(16 * cut.block.y, (rows + most - 1) / most));
}

/// For a kernel that works on one pixel per thread, whose number then fits an int.
template <int N>
RowCut cut_for_pixels(const LevelShape& map, int channels) {
  DIOPTER_CHECK(map.rows() <= INT32_MAX, map.n, " images of ", map.w, "x", map.h, " pixels are too many");
  const RowCut cut = row_block<N>(channels);
  return in_chunks(cut, map.rows(), cut.block.y);
}

/// This thread's row where a block works on blockDim.y rows; it may lie behind the last.
__device__ inline std::int64_t pixel_index() { return std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y; }

/// Where pixel `index` of a batch of maps is.
struct Pixel {
  int image, y, x;
};
__device__ inline Pixel pixel_of(const LevelShape& map, int index) {
  const int line = index / map.w;
  return {line / map.h, line % map.h, index % map.w};
}

/// The first of this thread's channels; there may be none behind it.
template <int N>
__device__ inline int first_channel() {
  return static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * N;
}

/// How a thread moves its packs of a row: N elements at once, or those `count` that there are, one by one if need be.
template <int N, bool kWhole>
struct PackAccess {
  int count;

  template <class T>
  __device__ Packed<T, N> read(const T* p) const {
    if constexpr (kWhole) {
      return read_whole<N>(p);
    } else {
      return cuda::read<N>(p, count);
    }
  }
  template <class T>
  __device__ void write(T* p, const Packed<T, N>& values) const {
    if constexpr (kWhole) {
      write_whole(p, values);
    } else {
      cuda::write(p, count, values);
    }
  }
};

/// The packs of several rows of one array.
template <class T, int N, int kRows>
struct RowPacks {
  Packed<T, N> row[kRows];
};

/// Reads the packs at x, x + step, ...
template <int N, int kRows, class T>
__device__ inline RowPacks<T, N, kRows> read_rows(const T* x, std::int64_t step) {
  RowPacks<T, N, kRows> packs;
#pragma unroll
  for (int r = 0; r < kRows; ++r) packs.row[r] = read_whole<N>(x + r * step);
  return packs;
}

/// Calls body(access, i, packs of x at element i...) for the rows of [begin, end) that are this thread's, in their
/// order. The body writes with access.write(y + i, pack); `packed` says whether is_packed holds for all that it writes.
/// Memory is far away: a thread has four loads under way, four rows of one array or two of two, before it uses the
/// first. So it must know beforehand that all packs are whole ones at addresses that allow it; where they are not, it
/// goes row by row, and asks each.
template <int N, class Body, class... X>
__device__ inline void for_each_row(std::int64_t begin, std::int64_t end, int channels, bool packed, Body body,
                                    const X*... x) {
  const int c = first_channel<N>();
  if (c >= channels) return;
  const std::int64_t step = std::int64_t{blockDim.y} * channels, last = end * channels;
  std::int64_t i = (begin + threadIdx.y) * channels + c;
  const auto row_by_row = [&](auto access) {
    for (; i < last; i += step) body(access, i, access.read(x + i)...);
  };
  if (!packed || channels % N != 0 || !is_packed<N>(x...)) return row_by_row(PackAccess<N, false>{channels - c});

  constexpr int kRows = 4 / sizeof...(X);
  constexpr PackAccess<N, true> kAccess{N};
  for (; i + (kRows - 1) * step < last; i += kRows * step) {
    const auto use = [&](const auto&... packs) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) body(kAccess, i + r * step, packs.row[r]...);
    };
    use(read_rows<N, kRows>(x + i, step)...);
  }
  row_by_row(kAccess);
}

/// Adds what the threads of a column of the block hold, pairs of neighbouring halves first: the sums are then in the
/// threads with threadIdx.y == 0. All threads must call, once in a kernel. blockDim.y is a power of two.
template <int N, class S>
__device__ inline void add_up_columns(S (&mine)[N]) {
  __shared__ S shared[N * kRowThreads];
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
#pragma unroll
  for (int j = 0; j < N; ++j) shared[j * kRowThreads + thread] = mine[j];
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half) {
      const int other = thread + static_cast<int>(half * blockDim.x);
#pragma unroll
      for (int j = 0; j < N; ++j) {
        mine[j] += shared[j * kRowThreads + other];
        shared[j * kRowThreads + thread] = mine[j];
      }
    }
  }
}

/// The block's sums into its row of partial [chunks, channels].
template <int N, class S>
__device__ inline void store_partial(S (&mine)[N], int channels, S* partial) {
  add_up_columns(mine);
  if (threadIdx.y != 0) return;
  const int c = first_channel<N>();
  for (int j = 0; j < N && c + j < channels; ++j) partial[std::int64_t{blockIdx.x} * channels + c + j] = mine[j];
}

/// Blocks for kernels that call column_total: 8 columns, 32 threads each.
inline dim3 total_block() { return {8, kRowThreads / 8}; }
inline unsigned total_grid(int channels) { return blocks_for(channels, 8); }

/// The column that column_total adds up for this thread.
__device__ inline int total_column() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

/// Sum of term(p) over column total_column() of partial [chunks, channels], in the threads with threadIdx.y == 0. All
/// must call.
template <class S, class Partial, class Term>
__device__ inline S column_total(std::int64_t chunks, int channels, const Partial* partial, Term term) {
  S mine[1] = {};
  if (const int c = total_column(); c < channels) {
    for (std::int64_t i = threadIdx.y; i < chunks; i += blockDim.y) mine[0] += term(partial[i * channels + c]);
  }
  add_up_columns(mine);
  return mine[0];
}
template <class S, class Partial>
__device__ inline S column_total(std::int64_t chunks, int channels, const Partial* partial) {
  return column_total<S>(chunks, channels, partial, [](const Partial& p) { return p; });
}

/// result[channel] = sum of partial [chunks, channels] over the chunks, added in double. Defined in reduce.cu.
void column_totals(std::int64_t chunks, int channels, const float* partial, float* result);

/// Two sums that are made together.
template <class S>
struct Pair {
  S a, b;
  template <class R>
  __device__ Pair& operator+=(const Pair<R>& other) {
    a += other.a;
    b += other.b;
    return *this;
  }
};

}  // namespace diopter::cuda
