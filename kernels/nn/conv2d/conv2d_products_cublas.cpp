#include "kernels/nn/conv2d/conv2d_products.h"

#include <cublasLt.h>
#include <dlfcn.h>

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>

#include "kernels/base/check.h"
#include "kernels/device/scratch.h"
#include "kernels/device/stream.h"

namespace diopter::cuda {

namespace {

/// The functions of the library that are called here.
struct Library {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) choose = nullptr;
  decltype(&cublasLtMatmulDescCreate) create_product = nullptr;
  decltype(&cublasLtMatmulDescDestroy) destroy_product = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) set_product = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) create_matrix = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_matrix = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
  decltype(&cublasLtGetStatusString) status_text = nullptr;
};

/// Null where it is not installed, or lacks a function. Never closed.
const Library* library() {
  static const Library* const opened = []() -> const Library* {
    const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
    void* const file = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!file) return nullptr;
    static Library found;
    bool complete = true;
    const auto load = [&](auto& function, const char* symbol) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(file, symbol));
      complete = complete && function;
    };
    load(found.create, "cublasLtCreate");
    load(found.matmul, "cublasLtMatmul");
    load(found.choose, "cublasLtMatmulAlgoGetHeuristic");
    load(found.create_product, "cublasLtMatmulDescCreate");
    load(found.destroy_product, "cublasLtMatmulDescDestroy");
    load(found.set_product, "cublasLtMatmulDescSetAttribute");
    load(found.create_matrix, "cublasLtMatrixLayoutCreate");
    load(found.destroy_matrix, "cublasLtMatrixLayoutDestroy");
    load(found.create_preference, "cublasLtMatmulPreferenceCreate");
    load(found.destroy_preference, "cublasLtMatmulPreferenceDestroy");
    load(found.set_preference, "cublasLtMatmulPreferenceSetAttribute");
    load(found.status_text, "cublasLtGetStatusString");
    return complete ? &found : nullptr;
  }();
  return opened;
}

void require(cublasStatus_t status, const char* call) {
  DIOPTER_CHECK(status == CUBLAS_STATUS_SUCCESS, call, " failed: ", library()->status_text(status));
}

/// cuBLASLt's state of this process; it may be used by any thread. Never destroyed: threads may end after main.
cublasLtHandle_t handle() {
  static const cublasLtHandle_t made = [] {
    stream();  // chooses the device
    cublasLtHandle_t created = nullptr;
    require(library()->create(&created), "cublasLtCreate");
    return created;
  }();
  return made;
}

constexpr std::uint64_t kMostWorkspace = 32 << 20;  // what NVIDIA recommends for Hopper

/// A matrix [rows, columns], row after row: for cuBLASLt, whose matrices go column after column, its transpose.
class Matrix {
 public:
  Matrix(std::int64_t rows, std::int64_t columns) {
    require(library()->create_matrix(&layout_, CUDA_R_32F, static_cast<std::uint64_t>(columns),
                                     static_cast<std::uint64_t>(rows), columns),
            "cublasLtMatrixLayoutCreate");
  }
  ~Matrix() { library()->destroy_matrix(layout_); }
  Matrix(const Matrix&) = delete;
  cublasLtMatrixLayout_t get() const { return layout_; }

 private:
  cublasLtMatrixLayout_t layout_ = nullptr;
};

/// The factors and the result of a pass, in cuBLASLt's order: y = x w^T is y^T = w x^T for it.
template <class T>
struct Roles {
  T a, b, result;
};
template <class T>
Roles<T> roles(Conv2dPass pass, T x, T w, T y) {
  switch (pass) {
    case Conv2dPass::forward: return {w, x, y};
    case Conv2dPass::data: return {w, y, x};
    case Conv2dPass::weight: return {x, y, w};
  }
  fail("no such pass of a convolution");
}

