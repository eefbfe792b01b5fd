// Streams of host threads, checks of runtime calls and launches, and which device is used.
#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/device/borrowed_stream.h"
#include "kernels/device/cuda_check.h"
#include "kernels/device/stream.h"

namespace diopter::cuda {

// Declared in launch.cuh, which only .cu files can include.
unsigned blocks_for(std::int64_t n, int block);
namespace detail {
void launched(cudaError_t status, const char* file, int line);
}  // namespace detail

namespace {

constexpr int kDevice = 0;  // the first of those that CUDA_VISIBLE_DEVICES leaves

/// Makes the device the one of this host thread; the first call also sets up its memory.
void use_device() {
  if (const std::string problem = device_problem(); !problem.empty()) fail(problem);
  check(cudaSetDevice(kDevice), "cudaSetDevice");
  static std::once_flag once;
  std::call_once(once, [] {
    // Freed memory stays with the process: giving it back and asking again costs more than most kernels.
    cudaMemPool_t pool{};
    check(cudaDeviceGetDefaultMemPool(&pool, kDevice), "cudaDeviceGetDefaultMemPool");
    std::uint64_t threshold = UINT64_MAX;
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold), "cudaMemPoolSetAttribute");
  });
}

/// The stream of this host thread; use_count() is 0 where it has none yet. A borrowed one may be null.
thread_local StreamReference current;

bool has_stream() { return current.use_count() > 0; }

struct Versions {
  int runtime = 0, driver = 0;  // 1000 times the major one and 10 times the minor one; driver 0: there is none
};

Versions read_versions() {
  Versions versions;
  ignore(cudaRuntimeGetVersion(&versions.runtime));
  ignore(cudaDriverGetVersion(&versions.driver));
  return versions;
}

std::string dotted(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

}  // namespace

void check(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the exception carries the error; a later call shall not find it again
  if (status == cudaErrorNoKernelImageForDevice) {
    fail("this build has no code for ", device_description(), ": configure with -DCMAKE_CUDA_ARCHITECTURES for it");
  }
  fail(call ? call : "CUDA call", " failed at ", file, ":", line, ": ", cudaGetErrorString(status), " (",
       cudaGetErrorName(status), ")");
}

void ignore(cudaError_t status) noexcept {
  if (status != cudaSuccess) cudaGetLastError();
}

std::string device_problem() {
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  ignore(status);
  if (status == cudaSuccess && count > 0) {
    int pools = 0;
    status = cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, kDevice);
    ignore(status);
    if (status == cudaSuccess) return pools ? "" : "the CUDA device has no memory pools, which allocations come from";
    return std::string("CUDA cannot be used: ") + cudaGetErrorString(status);
  }
  const Versions versions = read_versions();
  if (versions.driver == 0) return "no NVIDIA driver is installed";
  if (status == cudaErrorInsufficientDriver) {
    return "the NVIDIA driver is too old: it supports CUDA " + dotted(versions.driver) + ", this build needs " +
           dotted(versions.runtime);
  }
  if (status == cudaSuccess || status == cudaErrorNoDevice) return "there is no CUDA device";
  return std::string("CUDA cannot be used: ") + cudaGetErrorString(status);
}

std::string version_description() {
  const Versions versions = read_versions();
  return dotted(versions.runtime) + (versions.driver > 0 ? ", driver for " + dotted(versions.driver) : ", no driver");
}

std::string device_description() {
  if (const std::string problem = device_problem(); !problem.empty()) fail(problem);
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, kDevice), "cudaGetDeviceProperties");
  return std::string(properties.name) + " (sm_" + std::to_string(properties.major) + std::to_string(properties.minor) +
         ", " + std::to_string(properties.totalGlobalMem >> 20) + " MiB)";
}

StreamReference make_stream() {
  use_device();
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  // Not destroyed after the driver has gone; then the call fails, which is as good.
  return StreamReference(made, [](cudaStream_t stream) { ignore(cudaStreamDestroy(stream)); });
}

StreamReference stream_reference() {
  if (!has_stream()) current = make_stream();
  return current;
}

cudaStream_t stream() {
  if (!has_stream()) current = make_stream();
  return current.get();
}

void synchronize() { check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize"); }

bool capturing() {
  cudaStreamCaptureStatus status;
  check(cudaStreamIsCapturing(stream(), &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

bool wait_for_current(cudaStream_t other) noexcept {
  if (!has_stream() || current.get() == other) return true;
  cudaStreamCaptureStatus recording = cudaStreamCaptureStatusNone;
  ignore(cudaStreamIsCapturing(current.get(), &recording));
  if (recording != cudaStreamCaptureStatusNone) return false;
  cudaEvent_t event = nullptr;
  ignore(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  if (!event) return true;
  ignore(cudaEventRecord(event, current.get()));
  ignore(cudaStreamWaitEvent(other, event, 0));
  ignore(cudaEventDestroy(event));
  return true;
}

StreamScope::StreamScope(const Stream& stream) : before_(std::exchange(current, stream.reference())) {}
StreamScope::~StreamScope() { current = before_; }

std::shared_ptr<const void> borrow_stream(void* stream) {
  class Borrowed {
   public:
    explicit Borrowed(cudaStream_t of_caller) {
      ignore(cudaGetDevice(&device_));
      use_device();
      before_ = std::exchange(current, StreamReference(of_caller, [](cudaStream_t) {}));
    }
    ~Borrowed() {
      current = before_;
      ignore(cudaSetDevice(device_));
    }
    Borrowed(const Borrowed&) = delete;

   private:
    int device_ = kDevice;
    StreamReference before_;
  };
  return std::make_shared<Borrowed>(static_cast<cudaStream_t>(stream));
}

void* current_stream() { return stream(); }

Event::Event() {
  use_device();
  check(cudaEventCreate(&event_), "cudaEventCreate");
}
Event::~Event() { ignore(cudaEventDestroy(event_)); }
void Event::record() { check(cudaEventRecord(event_, stream()), "cudaEventRecord"); }
void Event::wait() const { check(cudaStreamWaitEvent(stream(), event_, 0), "cudaStreamWaitEvent"); }
bool Event::reached() const {
  const cudaError_t status = cudaEventQuery(event_);
  if (status == cudaErrorNotReady) return ignore(status), false;
  check(status, "cudaEventQuery");
  return true;
}
void Event::synchronize() const { check(cudaEventSynchronize(event_), "cudaEventSynchronize"); }
float Event::milliseconds_since(const Event& start) const {
  float milliseconds = 0.0f;
  check(cudaEventElapsedTime(&milliseconds, start.event_, event_), "cudaEventElapsedTime");
  return milliseconds;
}

unsigned blocks_for(std::int64_t n, int block) {
  const std::int64_t blocks = (n + block - 1) / block;
  DIOPTER_CHECK(blocks <= INT32_MAX, n, " elements need more blocks of ", block, " threads than a launch can have");
  return static_cast<unsigned>(blocks);
}

void detail::launched(cudaError_t status, const char* file, int line) {
  check(status, "kernel launch", file, line);
  static const bool wait = [] {
    const char* value = std::getenv("DIOPTER_SYNC");
    return value && *value != '\0' && *value != '0';
  }();
  if (wait && !capturing()) check(cudaStreamSynchronize(stream()), "kernel", file, line);
}

}  // namespace diopter::cuda
