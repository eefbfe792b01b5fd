#include "engine/trace.h"

namespace diopter {

namespace {

thread_local Trace* innermost_trace = nullptr;

}  // namespace

Trace::Trace() : outer_(innermost_trace) { innermost_trace = this; }

Trace::~Trace() { innermost_trace = outer_; }

Trace* Trace::current() { return innermost_trace; }

}  // namespace diopter
