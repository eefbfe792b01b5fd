// libdiopter.so itself: what it shows, and that it can be opened.
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "generated/source_dir.h"
#include "retinanet/c_api/diopter.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter::test;

#ifdef DIOPTER_LIBRARY

TEST_CASE("C interface: libdiopter.so shows the functions of diopter.h and nothing else") {
  std::set<std::string> declared, shown;
  const std::string header = read_bytes(DIOPTER_SOURCE_DIR "/retinanet/c_api/diopter.h");
  std::istringstream lines(header);
  const std::regex function("^(?:int|const char\\*) (diopter_\\w+)\\(");
  for (std::string line; std::getline(lines, line);) {
    if (std::smatch found; std::regex_search(line, found, function)) declared.insert(found[1]);
  }
  REQUIRE(declared.size() > 10);

  FILE* pipe = popen("nm -D --defined-only '" DIOPTER_LIBRARY "'", "r");
  REQUIRE(pipe);
  char line[4096];
  while (std::fgets(line, sizeof line, pipe)) {
    std::istringstream words(line);
    std::string address, kind, name;
    words >> address >> kind >> name;
    shown.insert(name);
  }
  REQUIRE(pclose(pipe) == 0);
  CHECK(shown == declared);
}

TEST_CASE("C interface: libdiopter.so opens, and says its version and errors") {
  void* library = dlopen(DIOPTER_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  INFO((library ? "" : dlerror()));
  REQUIRE(library);
  const auto version = reinterpret_cast<decltype(&diopter_abi_version)>(dlsym(library, "diopter_abi_version"));
  const auto close = reinterpret_cast<decltype(&diopter_detector_close)>(dlsym(library, "diopter_detector_close"));
  const auto error = reinterpret_cast<decltype(&diopter_last_error)>(dlsym(library, "diopter_last_error"));
  REQUIRE((version && close && error));
  CHECK(version() == DIOPTER_ABI_VERSION);
  CHECK(close(3) == DIOPTER_BAD_ARGUMENT);
  CHECK(contains(error(), "detector: 3 is none"));
}

#else

TEST_CASE("C interface: libdiopter.so") { skip("this build has no libdiopter.so (DIOPTER_SHARED)"); }

#endif
