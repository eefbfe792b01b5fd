#include "engine/shapes_only.h"

#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

thread_local ShapesOnly* innermost_shapes_only = nullptr;

}  // namespace

ShapesOnly::ShapesOnly() : outer_(innermost_shapes_only) {
  innermost_shapes_only = this;
  kernels_run = false;
}

ShapesOnly::~ShapesOnly() {
  innermost_shapes_only = outer_;
  kernels_run = !outer_;
}

ShapesOnly* ShapesOnly::current() { return innermost_shapes_only; }

}  // namespace diopter
