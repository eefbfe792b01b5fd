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
    if (cudaStreamEndCapture(stream_.get(), &graph) == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();  // the exception on its way says what went wrong
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
    trim();  // the graph gets memory of its own: what the same work has used so far goes back to the driver
    const std::size_t before = allocated_bytes();
    Capture capture;
    queue();
    DIOPTER_CHECK(allocated_bytes() == before, "recorded work allocated ", before, " bytes before and ",
                  allocated_bytes(), " after: it must free what it allocates, and nothing else");
    const cudaGraph_t graph = capture.end();
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "cudaGraphInstantiate");
  }
  ~Graph() {
    if (last_stream_) cudaStreamSynchronize(last_stream_.get());
    cudaGraphExecDestroy(executable_);
  }
  Graph(const Graph&) = delete;

  void run() {
    last_stream_ = stream_reference();
    check(cudaGraphLaunch(executable_, last_stream_.get()), "cudaGraphLaunch");
  }

 private:
  cudaGraphExec_t executable_ = nullptr;
  StreamReference last_stream_;
};

}  // namespace

std::function<void()> capture_graph(const std::function<void()>& queue) {
  return [graph = std::make_shared<Graph>(queue)] { graph->run(); };
}

}  // namespace diopter::cuda
