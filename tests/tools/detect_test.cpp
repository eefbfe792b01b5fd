// diopter detect --dump as users call it; what it holds is tested in tests/retinanet/network/dump_test.cpp.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/readers/read_dataset.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"
#include "tests/tools/program.h"

using namespace diopter::test;

TEST_CASE("detect --dump writes the layers of each picture") {
  const TemporaryFolder folder;
  const std::string shapes = folder / "shapes", run = folder / "run", dump = folder / "dump.safetensors";
  REQUIRE(run_diopter("shapes --out '" + shapes + "' --size 32 --train 2 --val 1").exit_code == 0);
  REQUIRE(run_diopter("train --train-annotations '" + shapes + "/instances_train.json' --train-images '" + shapes +
                      "/images' --out '" + run + "' --set train.iterations=1 --set train.batch_size=1 " +
                      "--set input.max_size=32 --set train.workers=0")
              .exit_code == 0);
  const std::string detect = "detect --checkpoint '" + run + "/checkpoints/last.safetensors' '" + shapes +
                             "/images' --out '" + (folder / "drawn") + "' --dump ";
  const Outcome outcome = run_diopter(detect + "'" + dump + "'");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const std::string bytes = read_bytes(dump);
  for (const char* name : {"\"1/input\"", "\"1/C2\"", "\"1/P4\"", "\"1/logits.P2\"", "\"1/deltas.P4\"", "\"1/boxes\"",
                           "\"3/input\"", "\"3/scores\""}) {
    INFO(name);
    CHECK(contains(bytes, name));
  }
  CHECK(contains(bytes, shapes + "/images"));  // which file was picture 1
  CHECK(!contains(bytes, "\"4/input\""));
  const Outcome refused = run_diopter(detect + "'" + (folder / "none/dump.safetensors") + "'");
  CHECK(refused.exit_code == 2);
  CHECK(contains(refused.err, "none/dump.safetensors: cannot write"));
}

TEST_CASE("detect --profile measures batches") {
  const TemporaryFolder folder;
  const std::string shapes = folder / "shapes", run = folder / "run", drawn = folder / "drawn";
  REQUIRE(run_diopter("shapes --out '" + shapes + "' --size 32 --train 5 --val 1").exit_code == 0);
  REQUIRE(run_diopter("train --train-annotations '" + shapes + "/instances_train.json' --train-images '" + shapes +
                      "/images' --out '" + run + "' --set train.iterations=1 --set train.batch_size=1 " +
                      "--set input.max_size=32 --set train.workers=0 --set detect.batch_size=1")
              .exit_code == 0);
  const std::string detect =
      "detect --checkpoint '" + run + "/checkpoints/last.safetensors' '" + shapes + "/images' --out '" + drawn + "' ";
  require_refused(run_diopter(detect + "--profile none"), "--profile");
  const Outcome outcome = run_diopter(detect + "--profile 2");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const std::string table = read_bytes(drawn + "/profile.txt");
  INFO(table);
  CHECK(contains(outcome.out, table));
  CHECK(contains(table, "\nbatch, 2 times: "));
  CHECK(contains(table, "\nload, 2 times: "));
  for (const char* phase : {"    forward\n", "    post-processing\n", "    draw\n"}) CHECK(contains(table, phase));
  CHECK(contains(table, "  post-processing: batched_nms\n"));
  CHECK(std::filesystem::exists(drawn + "/trace.json"));
}

namespace {

/// A model of one step and pictures 1.jpg, 2.jpg and 3.jpg in the folder photos.
struct Detection {
  TemporaryFolder folder;
  std::string photos = folder / "photos";

  Detection() {
    const std::string shapes = folder / "shapes";
    REQUIRE(run_diopter("shapes --out '" + shapes + "' --size 32 --train 3 --val 1").exit_code == 0);
    REQUIRE(run_diopter("train --train-annotations '" + shapes + "/instances_train.json' --train-images '" + shapes +
                        "/images' --out '" + (folder / "run") + "' --set train.iterations=1 --set train.batch_size=1 " +
                        "--set input.max_size=32 --set train.workers=0 --set detect.batch_size=2 " +
                        "--set detect.score_threshold=0")
                .exit_code == 0);
    REQUIRE(
        detect(shapes + "/images/000001.png " + shapes + "/images/000002.png " + shapes + "/images/000003.png", photos)
            .exit_code == 0);
  }
  Outcome detect(const std::string& pictures, const std::string& out, const std::string& more = "") const {
    return detect_only(pictures + " --out " + out + " " + more);
  }
  Outcome detect_only(const std::string& arguments, const std::string& before = "") const {
    return run_shell(before + "'" DIOPTER_PROGRAM "' detect --checkpoint " +
                     (folder / "run/checkpoints/last.safetensors") + " " + arguments);
  }
  std::string json() const { return folder / "found.json"; }
  /// The file names in the results, in their order, each once.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& result : diopter::parse_json(read_bytes(json()))) {
      const std::string name = result.at("file_name");
      if (all.empty() || all.back() != name) all.push_back(name);
    }
    return all;
  }
};

}  // namespace

