#include "tests/docs/labelled_sets.h"

#include <algorithm>
#include <map>

#include "kernels/base/json.h"
#include "tests/support/files.h"

namespace diopter::test {

namespace fs = std::filesystem;

void write_labelled_sets(const fs::path& folder, const fs::path& picture) {
  const std::string name = picture.filename(), stem = picture.stem();
  const auto write = [&](const std::string& file, const std::string& text) {
    fs::create_directories((folder / file).parent_path());
    write_bytes(folder / file, text);
  };
  const auto copy = [&](const std::string& into) {
    fs::create_directories(folder / into);
    fs::copy(picture, folder / into / name);
  };
  write("annotations.xml", "<annotations><version>1.1</version><image id=\"0\" name=\"" + name +
                               "\" width=\"64\" height=\"64\"><box label=\"cat\" xtl=\"12\" ytl=\"10\" xbr=\"40\" "
                               "ybr=\"30\"/></image></annotations>\n");
  write("label_studio.json", R"([{"data": {"image": "/data/upload/1/0a1b2c3d-)" + name +
                                 R"("}, "annotations": [{"result": [{"type": "rectanglelabels", "original_width": 64,
"original_height": 64, "value": {"x": 18.75, "y": 15.625, "width": 43.75, "height": 31.25, "rotation": 0,
"rectanglelabels": ["cat"]}}]}]}])");
  write("via.json",
        "{\"" + name + R"(7": {"filename": ")" + name +
            R"(", "size": 7, "regions": [{"shape_attributes": {"name": "rect", "x": 12, "y": 10, "width": 28,
"height": 20}, "region_attributes": {"label": "cat"}}], "file_attributes": {}}})");
  write("via.csv",
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n" + name +
            ",7,\"{}\",1,0,\"{\"\"name\"\":\"\"rect\"\",\"\"x\"\":12,\"\"y\"\":10,\"\"width\"\":28,\"\"height\"\":20}"
            "\",\"{"
            "\"\"label\"\":\"\"cat\"\"}\"\n");
  write("labelme/" + stem + ".json",
        R"({"version": "5.0.1", "flags": {}, "shapes": [{"label": "cat", "points": [[12, 10], [40, 30]],
"shape_type": "rectangle"}], "imagePath": ")" +
            name + R"(", "imageData": null, "imageHeight": 64, "imageWidth": 64})");
  copy("labelme");
  const std::string voc =
      "<annotation><filename>" + name +
      "</filename><size><width>64</width><height>64</height><depth>3</depth></size><object>"
      "<name>cat</name><bndbox><xmin>13</xmin><ymin>11</ymin><xmax>40</xmax><ymax>30</ymax></bndbox>"
      "</object></annotation>\n";
  write("labelimg/" + stem + ".xml", voc);
  copy("labelimg");
  write("kit/Annotations/" + stem + ".xml", voc);
  write("kit/ImageSets/Main/train.txt", stem + "\n");
  copy("kit/JPEGImages");
  const std::string yolo = "0 0.40625 0.3125 0.4375 0.3125\n";
  write("yolo/data.yaml", "train: images/train\nnames: [cat]\n");
  write("yolo/labels/train/" + stem + ".txt", yolo);
  copy("yolo/images/train");
  write("darknet/obj.data", "classes = 1\ntrain = train.txt\nnames = obj.names\n");
  write("darknet/obj.names", "cat\n");
  write("darknet/train.txt", "obj/" + name + "\n");
  write("darknet/obj/" + stem + ".txt", yolo);
  copy("darknet/obj");
  write("boxes.csv", "filename,xmin,ymin,xmax,ymax,class\n" + name + ",12,10,40,30,cat\n");
  write("open_images.csv", "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf\n" + stem +
                               ",xclick,/m/01yrx,1,0.1875,0.625,0.15625,0.46875,0,0\n");
}

std::string label_studio_export(const std::vector<fs::path>& coco_files, const std::vector<std::string>& pictures) {
  nlohmann::ordered_json tasks = nlohmann::ordered_json::array();
  for (const fs::path& file : coco_files) {
    const auto coco = parse_json(read_bytes(file));
    std::map<std::int64_t, std::string> classes;
    for (const auto& category : coco.at("categories")) classes[category.at("id")] = category.at("name");
    for (const auto& image : coco.at("images")) {
      const std::string name = image.at("file_name");
      if (std::count(pictures.begin(), pictures.end(), name) == 0) continue;
      const double width = image.at("width"), height = image.at("height");
      auto result = nlohmann::ordered_json::array();
      for (const auto& annotation : coco.at("annotations")) {
        if (annotation.at("image_id") != image.at("id")) continue;
        const std::vector<double> box = annotation.at("bbox");
        result.push_back({{"type", "rectanglelabels"},
                          {"original_width", width},
                          {"original_height", height},
                          {"value",
                           {{"x", 100 * box[0] / width},
                            {"y", 100 * box[1] / height},
                            {"width", 100 * box[2] / width},
                            {"height", 100 * box[3] / height},
                            {"rotation", 0},
                            {"rectanglelabels", {classes.at(annotation.at("category_id"))}}}}});
      }
      nlohmann::ordered_json task{{"data", {{"image", "/data/upload/1/0a1b2c3d-" + name}}}};
      task["annotations"] = nlohmann::ordered_json::array({{{"result", result}}});
      tasks.push_back(task);
    }
  }
  return json_text(tasks);
}

}  // namespace diopter::test
