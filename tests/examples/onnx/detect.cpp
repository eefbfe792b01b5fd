// Detections of a model that `diopter export` wrote, by onnxruntime: detect model.onnx PICTURE...
// Prints them as `diopter detect --json` does. Needs onnxruntime's C++ header, nlohmann's JSON and stb_image.
#include <onnxruntime_cxx_api.h>
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

using nlohmann::json;

struct Detection {
  std::string name;
  float score;
  std::array<float, 4> box;  // x1, y1, x2, y2 in pixels of the picture
};

struct Picture {
  std::int64_t height, width;
  std::vector<float> rgb;  // [height, width, 3] of 0..255
};

Picture read(const std::string& file) {
  int width = 0, height = 0, channels = 0;
  unsigned char* bytes = stbi_load(file.c_str(), &width, &height, &channels, 3);
  if (!bytes) throw std::runtime_error(file + ": " + stbi_failure_reason());
  Picture picture{height, width, std::vector<float>(bytes, bytes + 3 * width * height)};
  stbi_image_free(bytes);
  return picture;
}

/// Height and width at the network's input, by the model's metadata "input".
std::array<std::int64_t, 2> input_size(const Picture& picture, const json& rule) {
  const double shorter = double(std::min(picture.height, picture.width)), most = rule["max_size"];
  const double longer = double(std::max(picture.height, picture.width)), least = rule["min_size"];
  if (rule["resize"] == "exact") return {rule["max_size"], rule["max_size"]};
  const bool round = rule["round"];
  std::array<double, 2> size{double(picture.height), double(picture.width)};
  if (rule["resize"] == "longer_side") {
    for (double& side : size) side = std::floor((2 * side * most + (round ? longer : 0)) / (2 * longer));
  } else if (round) {
    for (double& side : size) side = side == shorter ? least : side * (least / shorter);
    const double largest = std::max(size[0], size[1]);
    for (double& side : size) side = std::floor((largest > most ? side * (most / largest) : side) + 0.5);
  } else {
    const auto ratio = [&](double a, double b) {
      return rule["float_scale"] ? double(1 / float(b) * float(a)) : a / b;
    };
    const double scale = std::min(ratio(least, shorter), ratio(most, longer));
    for (double& side : size) side = std::floor(side * scale);
  }
  const bool larger = size[0] > double(picture.height) || size[1] > double(picture.width);
  if (!rule["enlarge"] && larger) return {picture.height, picture.width};
  return {std::max(1l, std::lround(size[0])), std::max(1l, std::lround(size[1]))};
}

/// Bilinear between the two nearest pixels: half-pixel centres, no antialiasing.
Picture resized(const Picture& from, std::array<std::int64_t, 2> size) {
  struct Place {
    std::int64_t low, high;
    float weight;  // of high
  };
  const auto place = [](std::int64_t i, std::int64_t to, std::int64_t of) {
    const double at = std::max(0.0, (double(i) + 0.5) * (double(of) / double(to)) - 0.5);
    const std::int64_t low = std::min(std::int64_t(at), of - 1);
    return Place{low, std::min(low + 1, of - 1), float(at - double(low))};
  };
  Picture to{size[0], size[1], {}};
  for (std::int64_t y = 0; y < to.height; ++y) {
    const Place row = place(y, to.height, from.height);
    for (std::int64_t x = 0; x < to.width; ++x) {
      const Place column = place(x, to.width, from.width);
      for (std::int64_t c = 0; c < 3; ++c) {
        const auto between = [&](std::int64_t line) {
          const auto at = [&](std::int64_t i) { return from.rgb[std::size_t((line * from.width + i) * 3 + c)]; };
          return (1 - column.weight) * at(column.low) + column.weight * at(column.high);
        };
        to.rgb.push_back((1 - row.weight) * between(row.low) + row.weight * between(row.high));
      }
    }
  }
  return to;
}

std::vector<Detection> detect(Ort::Session& session, const Picture& picture) {
  Ort::AllocatorWithDefaultOptions allocator;
  const Ort::ModelMetadata facts = session.GetModelMetadata();
  const auto fact = [&](const char* key) {
    const Ort::AllocatedStringPtr text = facts.LookupCustomMetadataMapAllocated(key, allocator);
    return json::parse(text.get());
  };
  const json rule = fact("input"), classes = fact("classes");
  const std::array<std::int64_t, 2> size = input_size(picture, rule);
  const bool same = size[0] == picture.height && size[1] == picture.width;
  if (rule["tile"] != 0) throw std::runtime_error("the model takes tiles: this program does not cut pictures");
  if (!same && rule["filter"] != "bilinear")
    throw std::runtime_error("this program resizes with the filter bilinear only");
  const Picture input = same ? picture : resized(picture, size);

  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto tensor = [&](auto& values, std::vector<std::int64_t> shape) {
    return Ort::Value::CreateTensor(memory, values.data(), values.size(), shape.data(), shape.size());
  };
  std::array<std::int64_t, 2> sizes = size, original_sizes{picture.height, picture.width};
  std::vector<std::uint8_t> bytes;  // [1, height, width, 3]
  std::vector<float> planes;        // [1, 3, height, width] of 0..1
  std::vector<Ort::Value> inputs;
  if (rule["type"] == "uint8") {
    for (const float value : input.rgb) bytes.push_back(std::uint8_t(std::nearbyint(value)));
    inputs.push_back(tensor(bytes, {1, size[0], size[1], 3}));
  } else {
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = c; i < input.rgb.size(); i += 3) planes.push_back(input.rgb[i] / 255);
    }
    inputs.push_back(tensor(planes, {1, 3, size[0], size[1]}));
  }
  inputs.push_back(tensor(sizes, {1, 2}));
  inputs.push_back(tensor(original_sizes, {1, 2}));
  const char* const names[] = {"images", "sizes", "original_sizes"};
  const char* const outputs[] = {"boxes", "scores", "labels", "counts"};
  const auto found = session.Run({}, names, inputs.data(), 3, outputs, 4);

  const auto *boxes = found[0].GetTensorData<float>(), *scores = found[1].GetTensorData<float>();
  const auto *labels = found[2].GetTensorData<std::int64_t>(), *counts = found[3].GetTensorData<std::int64_t>();
  std::vector<Detection> detections;
  for (std::int64_t i = 0; i < counts[0]; ++i) {
    const float* box = boxes + 4 * i;
    detections.push_back({classes[std::size_t(labels[i])], scores[i], {box[0], box[1], box[2], box[3]}});
  }
  return detections;
}

int main(int count, char** arguments) {
  try {
    const std::vector<std::string> files(arguments + std::min(count, 2), arguments + count);
    if (files.empty()) throw std::runtime_error("usage: detect model.onnx PICTURE...");
    const Ort::Env environment;
    Ort::Session session(environment, arguments[1], Ort::SessionOptions());
    json all = json::array();
    for (const std::string& file : files) {
      for (const auto& [name, score, box] : detect(session, read(file))) {
        all.push_back({{"file_name", file},
                       {"category", name},
                       {"score", score},
                       {"bbox", {box[0], box[1], box[2] - box[0], box[3] - box[1]}}});
      }
    }
    std::cout << all.dump(1) << "\n";
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "detect: " << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