TEST_CASE("detect replaces no picture that it was given") {
  const Detection made;
  const std::string first = made.photos + "/000001.jpg", before = read_bytes(first);
  require_refused(made.detect(made.photos, made.photos), "000001.jpg: is one of the pictures");
  require_refused(made.detect(first, made.photos + "/../photos/."), "choose another folder with --out");
  std::filesystem::create_directory_symlink(made.photos, made.folder / "link");
  require_refused(made.detect(made.photos, made.folder / "link"), "is one of the pictures");
  REQUIRE(read_bytes(first) == before);
  REQUIRE(made.detect(first, made.folder / "drawn").exit_code == 0);
}

TEST_CASE("detect skips pictures that cannot be decoded, and says so") {
  const Detection made;
  write_bytes(made.photos + "/000001.jpg", "no picture");
  write_bytes(made.photos + "/000002.jpg", "");
  const Outcome outcome = made.detect(made.photos, made.folder / "drawn", "--json " + (made.folder / "found.json"));
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 3);
  REQUIRE(contains(outcome.err, "diopter: warning: 2 of the 3 pictures cannot be read: "));
  REQUIRE(contains(outcome.err, "diopter: warning: skipped " + made.photos + "/000001.jpg: "));
  REQUIRE(contains(outcome.err, "diopter: warning: skipped " + made.photos + "/000002.jpg: "));
  REQUIRE(contains(outcome.out, " in 1 pictures; "));
  REQUIRE(contains(outcome.out, "; drawn into "));
  REQUIRE_FALSE(std::filesystem::exists(made.folder / "drawn/000001.jpg"));
  REQUIRE(std::filesystem::exists(made.folder / "drawn/000003.jpg"));
  const std::string json = read_bytes(made.folder / "found.json");
  REQUIRE_FALSE(contains(json, "000001.jpg"));
  // The numbers of the others stay.
  REQUIRE(contains(json, "000003.jpg"));
  REQUIRE(contains(json, "\"image_id\": 3,"));
  REQUIRE_FALSE(contains(json, "\"image_id\": 1,"));

  write_bytes(made.photos + "/000003.jpg", "no picture");
  const Outcome none = made.detect(made.photos, made.folder / "drawn");
  REQUIRE(none.exit_code == 2);
  REQUIRE(contains(none.err, "none of the 3 pictures can be decoded; the first: " + made.photos + "/000001.jpg"));
}

TEST_CASE("detect says where it looks at the first frame only") {
  const Detection made;
  const std::string frame(",\0\0\0\0\2\0\2\0\0\2\3D\2\5\0", 16);
  write_bytes(made.photos + "/two.gif",
              std::string("GIF89a\2\0\2\0\x80\0\0\xFF\0\0\0\0\xFF", 19) + frame + frame + ";");
  const Outcome outcome = made.detect(made.photos, made.folder / "drawn");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.err, "warning: " + made.photos + "/two.gif: only the first of its pages or frames is"));
  REQUIRE_FALSE(contains(outcome.err, ".jpg: only the first"));
}

