#include "kernels/base/hash.h"

#include "tests/support/catch.h"

using diopter::Fnv1a;

TEST_CASE("hash: values of the authors of FNV-1a") {
  const auto hash = [](std::string_view bytes) {
    Fnv1a fnv;
    fnv.add(bytes);
    return fnv.text();
  };
  CHECK(hash("") == "cbf29ce484222325");
  CHECK(hash("a") == "af63dc4c8601ec8c");
  CHECK(hash("foobar") == "85944171f73967e8");
}

TEST_CASE("hash: a number is hashed by its bytes") {
  Fnv1a number, bytes;
  number.add_number(0x6261u);
  bytes.add(std::string_view("ab\0\0", 4));
  CHECK(number.text() == bytes.text());
}
