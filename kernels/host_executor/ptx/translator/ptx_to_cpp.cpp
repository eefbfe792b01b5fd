// Program that turns the PTX in an object file of nvcc into C++ for the host executor:
//   ptx_to_cpp OBJECT OUTPUT ROOT
// ROOT is the folder of the sources whose lines reports shall name.
#include <cstdio>
#include <exception>

#include "kernels/base/files.h"
#include "kernels/host_executor/ptx/translator/translation.h"

int main(int count, char** arguments) {
  using namespace diopter;
  if (count != 4) {
    std::fputs("usage: ptx_to_cpp OBJECT OUTPUT ROOT\n", stderr);
    return 2;
  }
  try {
    const std::string object = read_file(arguments[1]);
    const auto module = ptx::parse(ptx::ptx_of_object(object), arguments[3]);
    write_file_atomically(arguments[2], ptx::translate(module));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", arguments[1], error.what());
    return 2;
  }
}