/// A product with its algorithm.
class Product {
 public:
  explicit Product(const Conv2dProblem& p)
      : pass_(p.pass),
        has_bias_(p.bias),
        has_residual_(p.residual),
        x_(p.in.rows(), p.in_channels),
        w_(p.out_channels, p.in_channels),
        y_(p.out.rows(), p.out_channels) {
    require(library()->create_product(&product_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.pass == Conv2dPass::forward ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.pass == Conv2dPass::weight ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, p.bias && p.relu ? CUBLASLT_EPILOGUE_RELU_BIAS
                                       : p.bias         ? CUBLASLT_EPILOGUE_BIAS
                                       : p.relu         ? CUBLASLT_EPILOGUE_RELU
                                                        : CUBLASLT_EPILOGUE_DEFAULT);
    choose_algorithm();
  }
  ~Product() { library()->destroy_product(product_); }
  Product(const Product&) = delete;

  bool has_algorithm() const { return has_algorithm_; }

  void run(const Conv2dPointers& at) {
    if (has_bias_) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, at.bias);
    const auto [a, b, result] = roles(pass_, at.x, at.w, at.y);
    const auto [of_a, of_b, of_result] = layouts();
    const float one = 1.0f, added = has_residual_ ? 1.0f : 0.0f;
    const Scratch<char> workspace(static_cast<std::int64_t>(chosen_.workspaceSize));
    require(library()->matmul(handle(), product_, &one, a, of_a, b, of_b, &added, has_residual_ ? at.residual : result,
                              of_result, const_cast<void*>(result), of_result, &chosen_.algo, workspace.data(),
                              chosen_.workspaceSize, stream()),
            "cublasLtMatmul");
  }

 private:
  Roles<cublasLtMatrixLayout_t> layouts() const { return roles(pass_, x_.get(), w_.get(), y_.get()); }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    require(library()->set_product(product_, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
  }

  void choose_algorithm() {
    const Library& lt = *library();
    cublasLtMatmulPreference_t preference = nullptr;
    require(lt.create_preference(&preference), "cublasLtMatmulPreferenceCreate");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      require(lt.set_preference(preference, attribute, &value, sizeof value), "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMostWorkspace);
    // Sums that are split among blocks are added up in the workspace, in a fixed order.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      prefer(attribute, std::uint32_t{16});  // is_product
    }
    const auto [of_a, of_b, of_result] = layouts();
    int count = 0;
    const cublasStatus_t status =
        lt.choose(handle(), product_, of_a, of_b, of_result, of_result, preference, 1, &chosen_, &count);
    lt.destroy_preference(preference);
    has_algorithm_ = status == CUBLAS_STATUS_SUCCESS && count == 1 && chosen_.state == CUBLAS_STATUS_SUCCESS;
  }

  const Conv2dPass pass_;
  const bool has_bias_, has_residual_;
  const Matrix x_, w_, y_;
  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatmulHeuristicResult_t chosen_ = {};
  bool has_algorithm_ = false;
};

}  // namespace

struct Conv2dProducts::State {
  std::map<Conv2dProblem, Product> products;
};

Conv2dProducts::Conv2dProducts() : state_(std::make_unique<State>()) {}
Conv2dProducts::~Conv2dProducts() = default;

bool Conv2dProducts::has(const Conv2dProblem& problem) {
  if (!library()) return false;
  auto known = state_->products.find(problem);
  if (known == state_->products.end()) {
    DIOPTER_CHECK(!capturing(),
                  "the first convolution of a shape cannot be recorded, cuBLASLt's algorithm for it is not "
                  "chosen yet: run the work once before (",
                  text_of(problem), ")");
    known = state_->products.try_emplace(problem, problem).first;
  }
  return known->second.has_algorithm();
}

void Conv2dProducts::run(const Conv2dProblem& problem, const Conv2dPointers& pointers) {
  state_->products.at(problem).run(pointers);
}

}  // namespace diopter::cuda
