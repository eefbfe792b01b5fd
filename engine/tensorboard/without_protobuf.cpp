// Stand-in for event_file.cpp in builds without protobuf.
#include "engine/tensorboard/event_file.h"
#include "kernels/base/check.h"

namespace diopter {

bool writes_event_files() { return false; }

EventFile::EventFile(const std::string&) {
  fail(
      "train.tensorboard=true, but this diopter was built without protobuf: install libprotobuf-dev and "
      "protobuf-compiler (tools/setup.sh does), then configure and build again");
}
void EventFile::restart(std::int64_t) {}
void EventFile::number(const std::string&, std::int64_t, double) {}
void EventFile::picture(const std::string&, std::int64_t, const std::string&, int, int) {}
void EventFile::curve(const std::string&, std::int64_t, const PrCurve&) {}

}  // namespace diopter
