#include "retinanet/training/setting_changes.h"

#include "retinanet/config/config_text.h"
#include "tests/retinanet/support.h"

using namespace diopter;
using test::tiny_config;

namespace {

std::vector<std::string> changes(const std::vector<std::string>& settings) {
  std::vector<std::string> all;
  for (const SettingChange& change : setting_changes(tiny_config(), tiny_config(settings), 7)) {
    CHECK(change.iteration == 7);
    all.push_back(describe(change));
  }
  return all;
}

}  // namespace

TEST_CASE("changes of settings: what is learned from is one, how it is watched is none") {
  CHECK(changes({}).empty());
  CHECK(changes({"train.workers=3", "train.cache_mib=5", "train.save_every=1", "train.log_every=1", "train.pictures=0",
                 "train.evaluate_every=3", "train.stop_at=9", "detect.score_threshold=0.3", "detect.max_detections=7"})
            .empty());
  CHECK(changes({"train.lr=0.3", "input.max_size=64", "train.iterations=40"}) ==
        std::vector<std::string>{"input.max_size = 64 (32 before)", "train.iterations = 40 (20 before)",
                                 "train.lr = 0.3 (0.05 before)"});
}

TEST_CASE("changes of settings: a loss is compared with its parameters") {
  CHECK(changes({"loss.gamma=1"}) ==
        std::vector<std::string>{"loss.kind = focal:gamma=1,alpha=0.25 (focal:gamma=2,alpha=0.25 before)"});
  CHECK(changes({"loss.kind=ce"}) == std::vector<std::string>{"loss.kind = ce (focal:gamma=2,alpha=0.25 before)"});
}

TEST_CASE("changes of settings: another length alone needs no word of the user") {
  CHECK_FALSE(is_another_training({5, "train.iterations", "20", "40"}));
  CHECK(is_another_training({5, "train.lr", "0.1", "0.3"}));
}

TEST_CASE("changes of settings: comments of a configuration file") {
  const std::vector<SettingChange> all = {{20, "train.lr", "0.1", "0.3"}, {31, "loss.kind", "focal", "ce"}};
  const std::string text = change_comments(all) + format_config(tiny_config());
  CHECK(text.starts_with("# From iteration 20 on: train.lr = 0.3 (0.1 before)\n# From iteration 31 on: "));
  CHECK(read_change_comments(text) == std::vector<std::string>{"From iteration 20 on: train.lr = 0.3 (0.1 before)",
                                                               "From iteration 31 on: loss.kind = ce (focal before)"});
  CHECK(format_config(parse_config(text, "x")) == format_config(tiny_config()));
  CHECK(read_change_comments(format_config(tiny_config())).empty());
}
