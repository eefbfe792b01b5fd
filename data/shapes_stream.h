// Synthetic training pictures as a stream, and the file that says how they are drawn.
#pragma once

#include <memory>
#include <string>

#include "data/picture_stream.h"
#include "data/shapes.h"

namespace diopter {

/// Pictures by the options, with the labels that a training set has (options.missing). Streams of different seeds share
/// no picture, nor does one with the set that write_shapes writes. Throws Error for impossible options.
std::shared_ptr<const PictureStream> shapes_stream(const ShapesOptions& options);

/// DIR/shapes.json of a set that was written to DIR.
std::string shapes_recipe_file(const std::string& dir);

/// The options as JSON.
void write_shapes_recipe(const std::string& file, const ShapesOptions& options);

/// What write_shapes_recipe wrote; options that a file of an older version does not have keep their defaults. Throws
/// Error for other files, unknown keys and impossible options.
ShapesOptions read_shapes_recipe(const std::string& file);

}  // namespace diopter
