// A file of PTX taken apart: its kernels, their variables, and their instructions with the lines of the .cu file that
// they come from. Grammar: NVIDIA, "PTX ISA", chapters 4 and 5, as far as nvcc uses it; anything else is an Error.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace diopter::ptx {

/// A line of a source file. The file is a key of Module::files; 0 is unknown.
struct Place {
  int file = 0, line = 0;
};

/// A variable in parameter, shared or local memory.
struct Variable {
  std::string name;
  std::size_t bytes = 0, alignment = 1;
};

struct Instruction {
  Place place;
  std::string label;                  // where one stands here; then there is nothing else
  std::string guard;                  // the predicate of @%p1 or @!%p1, with its "!"
  std::string opcode;                 // with modifiers: "ld.global.v4.f32"
  std::vector<std::string> operands;  // "{%f1, %f2, %f3, %f4}", "[%rd1+16]"
};

struct Kernel {
  std::string name;
  Place place;  // of its first line
  std::vector<Variable> parameters, shared, local;
  std::map<std::string, std::string> registers;  // name to type: "%f1" to "f32"
  unsigned most_threads = 0;                     // of a block, by __launch_bounds__; 0 is unlimited
  std::vector<Instruction> code;
};

struct Module {
  std::map<int, std::string> files;
  std::string dynamic_shared;  // the name of the kernels' dynamic shared memory; "" where none has any
  std::vector<Kernel> kernels;
};

/// Size in bytes of a type such as "f32"; 0 when there is no such type.
std::size_t type_bytes(std::string_view type);

/// What was inlined from files outside of the folder `root` is attributed to the line that calls it. Throws Error for
/// whatever is not known.
Module parse(std::string_view text, std::string_view root);

/// The PTX in an object file that nvcc made with --no-compress for one virtual architecture. Throws Error.
std::string_view ptx_of_object(std::string_view object);

}  // namespace diopter::ptx
