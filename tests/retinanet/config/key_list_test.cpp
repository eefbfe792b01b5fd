#include "retinanet/config/key_list.h"

#include "generated/source_dir.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;

TEST_CASE("docs/settings.md is what diopter info --keys prints") {
  CHECK(test::read_bytes(DIOPTER_SOURCE_DIR "/docs/settings.md") == describe_keys());
}
