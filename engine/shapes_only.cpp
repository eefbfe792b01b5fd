#include "engine/shapes_only.h"

#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

thread_local ShapesOnly* innermost = nullptr;

}  // namespace

ShapesOnly::ShapesOnly() : outer_(innermost) {
  innermost = this;
  kernels_run = false;
}

ShapesOnly::~ShapesOnly() {
  innermost = outer_;
  kernels_run = !outer_;
}

ShapesOnly* ShapesOnly::current() { return innermost; }

}  // namespace diopter
