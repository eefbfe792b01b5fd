#include "engine/tensor.h"

#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;

std::vector<float> counting(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i);
  return values;
}

TEST_CASE("Shape: rank, size, text and limits") {
  CHECK(Shape{2, 64, 64, 3}.str() == "[2, 64, 64, 3]");
  CHECK(Shape{2, 64, 64, 3}.size() == 2 * 64 * 64 * 3);
  CHECK(Shape().str() == "[]");
  CHECK(Shape().size() == 1);
  CHECK(Shape{3, 0, 7}.size() == 0);
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK(error_of([] { Shape{1, 2, 3, 4, 5, 6}; }) == "a tensor has at most 5 dimensions, not 6");
  CHECK(error_of([] { Shape{2, -1}; }) == "negative size in shape [2, -1]");
}

TEST_CASE("Tensor: types and their sizes") {
  CHECK(size_of(DType::f32) == 4);
  CHECK(size_of(DType::bf16) == 2);
  CHECK(size_of(DType::i32) == 4);
  CHECK(size_of(DType::u8) == 1);
  for (Device device : devices()) {
    CHECK(Tensor::empty({3, 5}, DType::bf16, device).bytes() == 30);
    CHECK(Tensor::zeros({4}, DType::i32, device).to_vector<std::int32_t>() == std::vector<std::int32_t>(4, 0));
    CHECK(Tensor::full({3}, 2.5f, device).to_vector<float>() == std::vector<float>(3, 2.5f));
    CHECK(Tensor::full({}, 7.0f, device).item() == 7.0f);
  }
}

TEST_CASE("Tensor: reading as another type is an error") {
  const Tensor x = Tensor::zeros({2}, DType::bf16);
  CHECK(error_of([&] { x.data<float>(); }) == "tensor of bf16 read as f32");
  CHECK(error_of([&] { x.to_vector<std::int32_t>(); }) == "tensor of bf16 read as i32");
  CHECK(error_of([&] { x.slice(0, 1).item(); }) == "tensor of bf16 read as f32");
}

TEST_CASE("Tensor: slices and reshapes share memory, clones do not") {
  for (Device device : devices()) {
    const Tensor x = Tensor::from({4, 3}, counting(12), device);
    CHECK(x.unique());
    const Tensor rows = x.slice(1, 3), matrix = x.reshape({2, 6}), copy = x.clone();
    CHECK_FALSE(x.unique());
    CHECK(copy.unique());
    CHECK(rows.shape() == Shape{2, 3});
    CHECK(rows.to_vector<float>() == std::vector<float>{3, 4, 5, 6, 7, 8});
    CHECK(rows.slice(1, 2).to_vector<float>() == std::vector<float>{6, 7, 8});
    CHECK(matrix.slice(1, 2).to_vector<float>() == std::vector<float>{6, 7, 8, 9, 10, 11});

    rows.zero();
    CHECK(x.to_vector<float>() == std::vector<float>{0, 1, 2, 0, 0, 0, 0, 0, 0, 9, 10, 11});
    CHECK(matrix.to_vector<float>() == x.to_vector<float>());
    CHECK(copy.to_vector<float>() == counting(12));
  }
}

TEST_CASE("Tensor: a view keeps the memory alive") {
  const std::size_t before = cpu::allocated_bytes();
  {
    Tensor view;
    {
      const Tensor x = Tensor::from({2, 2}, counting(4));
      view = x.slice(1, 2);
    }
    CHECK(view.unique());
    CHECK(view.to_vector<float>() == std::vector<float>{2, 3});
    CHECK(cpu::allocated_bytes() > before);
  }
  CHECK(cpu::allocated_bytes() == before);
}

TEST_CASE("Tensor: copies need the same shape and type") {
  for (Device device : devices()) {
    const Tensor source = Tensor::from({2, 3}, counting(6), device), target = Tensor::zeros({2, 3}, DType::f32, device);
    target.copy_from(source);
    CHECK(target.to_vector<float>() == counting(6));
    CHECK(error_of([&] { target.copy_from(source.reshape({3, 2})); }) == "copy of [3, 2] f32 to [2, 3] f32");
    CHECK(error_of([&] {
            target.copy_from(Tensor::zeros({2, 3}, DType::i32, device));
          }) == "copy of [2, 3] i32 to [2, 3] f32");
  }
}

TEST_CASE("Tensor: wrong sizes are errors") {
  const Tensor x = Tensor::zeros({4, 3});
  CHECK(error_of([&] { x.slice(2, 5); }) == "rows 2 to 5 of a tensor [4, 3]");
  CHECK(error_of([&] { x.slice(-1, 2); }) == "rows -1 to 2 of a tensor [4, 3]");
  CHECK(error_of([&] { x.slice(3, 2); }) == "rows 3 to 2 of a tensor [4, 3]");
  CHECK(error_of([&] { x.slice(0, 1).reshape({}).slice(0, 0); }) == "reshape of [1, 3] to []");
  CHECK(error_of([&] { x.reshape({5}); }) == "reshape of [4, 3] to [5]");
  CHECK(error_of([&] { x.item(); }) == "item() of a tensor [4, 3]");
  CHECK(error_of([&] { Tensor::from({3}, counting(4)); }) == "4 values for shape [3]");
}

TEST_CASE("Tensor: empty tensors are tensors") {
  CHECK_FALSE(Tensor().defined());
  for (Device device : devices()) {
    const Tensor x = Tensor::full({0, 3}, 1.0f, device);
    CHECK(x.defined());
    CHECK(x.bytes() == 0);
    CHECK(x.to_vector<float>().empty());
    CHECK(x.clone().shape() == Shape{0, 3});
    CHECK(x.slice(0, 0).reshape({3, 0}).slice(1, 3).shape() == Shape{2, 0});
    x.zero();
    x.copy_from(Tensor::zeros({0, 3}, DType::f32, device));
    CHECK(Tensor::from({4, 2}, counting(8), device).slice(4, 4).to_vector<float>().empty());
  }
}

}  // namespace
}  // namespace diopter
