#include "kernels/host_executor/ptx/translator/translation.h"

#include <iomanip>
#include <map>
#include <sstream>
#include <vector>

#include "kernels/host_executor/ptx/translator/instruction.h"
#include "kernels/host_executor/ptx/translator/names.h"

namespace diopter::ptx {

namespace {

/// A line of C++ for each line of the .cu file, or for each stretch of code that comes from it.
class Lines {
 public:
  Lines(const Module& module, std::ostream& out) : module_(module), out_(out) {}

  void write(Place place, const std::string& text) {
    const auto file = module_.files.find(place.file);
    if (file != module_.files.end() && (place.file != place_.file || place.line != place_.line)) {
      out_ << "\n#line " << place.line << ' ' << std::quoted(file->second) << "\n ";
      place_ = place;
    }
    out_ << ' ' << text;
  }

 private:
  const Module& module_;
  std::ostream& out_;
  Place place_;
};

void write_variables(const Kernel& kernel, std::ostream& out) {
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [name, type] : kernel.registers) names[register_type(type)].push_back(cpp_name(name));
  for (const auto& [type, variables] : names) {
    out << "  " << type;
    for (std::size_t i = 0; i < variables.size(); ++i) out << (i ? ", " : " ") << variables[i] << "{}";
    out << ";\n";
  }
}

/// The memory that the kernel names, and the function that runs one of its threads.
void write_kernel(const Module& module, const Kernel& kernel, std::size_t number, std::ostream& out) {
  const std::vector<std::size_t> addresses = shared_addresses(kernel);
  out << "// " << kernel.name << "\nconstexpr SharedVariable shared" << number << "[] = {";
  for (std::size_t i = 0; i < kernel.shared.size(); ++i) {
    out << '{' << addresses[i] << ", " << kernel.shared[i].bytes << ", " << kernel.shared[i].alignment << "}, ";
  }
  out << '{' << addresses.back() << ", 0, 16}};\n";

  std::size_t local_bytes = 0, local_alignment = 16;
  for (const Variable& local : kernel.local) local_bytes = local.bytes, local_alignment = local.alignment;
  out << "void kernel" << number << "(const Arguments& arguments) {\n";
  write_variables(kernel, out);
  if (local_bytes > 0) out << "  alignas(" << local_alignment << ") u8 local[" << local_bytes << "];\n";
  out << "  Memory memory(shared" << number << ", arguments";
  if (local_bytes > 0) out << ", local, sizeof local";
  out << ");";
  Lines lines(module, out);
  for (const Instruction& instruction : kernel.code) {
    lines.write(instruction.place, instruction.label.empty() ? statement_of(module, kernel, instruction)
                                                             : cpp_name(instruction.label) + ":;");
  }
  out << "\n}\n\n";
}

/// The table entry by which launches find the kernel.
void write_entry(const Module& module, const Kernel& kernel, std::size_t number, std::ostream& out) {
  const auto file = module.files.find(kernel.place.file);
  const std::string name = file == module.files.end() ? "" : file->second;
  out << "  add_kernel({\"" << kernel.name << "\", " << std::quoted(name) << ", " << kernel.place.line << ", kernel"
      << number << ", {";
  for (const Variable& parameter : kernel.parameters)
    out << '{' << parameter.bytes << ", " << parameter.alignment << "}, ";
  out << "}, shared" << number << ", " << kernel.most_threads << "});\n";
}

}  // namespace

std::string translate(const Module& module) {
  std::ostringstream out;
  out << "// Made by ptx_to_cpp.\n#include \"kernels/host_executor/ptx/runtime/instructions.h\"\n\n"
      << "namespace diopter::host_executor::ptx {\nnamespace {\n\n";
  for (std::size_t i = 0; i < module.kernels.size(); ++i) write_kernel(module, module.kernels[i], i, out);
  out << "[[maybe_unused]] const bool added = [] {\n";
  for (std::size_t i = 0; i < module.kernels.size(); ++i) write_entry(module, module.kernels[i], i, out);
  out << "  return true;\n}();\n\n}  // namespace\n}  // namespace diopter::host_executor::ptx\n";
  return out.str();
}

}  // namespace diopter::ptx
