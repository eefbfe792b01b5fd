#include "kernels/device/graph.h"

#include <cuda_runtime_api.h>

#include <memory>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/device/cuda_check.h"
#include "kernels/device/memory.h"
#include "kernels/device/stream.h"

namespace diopter::cuda {

namespace {

/// stream() records while it lives; what it recorded is lost unless end() is called.
class Capture {
 public:
  Capture() : stream_(stream_reference()) {
    // ThreadLocal: what other threads do, page-locked memory for instance, is none of this one's business.
    check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  }
  ~Capture() {
    if (!stream_) return;
    cudaGraph_t graph = nullptr;
    ignore(cudaStreamEndCapture(stream_.get(), &graph));  // the exception on its way says what went wrong
    if (graph) ignore(cudaGraphDestroy(graph));
  }
  Capture(const Capture&) = delete;

  cudaGraph_t end() {
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(std::exchange(stream_, nullptr).get(), &graph), "cudaStreamEndCapture");
    return graph;
  }

 private:
  StreamReference stream_;
};

class Graph {
 public:
  explicit Graph(const std::function<void()>& queue) {
    check(cudaGetDevice(&device_), "cudaGetDevice");
    trim();  // the graph gets memory of its own: what the same work has used so far goes back to the driver
    const std::size_t before = allocated_bytes();
    const int frees_before = frees_of_other_streams_while_recording();
    Capture capture;
    queue();
    DIOPTER_CHECK(frees_of_other_streams_while_recording() == frees_before,
                  "recorded work freed memory that was allocated on another stream");
    DIOPTER_CHECK(allocated_bytes() == before, "recorded work allocated ", before, " bytes before and ",
                  allocated_bytes(), " after: it must free what it allocates, and nothing else");
    const cudaGraph_t graph = capture.end();
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
    ignore(cudaGraphDestroy(graph));
    check(status, "cudaGraphInstantiate");
  }
  ~Graph() {
    if (last_stream_) ignore(cudaStreamSynchronize(last_stream_.get()));
    ignore(cudaGraphExecDestroy(executable_));
    ignore(cudaDeviceGraphMemTrim(device_));  // its memory goes back to the driver
  }
  Graph(const Graph&) = delete;

  void run() {
    last_stream_ = stream_reference();
    check(cudaGraphLaunch(executable_, last_stream_.get()), "cudaGraphLaunch");
  }

 private:
  int device_ = 0;
  cudaGraphExec_t executable_ = nullptr;
  StreamReference last_stream_;
};

}  // namespace

std::function<void()> capture_graph(const std::function<void()>& queue) {
  return [graph = std::make_shared<Graph>(queue)] { graph->run(); };
}

}  // namespace diopter::cuda
