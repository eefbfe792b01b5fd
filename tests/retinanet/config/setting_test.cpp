#include "retinanet/config/setting.h"

#include "kernels/detection/losses/hinge.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using test::error_of;

TEST_CASE("a setting's value is TOML, or else a bare word") {
  const auto text = [](const std::string& assignment) { return toml_text(Setting(assignment).value); };
  CHECK(text("a=1") == "1");
  CHECK(text("a=1.0") == "1.0");
  CHECK(text("a=1e30") == "1e+30");
  CHECK(text("a=true") == "true");
  CHECK(text("a=word") == "'word'");
  CHECK(text("a=\"word\"") == "'word'");
  CHECK(text("a=[1, 2.5, 'x']") == "[1, 2.5, 'x']");
  CHECK(text("a=") == "''");
  CHECK(text("a=/b=c.d") == "'/b=c.d'");
  CHECK(text("a=2026-11-28") == "'2026-11-28'");
  CHECK(text("a=1\nb = 2") == toml_text(Value("1\nb = 2")));
  CHECK(Setting("a.b=c=d").key == "a.b");
  CHECK(Setting("a.b=1").where == "--set a.b=1");
  CHECK(parse_setting("a.b=1", "p.toml:3").where == "p.toml:3");
  CHECK(error_of([] { Setting("=1"); }) == "--set =1: expected key=value");
}

TEST_CASE("a setting's text is what was written, else what reads back as the same value") {
  for (const char* text : {"a.b=1", "a.b=0.1", "a.b=true", "a.b=word", "a.b=[1, 2.5]", "a.b=[]", "a.b=0.10",
                           "a.b='word'", "a.b=focal:gamma=3,alpha=0.5"}) {
    CHECK(Setting(text).text() == text);
  }
  CHECK(Setting("a", Value(0.1f)).text() == "a=0.1");
  CHECK(Setting("loss.kind", AnyLoss(HingeLoss{})).text() == "loss.kind=hinge:margin=0.5");
}

TEST_CASE("settings of a text know their line") {
  const Settings settings = read_settings("a = 1\n[b]\nc = 'x'\n[b.d]\ne = [1, 2]\n", "f.toml");
  REQUIRE(settings.size() == 3);
  CHECK(settings[0].text() == "a=1");
  CHECK(settings[0].where == "f.toml:1");
  CHECK(settings[1].text() == "b.c=x");
  CHECK(settings[1].where == "f.toml:3");
  CHECK(settings[2].text() == "b.d.e=[1, 2]");
  CHECK(settings[2].where == "f.toml:5");
  CHECK(error_of([] { read_settings("a = 1\nb = 2026-11-28\n", "f.toml"); }) ==
        "f.toml:2: a value is a string, a number, true, false or a list");
  CHECK(error_of([] { read_settings("a = 1\nb = \n", "f.toml"); }).starts_with("f.toml:2: "));
}
