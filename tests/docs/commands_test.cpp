// Blocks of the pages: those marked to be run are run in an empty folder with small data, and the output that the pages
// show is compared.
#include <filesystem>
#include <sstream>
#include <string_view>

#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/docs/command.h"
#include "tests/docs/labelled_sets.h"
#include "tests/docs/mark.h"
#include "tests/docs/page.h"
#include "tests/docs/tree.h"
#include "tests/support/protocols.h"
#include "tests/tools/program.h"

using namespace diopter;
using namespace diopter::test;

namespace fs = std::filesystem;

namespace {

/// Whether this build has a device `cuda` that can be used.
bool has_cuda() {
  return std::string_view(DIOPTER_CUDA_KIND) != "off" &&
         run_diopter("kernels bench sgd --quick --device cuda").exit_code == 0;
}

/// The program under the name `diopter`, training a small network for a few steps whatever is asked, and data under the
/// names that the pages use.
class Workshop {
 public:
  Workshop() {
    const std::string script =
        things_.write("bin/diopter", "#!/bin/sh\nif [ \"$1\" = train ]; then\n" + without_length() + "set -- \"$@\"" +
                                         settings() + "; fi\nexec '" DIOPTER_PROGRAM "' \"$@\"\n");
    fs::permissions(script, fs::perms::owner_all);
    things_.write("things/study.toml", replaced(tiny_protocol(), wild(), ""));
    run("shapes --train 10 --val 6 --size 64 --seed 1 --out s");
    for (const char* folder : {"pictures", "new_pictures"}) fs::copy(thing("s/images"), thing(folder));
    for (const char* name : {"train.json", "instances.json"}) fs::copy(thing("s/instances_train.json"), thing(name));
    fs::copy(thing("s/instances_val.json"), thing("val.json"));
    write_labelled_sets(thing("labelled"), thing("pictures/000001.png"));
    make_first_hour();
    run("train --train-annotations train.json --train-images pictures --val-annotations val.json --val-images pictures"
        " --seed 1 --out run");
    run("detect --checkpoint run/checkpoints/best.safetensors pictures/0000{11..16}.png --out drawn --json "
        "detections.json");
    add_objects_found();
    run("compare study.toml --out study");
  }

  /// A folder of pictures that wait to be labelled, more of them, and what comes of labelling them.
  void make_first_hour() {
    std::vector<std::string> first, held_back, more;
    for (int i = 1; i <= 16; ++i) {
      const std::string name = (i < 10 ? "00000" : "0000") + std::to_string(i) + ".png";
      const fs::path folder = thing(i <= 12 ? "photos" : "next_photos");
      fs::create_directories(folder);
      fs::copy(thing("pictures/" + name), folder / name);
      (i > 12 ? more : i % 5 == 0 ? held_back : first).push_back(name);
    }
    const auto label = [this](const std::string& file, const std::vector<std::string>& names) {
      write_bytes(thing(file), label_studio_export({thing("train.json"), thing("val.json")}, names));
    };
    label("first_labels.json", first);
    label("val_labels.json", held_back);
    label("more_labels.json", more);
  }

  /// The model has learned nothing: every other object becomes a detection, too.
  void add_objects_found() {
    auto detections = parse_json(read_bytes(thing("detections.json")));
    const auto truth = parse_json(read_bytes(thing("val.json")));
    for (std::size_t i = 0; i < truth.at("annotations").size(); i += 2) {
      const auto& object = truth.at("annotations").at(i);
      detections.push_back({{"image_id", object.at("image_id")},
                            {"category_id", object.at("category_id")},
                            {"bbox", object.at("bbox")},
                            {"score", 0.9}});
    }
    write_bytes(thing("detections.json"), json_text(detections));
  }

  /// A thing that blocks may ask for: a file or folder made here, or one of the repository.
  void bring(const std::string& name, const fs::path& into) const {
    INFO(name);
    const fs::path made = thing(name), source = fs::path(DIOPTER_SOURCE_DIR) / name;
    REQUIRE((fs::exists(made) || fs::exists(source)));
    if (fs::exists(into / name)) return;
    if (fs::exists(made))
      fs::copy(made, into / name, fs::copy_options::recursive);
    else
      fs::create_symlink(source, into / name);
  }

  /// Runs a block in a folder.
  Outcome run_block(const std::string& text, const fs::path& folder) const {
    write_bytes((folder / ".block.sh").string(), text);
    return run_shell("cd '" + folder.string() + "' && PATH='" + (things_ / "bin") + "':\"$PATH\" bash -eu .block.sh");
  }

 private:
  /// Lines of a shell script that take options of the length of training, with their values, out of its arguments.
  static std::string without_length() {
    return "left_out=\nfor word do shift\n"
           "case $left_out$word in --minutes|--epochs) left_out=' ';; ' '*) left_out=;; *) set -- \"$@\" \"$word\";; "
           "esac\n"
           "done\n";
  }