TEST_CASE("detect replaces no other file in its folder, and lists what belongs to what") {
  const Detection made;
  const TemporaryFolder sets;
  for (const char* folder : {"a", "b", "out"}) std::filesystem::create_directory(sets / folder);
  std::filesystem::copy(made.photos + "/000001.jpg", sets / "a/x.jpg");
  std::filesystem::copy(made.photos + "/000002.jpg", sets / "b/x.jpg");
  write_bytes(sets / "out/x.jpg", "somebody's picture");
  const auto list = [&] { return read_bytes(sets / "out/drawings.csv"); };

  const Outcome first = made.detect(sets / "a", sets / "out");
  INFO(first.out << first.err);
  REQUIRE(first.exit_code == 0);
  REQUIRE(contains(first.out, sets / "out/x_2.jpg is " + sets.path("a/x.jpg")));
  REQUIRE(contains(first.out, "drawings.csv"));
  const std::string drawn = read_bytes(sets / "out/x_2.jpg");

  // Another picture of the same name gets another drawing, the same one its own again.
  REQUIRE(made.detect(sets / "b", sets / "out").exit_code == 0);
  REQUIRE(read_bytes(sets / "out/x_2.jpg") == drawn);
  REQUIRE(std::filesystem::exists(sets / "out/x_3.jpg"));
  REQUIRE(made.detect(sets.path("b") + " " + sets.path("a"), sets / "out").exit_code == 0);
  REQUIRE_FALSE(std::filesystem::exists(sets / "out/x_4.jpg"));
  REQUIRE(list() == "drawing,picture\nx_2.jpg," + sets.path("a/x.jpg") + "\nx_3.jpg," + sets.path("b/x.jpg") + "\n");
  REQUIRE(read_bytes(sets / "out/x.jpg") == "somebody's picture");

  // What the list says of files elsewhere is not believed.
  write_bytes(sets / "out/drawings.csv", "drawing,picture\n../a/x.jpg," + sets.path("b/x.jpg") + "\n");
  const std::string original = read_bytes(sets / "a/x.jpg");
  REQUIRE(made.detect(sets / "b", sets / "out").exit_code == 0);
  REQUIRE(read_bytes(sets / "a/x.jpg") == original);
  REQUIRE(contains(list(), "\nx_4.jpg," + sets.path("b/x.jpg") + "\n"));
}

TEST_CASE("detect needs no folder for drawings where its results go elsewhere") {
  const Detection made;
  const Outcome outcome = made.detect_only(made.photos + " --json " + made.json());
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE_FALSE(contains(outcome.out, "drawn"));
  REQUIRE(made.names().size() == 3);
  require_refused(made.detect_only(made.photos), "--out, --json, --export or --dump");
  require_refused(made.detect_only("--json " + made.json()), "detect needs pictures");
  require_refused(made.detect_only(made.photos + " --profile 1 --json " + made.json()), "--profile writes into --out");
  require_refused(made.detect_only(made.photos + " --images x --json " + made.json()), "--images needs --annotations");
}

TEST_CASE("detect takes pictures from folders in folders, lists and standard input, each once") {
  const Detection made;
  const std::string deep = made.photos + "/deep/deeper", json = " --json " + made.json();
  std::filesystem::create_directories(deep);
  std::filesystem::rename(made.photos + "/000002.jpg", deep + "/000002.jpg");
  std::filesystem::rename(made.photos + "/000003.jpg", deep + "/000003.jpg");
  const auto require_names = [&](const Outcome& outcome, const std::vector<std::string>& names, int code = 0) {
    INFO(outcome.out << outcome.err);
    REQUIRE(outcome.exit_code == code);
    REQUIRE(made.names() == names);
  };
  const std::string one = made.photos + "/000001.jpg", two = deep + "/000002.jpg", three = deep + "/000003.jpg";
  require_names(made.detect_only(made.photos + json), {one});
  require_names(made.detect_only(made.photos + " --recursive" + json), {one, two, three});
  require_names(made.detect_only(three + " " + made.photos + " " + deep + "/../deeper/000003.jpg" + json),
                {three, one});
  // Drawings within the folder are no pictures the next time.
  const std::string inside = made.photos + " --recursive --out " + made.photos + "/drawn" + json;
  require_names(made.detect_only(inside), {one, two, three});
  require_names(made.detect_only(inside), {one, two, three});
  std::filesystem::remove_all(made.photos + "/drawn");

  const std::string list = made.folder.write("list.txt", three + "\r\n\n" + made.photos + "\nnone.png\n");
  const Outcome listed = made.detect_only("--list " + list + json);
  require_names(listed, {three, one}, 3);
  REQUIRE(contains(listed.err, "1 of the 3 pictures cannot be read: none.png: no such file"));
  require_names(made.detect_only("-" + json, "printf '%s\\n' " + two + " " + one + " | "), {two, one});
  require_refused(made.detect_only("-" + json, "printf '' | "), "no picture is named");
  require_refused(made.detect_only("none.png" + json), "none.png: no such file or folder");
  require_refused(made.detect_only(made.photos + "/deep" + json), "a folder without pictures (--recursive ");
}

