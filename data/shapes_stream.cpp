#include "data/shapes_stream.h"

#include <filesystem>
#include <type_traits>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/philox.h"

namespace diopter {

namespace {

using nlohmann::ordered_json;

constexpr const char* kKind = "diopter_shapes";            // of the file
constexpr std::uint64_t kStream = std::uint64_t{1} << 61;  // streams of random numbers that give seeds of pictures

/// Calls visit(name, option) for each option.
template <class Options, class Visit>
void for_each_option(Options& o, const Visit& visit) {
  visit("size", o.size);
  visit("min_objects", o.min_objects);
  visit("max_objects", o.max_objects);
  visit("min_object_size", o.min_object_size);
  visit("max_object_size", o.max_object_size);
  visit("distractors", o.distractors);
  visit("noise", o.noise);
  visit("contrast", o.contrast);
  visit("empty", o.empty);
  visit("forms", o.forms);
  visit("colours", o.colours);
  visit("textures", o.textures);
  visit("parts", o.parts);
  visit("missing", o.missing);
  visit("rich", o.rich);
  visit("seed", o.seed);
}

ordered_json to_json(const ShapesOptions& options) {
  ordered_json json = ordered_json::object();
  for_each_option(options, [&](const char* name, const auto& value) { json[name] = value; });
  return json;
}

class ShapesStream : public PictureStream {
 public:
  explicit ShapesStream(const ShapesOptions& options) : options_(options) {}

  Image make(std::uint64_t seed, std::int64_t number, ImageRecord& record) const override {
    ShapesOptions options = options_;
    Philox random(options_.seed, seed ^ kStream);
    options.seed = std::uint64_t{random.next()} << 32;
    options.seed |= random.next();
    const std::uint64_t index = static_cast<std::uint64_t>(number);
    Image image = make_shapes_image_quickly(options, index, record);
    leave_out_labels(options, index, record);
    record.name = "picture " + std::to_string(number) + " of the stream";
    return image;
  }
  std::string text() const override { return json_text(to_json(options_)); }

 private:
  ShapesOptions options_;
};

}  // namespace

std::shared_ptr<const PictureStream> shapes_stream(const ShapesOptions& options) {
  shapes_categories(options);  // which refuses what cannot be drawn
  return std::make_shared<const ShapesStream>(options);
}

std::string shapes_recipe_file(const std::string& dir) { return std::filesystem::path(dir) / "shapes.json"; }

void write_shapes_recipe(const std::string& file, const ShapesOptions& options) {
  ordered_json json = ordered_json::object();
  json[kKind] = to_json(options);
  write_file_atomically(file, json_text(json, 2) + "\n");
}

ShapesOptions read_shapes_recipe(const std::string& file) {
  nlohmann::json json;
  try {
    json = parse_json(read_file(file));
  } catch (const nlohmann::json::exception&) {  // told below
  }
  DIOPTER_CHECK(json.is_object() && json.contains(kKind) && json[kKind].is_object(), file,
                ": is no shapes.json, as `diopter shapes` writes beside its pictures");
  nlohmann::json& values = json[kKind];
  ShapesOptions options;
  for_each_option(options, [&](const char* name, auto& option) {
    const auto found = values.find(name);
    if (found == values.end()) return;
    using Option = std::remove_reference_t<decltype(option)>;
    constexpr bool truth = std::is_same_v<Option, bool>, real = std::is_floating_point_v<Option>;
    DIOPTER_CHECK(truth  ? found->is_boolean()
                  : real ? found->is_number()
                         : found->is_number_integer(),
                  file, ": ", name, " must be ",
                  truth  ? "true or false"
                  : real ? "a number"
                         : "an integer");
    found->get_to(option);
    values.erase(found);
  });
  DIOPTER_CHECK(values.empty(), file, ": unknown key ", values.begin().key());
  shapes_categories(options);
  return options;
}

}  // namespace diopter