  static std::string settings() {
    std::string text;
    for (const char* one : {"train.iterations=14", "train.batch_size=2", "model.width=4", "model.groups=4",
                            "model.fpn_channels=8", "model.head_depth=1"}) {
      text += std::string(" --set ") + one;
    }
    return text;
  }

  /// The contestant of the tiny study that diverges.
  static std::string wild() {
    return tiny_protocol().substr(tiny_protocol().find("\n[[contestant]]\nname = \"wild\""));
  }

  fs::path thing(const std::string& name) const { return things_ / ("things/" + name); }

  void run(const std::string& arguments) const {
    const Outcome outcome = run_block("diopter " + arguments, thing(""));
    INFO(arguments << "\n" << outcome.err);
    REQUIRE(outcome.exit_code == 0);
  }

  TemporaryFolder things_;
};

}  // namespace

TEST_CASE("docs: every block says what the tests do with it") {
  int blocks = 0;
  for (const Page& page : pages()) {
    for (const Fence& fence : page.fences) {
      INFO(place(page, fence.line) << ": ```" << fence.language << " with the mark \"" << fence.mark << "\"");
      CHECK(mark_of(fence).kind != MarkKind::unknown);
      ++blocks;
    }
  }
  REQUIRE(blocks > 20);
}

TEST_CASE("docs: marks") {
  const auto kind = [](const char* language, const char* mark) { return mark_of({1, language, mark, ""}).kind; };
  REQUIRE(kind("sh", "run") == MarkKind::run);
  REQUIRE(kind("sh", "run with: a b") == MarkKind::run);
  REQUIRE(mark_of({1, "sh", "run with: a b", ""}).argument == "a b");
  REQUIRE(kind("sh", "not run: minutes") == MarkKind::not_run);
  REQUIRE(kind("", "output") == MarkKind::output);
  REQUIRE(kind("text", "") == MarkKind::drawing);
  for (const auto& [language, mark] : {std::pair{"sh", ""},
                                       {"sh", "not run"},
                                       {"sh", "run with"},
                                       {"sh", "output"},
                                       {"", ""},
                                       {"cpp", "run"},
                                       {"text", "run"}}) {
    INFO(language << ", " << mark);
    REQUIRE(kind(language, mark) == MarkKind::unknown);
  }
  REQUIRE(holds("a\n  /// b\nc d\n", "a\n// b ... d"));
  REQUIRE_FALSE(holds("a b c", "a c"));
  REQUIRE_FALSE(holds("a b c", "c ... a"));
  REQUIRE(without_numbers("12:30 in -1.5 s\n7 m\n", "s") == "0 in 0 s\n7 m\n");
  REQUIRE(commands_of("A=1 B=\"2 3\" x --y \\\n  z  # no\nu && v; w\n") ==
          std::vector<std::string>{"x --y    z", "u", "v", "w"});
}

TEST_CASE("docs: commands run as they stand, and print what the pages show") {
  const Workshop workshop;
  const bool cuda = has_cuda();
  int ran = 0, compared = 0;
  std::ostringstream left_out;
  for (const Page& page : pages()) {
    const TemporaryFolder folder;
    Outcome last;
    for (const Fence& fence : page.fences) {
      const Mark mark = mark_of(fence);
      INFO(place(page, fence.line) << "\n" << fence.text);
      if (mark.kind == MarkKind::file) folder.write(mark.argument, fence.text);
      if (mark.kind == MarkKind::not_run) left_out << "  " << place(page, fence.line) << ": " << mark.argument << "\n";
      if (mark.kind == MarkKind::run_on_cuda && !cuda)
        left_out << "  " << place(page, fence.line) << ": no device cuda\n";
      if (mark.kind == MarkKind::run || (mark.kind == MarkKind::run_on_cuda && cuda)) {
        for (const std::string& name : split(mark.argument)) workshop.bring(name, folder.path());
        last = workshop.run_block(fence.text, folder.path());
        INFO("exit code " << last.exit_code << "\n" << last.out << last.err);
        CHECK(last.exit_code == 0);
        ++ran;
      }
      if (mark.kind == MarkKind::output || mark.kind == MarkKind::output_varying) {
        const std::string word = mark.kind == MarkKind::output ? "\n" : mark.argument;
        INFO("printed:\n" << last.out);
        CHECK(holds(without_numbers(last.out, word), without_numbers(fence.text, word)));
        ++compared;
      }
    }
  }
  std::cout << ran << " blocks were run, " << compared << " outputs compared; not run:\n" << left_out.str();
  REQUIRE(ran > 8);
  REQUIRE(compared > 0);
}