TEST_CASE("detect gives results the ids of annotations") {
  const Detection made;
  const std::string truth = made.folder.write("truth.json", R"({"images": [
      {"id": 90, "file_name": "photos/000001.jpg"}, {"id": 7, "file_name": "photos/000003.jpg"},
      {"id": 40, "file_name": "photos/000002.jpg"}],
    "categories": [{"id": 5, "name": "triangle"}, {"id": 2, "name": "circle"}, {"id": 3, "name": "square"}]})");
  const auto results = [&] { return diopter::parse_json(read_bytes(made.json())); };
  const auto require_ids = [&](const std::vector<int>& expected) {
    std::vector<int> ids;
    for (const auto& result : results()) {
      const int id = result.at("image_id");
      if (ids.empty() || ids.back() != id) ids.push_back(id);
      const std::string category = result.at("category");
      REQUIRE(result.at("category_id") == (category == "circle" ? 2 : category == "square" ? 3 : 5));
    }
    REQUIRE(ids == expected);
  };
  const std::string options = " --annotations " + truth + " --json " + made.json();
  const Outcome named = made.detect_only(made.photos + options);
  INFO(named.out << named.err);
  REQUIRE(named.exit_code == 0);
  require_ids({90, 40, 7});
  // Without names, the pictures are those of the annotations.
  const Outcome all = made.detect_only("--images " + made.folder.path() + options);
  INFO(all.out << all.err);
  REQUIRE(all.exit_code == 0);
  require_ids({90, 7, 40});
  std::filesystem::rename(made.photos + "/000002.jpg", made.photos + "/other.jpg");
  require_refused(made.detect_only(made.photos + options),
                  "truth.json: lists no picture for 1 of 3: " + made.photos + "/other.jpg");
}

TEST_CASE("detect says what the best score is where nothing reaches --score") {
  const Detection made;
  double best = 0;
  REQUIRE(made.detect_only(made.photos + " --json " + made.json()).exit_code == 0);
  for (const auto& result : diopter::parse_json(read_bytes(made.json())))
    best = std::max(best, result.at("score").get<double>());
  const Outcome none = made.detect_only(made.photos + " --score 0.99 --json " + made.json());
  INFO(none.out << none.err);
  char expected[64];
  std::snprintf(expected, sizeof expected, "; the best one has %.3f ", best);
  REQUIRE(contains(none.out, "0 objects with a score of at least 0.99 in 3 pictures" + std::string(expected)));
}

TEST_CASE("detect takes the checkpoint's scores of largest F1, unless --score says otherwise") {
  const Detection made;
  const std::string shapes = made.folder / "more", run = made.folder / "evaluated";
  const std::string images = "-images " + shapes + "/images";
  REQUIRE(run_diopter("shapes --size 32 --train 16 --val 8 --out " + shapes).exit_code == 0);
  REQUIRE(run_diopter("train --no-doctor --train-annotations " + shapes + "/instances_train.json --train" + images +
                      " --val-annotations " + shapes + "/instances_val.json --val" + images + " --out " + run +
                      " --set train.iterations=100 --set train.batch_size=4 --set detect.score_threshold=0.001")
              .exit_code == 0);
  const std::string detect =
      "detect --checkpoint " + run + " " + shapes + "/images/00000[123].png --json " + made.json();
  const Outcome own = run_diopter(detect), stated = run_diopter(detect + " --score 0.5");
  INFO(own.out << own.err);
  REQUIRE(own.exit_code == 0);
  const std::string checkpoint = read_bytes(run + "/checkpoints/best.safetensors");
  std::uint64_t length = 0;  // of the header, in its first 8 bytes
  std::memcpy(&length, checkpoint.data(), sizeof length);
  const auto header = diopter::parse_json(checkpoint.substr(sizeof length, length));
  const auto thresholds = diopter::parse_json(header.at("__metadata__").at("thresholds").get<std::string>());
  const auto results = diopter::parse_json(read_bytes(made.json()));
  std::ptrdiff_t expected = 0;
  for (const auto& result : results) {
    expected += result.at("score").get<double>() >= thresholds.at(result.at("category_id").get<std::size_t>() - 1);
  }
  REQUIRE(expected > 0);
  REQUIRE(own.out.starts_with(std::to_string(expected) +
                              " objects with a score of at least the checkpoint's best for their class ("));
  REQUIRE(contains(stated.out, " objects with a score of at least 0.5 in "));
}

