// CPU threads: loops in fixed chunks, so that results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

namespace diopter {

namespace detail {
/// Calls body(context, chunk) for chunk = 0 .. chunks-1, each once, on the worker threads (oneTBB, waits do not spin).
void run_chunks(std::int64_t chunks, void (*body)(void* context, std::int64_t chunk), void* context);
}  // namespace detail

/// Largest number of threads that parallel loops use; default: all processors. n >= 1.
void set_thread_count(int n);
int thread_count();

/// Calls body(begin, end) for consecutive pieces of [0, n), `grain` elements each (the last may be shorter).
/// Where the pieces lie depends on n and grain only. An exception of a body is rethrown here. n may be 0.
template <class Body>
void parallel_for(std::int64_t n, std::int64_t grain, Body&& body) {
  if (n <= 0) return;
  if (n <= grain) {
    body(std::int64_t{0}, n);
    return;
  }
  struct Context {
    std::remove_reference_t<Body>* body;
    std::int64_t n, grain;
  } context{&body, n, grain};
  detail::run_chunks((n + grain - 1) / grain,
                     [](void* raw, std::int64_t chunk) {
                       const Context& c = *static_cast<Context*>(raw);
                       const std::int64_t begin = chunk * c.grain;
                       (*c.body)(begin, begin + c.grain < c.n ? begin + c.grain : c.n);
                     },
                     &context);
}

/// Sum of body(begin, end) -> S over the pieces of [0, n), added in order: the same bits for any number of threads.
template <class S, class Body>
S parallel_sum(std::int64_t n, std::int64_t grain, Body&& body) {
  if (n <= 0) return S{};
  std::vector<S> partial((n + grain - 1) / grain);
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) { partial[begin / grain] = body(begin, end); });
  S sum{};
  for (const S& p : partial) sum += p;
  return sum;
}

}  // namespace diopter
