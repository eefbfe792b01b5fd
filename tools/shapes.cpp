// diopter shapes: writes the built-in synthetic data set.
#include "data/shapes.h"

#include "data/shapes_stream.h"

#include <iostream>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "tools/command/command.h"
#include "tools/command/progress.h"

namespace diopter {

namespace {

struct ShapesRequest {
  std::string out;
  int train = 1000, val = 200;
  std::pair<int, int> objects;
  std::pair<float, float> object_size;
  ShapesOptions options;
};

/// write_shapes takes a plain function: the bar lives in here.
void show_progress(int done, int total) {
  static Progress progress("shapes", total, "pictures");
  progress.update(done);
}

void write(ShapesRequest& request) {
  ShapesOptions& options = request.options;
  std::tie(options.min_objects, options.max_objects) = request.objects;
  std::tie(options.min_object_size, options.max_object_size) = request.object_size;
  write_shapes(request.out, request.train, request.val, options, show_progress);
  write_shapes_recipe(shapes_recipe_file(request.out), options);
  std::cout << request.out << ": " << request.train << " training and " << request.val << " validation pictures of "
            << options.size << " x " << options.size << " pixels, classes: " << options.classes() << "\n";
}

}  // namespace

void add_shapes_command(Command& program) {
  Command command =
      program.subcommand("shapes", "Writes the built-in synthetic data set: coloured shapes on noise",
                         "shapes --out shapes --train 1000 --val 200 --size 64 --seed 1\n\n"
                         "Writes DIR/images/*.png, DIR/instances_train.json and DIR/instances_val.json (COCO), and\n"
                         "DIR/shapes.json, from which `diopter train --stream` makes fresh training pictures.");
  const auto request = std::make_shared<ShapesRequest>();
  ShapesOptions& options = request->options;
  request->objects = {options.min_objects, options.max_objects};
  request->object_size = {options.min_object_size, options.max_object_size};

  command.text("--out", request->out, "Folder to write into").required().type("DIR");
  command.number("--train", request->train, "Number of training pictures");
  command.number("--val", request->val, "Number of validation pictures");
  command.number("--size", options.size, "Width and height of a picture in pixels");
  command.number("--seed", options.seed, "Another seed gives other pictures").not_negative().limits_in_words();
  command.pair("--objects", request->objects, "Least and greatest number of objects per picture").type("MIN MAX");
  command.pair("--object-size", request->object_size, "Least and greatest size of an object, of the picture's side")
      .type("MIN MAX");
  command.number("--forms", options.forms, "Forms of classes, 1 to 8: circle, square, triangle, star, ...");
  command.number("--colours", options.colours, "Colours of classes, 1 (colours are random) to 6");
  command.number("--textures", options.textures, "Textures of classes, 1 to 3: plain, striped, checked");
  command.number("--distractors", options.distractors, "Greatest number of shapes of no class per picture");
  command.number("--parts", options.parts, "Share of the distractors that are torn parts of objects");
  command.number("--noise", options.noise, "Standard deviation of the pixel noise, of full scale");
  command.number("--contrast", options.contrast, "Of objects against the background, 0 (invisible) to 1");
  command.number("--empty", options.empty, "Share of pictures without objects");
  command.number("--missing", options.missing, "Share of the training set's boxes that are left out");
  command.flag("--rich", options.rich,
               "Patterned grounds, objects at any angle, light and focus of each picture its own");
  command.action([request] { write(*request); });
}

}  // namespace diopter