TEST_CASE("detect takes a threshold for each class") {
  const Detection made;
  REQUIRE(made.detect_only(made.photos + " --json " + made.json()).exit_code == 0);
  const auto results = diopter::parse_json(read_bytes(made.json()));
  double circles = 0, others = 0;  // scores in their middle
  int of_circles = 0, of_others = 0;
  for (const auto& result : results) {
    const bool circle = result.at("category") == "circle";
    (circle ? circles : others) += result.at("score").get<double>();
    ++(circle ? of_circles : of_others);
  }
  REQUIRE(of_circles > 0);
  REQUIRE(of_others > 0);
  circles /= of_circles;
  others /= of_others;
  int expected = 0;
  for (const auto& result : results) {
    const float threshold = static_cast<float>(result.at("category") == "circle" ? circles : others);
    expected += result.at("score").get<float>() >= threshold;
  }
  const auto written = [&](const std::string& text) { return made.folder.write("thresholds.json", text); };
  const auto with = [&](const std::string& text) {
    return made.detect_only(made.photos + " --json " + made.json() + " --thresholds " + written(text));
  };
  const auto score = [](double value) { return "{\"score\": " + diopter::formatted("%.17g", value) + "}"; };
  const std::string own =
      "{\"all\": " + score(others) + ", \"classes\": {\"circle\": " + score(circles) + ", \"square\": null}}";
  const Outcome outcome = with(own);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(outcome.out.starts_with(std::to_string(expected) + " objects with a score of at least their class's in "));
  REQUIRE(diopter::parse_json(read_bytes(made.json())) == results);

  require_refused(with(R"({"all": null, "classes": {"circle": {"score": 1}}})"),
                  "thresholds.json: has no threshold for");
  require_refused(with(R"({"all": null, "classes": {"cat": {"score": 1}}})"), "has a threshold for 'cat'");
  require_refused(with(R"({"all": {"score": "1"}, "classes": {}})"), "thresholds.json: all: must be null or an object");
  require_refused(with("{}"), "is no file of thresholds");
  require_refused(with("{"), "is no JSON");
  require_refused(made.detect_only(made.photos + " --json o.json --score 0.3 --thresholds t.json"),
                  "exclude each other");
}

TEST_CASE("detect exports annotations that read back as what it found") {
  const Detection made;
  const auto at = [&](const std::string& name) { return made.folder / name; };
  const std::string all = made.photos + " --score 0.012 --json " + made.json() + " --export yolo:" + at("labels") +
                          " --export voc:" + at("xml") + " --export csv:" + at("found.csv") +
                          " --export cvat:" + at("cvat.xml") + " --export labelstudio:" + at("tasks.json");
  const Outcome outcome = made.detect_only(all);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  using Found = std::map<std::string, std::vector<std::pair<std::string, diopter::Rect>>>;  // by picture
  Found expected;
  std::map<std::string, std::vector<double>> scores;
  for (const std::string name : {"000001.jpg", "000002.jpg", "000003.jpg"}) expected[name];
  for (const auto& result : diopter::parse_json(read_bytes(made.json()))) {
    if (result.at("score").get<float>() < 0.012f) continue;
    const std::vector<double> box = result.at("bbox");
    const std::string name = std::filesystem::path(result.at("file_name").get<std::string>()).filename();
    expected[name].push_back({result.at("category"), {box[0], box[1], box[2], box[3]}});
    scores[name].push_back(result.at("score"));
  }
  std::size_t count = 0;
  for (const auto& [name, boxes] : expected) count += boxes.size();
  REQUIRE(count > 0);
  const auto require_found = [&](const Found& found, double tolerance) {
    REQUIRE(found.size() == expected.size());
    for (const auto& [name, boxes] : expected) {
      INFO(name);
      REQUIRE(found.at(name).size() == boxes.size());
      for (std::size_t i = 0; i < boxes.size(); ++i) {
        const auto& [category, rect] = found.at(name)[i];
        REQUIRE(category == boxes[i].first);
        for (const auto side : {&diopter::Rect::x, &diopter::Rect::y, &diopter::Rect::w, &diopter::Rect::h}) {
          REQUIRE(std::fabs(rect.*side - boxes[i].second.*side) < tolerance);
        }
      }
    }
  };
  for (const std::string annotations : {"labels", "xml", "found.csv", "cvat.xml"}) {
    INFO(annotations);
    const diopter::Dataset read = diopter::read_dataset("", at(annotations), {.images = made.photos});
    Found found;
    for (const diopter::ImageRecord& image : read.images) {
      auto& boxes = found[std::filesystem::path(image.file).filename()];
      for (const diopter::Annotation& a : image.annotations)
        boxes.push_back({read.categories[a.category].name, a.rect});
    }
    require_found(found, annotations == "labels" ? 1e-5 : 1e-4);
  }
  // Readers of CVAT's files look for the classes there.
  for (const std::string name : {"circle", "square", "triangle"}) {
    INFO(name);
    REQUIRE(contains(read_bytes(at("cvat.xml")), "<name>" + name + "</name>"));
  }
  Found tasks;
  for (const auto& task : diopter::parse_json(read_bytes(at("tasks.json")))) {
    const std::string name = task.at("data").at("image");
    auto& boxes = tasks[name];
    const auto& results = task.at("predictions").at(0).at("result");
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto& result = results[i];
      const auto& value = result.at("value");
      const double w = result.at("original_width"), h = result.at("original_height");
      REQUIRE(w > 0);
      boxes.push_back({value.at("rectanglelabels").at(0),
                       {value.at("x").get<double>() * w / 100, value.at("y").get<double>() * h / 100,
                        value.at("width").get<double>() * w / 100, value.at("height").get<double>() * h / 100}});
      REQUIRE(result.at("score") == scores[name][i]);
      REQUIRE(result.at("type") == "rectanglelabels");
    }
  }
  require_found(tasks, 1e-5);

  require_refused(made.detect_only(all), "labels/classes.txt: is there already: labels are not replaced");
  require_refused(made.detect_only(made.photos + " --export voc:" + at("xml")), "000001.xml: is there already");
  require_refused(made.detect_only(made.photos + " --export csv:" + at("found.csv")), "found.csv: is there already");
  require_refused(made.detect_only(made.photos + " --export pdf:x"), "--export pdf: there are yolo, voc, labelstudio");
  require_refused(made.detect_only(made.photos + " --export yolo"), "needs a place, as in yolo:PATH");
  std::filesystem::copy(made.photos + "/000001.jpg", made.photos + "/000001.png");
  require_refused(made.detect_only(made.photos + " --export yolo:" + at("more")), "another picture is called 000001");
}

TEST_CASE("a run folder stands for its best weights") {
  const TemporaryFolder folder;
  const std::string shapes = folder / "shapes", run = folder / "run";
  REQUIRE(run_diopter("shapes --out " + shapes + " --size 32 --train 3 --val 2").exit_code == 0);
  const std::string set = shapes + "/instances_val.json --val-images " + shapes + "/images";
  REQUIRE(run_diopter("train --train-annotations " + shapes + "/instances_train.json --train-images " + shapes +
                      "/images --val-annotations " + set + " --out " + run +
                      " --set train.iterations=1 --set train.batch_size=1 --set input.max_size=32")
              .exit_code == 0);
  const auto evaluate = [&](const std::string& checkpoint) {
    return run_diopter("evaluate --checkpoint " + checkpoint + " --annotations " + shapes +
                       "/instances_val.json --images " + shapes + "/images");
  };
  std::filesystem::rename(run + "/checkpoints/last.safetensors", folder / "last.safetensors");
  const Outcome best = evaluate(run);
  INFO(best.out << best.err);
  REQUIRE(best.exit_code == 0);
  REQUIRE(best.out == evaluate(run + "/checkpoints/best.safetensors").out);
  REQUIRE_FALSE(contains(best.err, "last"));
  std::filesystem::rename(folder / "last.safetensors", run + "/checkpoints/last.safetensors");
  std::filesystem::remove(run + "/checkpoints/best.safetensors");
  const Outcome last = evaluate(run);
  REQUIRE(last.exit_code == 0);
  REQUIRE(contains(last.err, run + " has no best weights"));
  require_refused(evaluate(shapes), shapes + ": a folder without checkpoints/best.safetensors");

  // Settings of detection: with one box of a picture, its recall with 100 is that with 1.
  const std::string weights = run + "/checkpoints/last.safetensors";
  const auto numbers = [&](const std::string& options) {
    REQUIRE(evaluate(weights + " --json " + (folder / "numbers.json") + " " + options).exit_code == 0);
    return diopter::parse_json(read_bytes(folder / "numbers.json")).at("stats");
  };
  const std::string all = "--set detect.score_threshold=0.0";
  REQUIRE(numbers(all) != numbers(all + " --set detect.max_detections=1"));
  REQUIRE(numbers(all + " --set detect.max_detections=1").at(6) ==
          numbers(all + " --set detect.max_detections=1").at(8));
  require_refused(evaluate(weights + " --set train.lr=1"),
                  "--set train.lr=1: a trained model takes keys of detect.* only");
  require_refused(evaluate(weights + " --set detect.max_detections=0"), "detect.max_detections");
}
