#include "kernels/host_executor/ptx/translator/module.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <utility>

#include "kernels/base/check.h"

namespace diopter::ptx {

namespace {

bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

/// The parts between commas that are in no brackets.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    if (c == '{' || c == '[' || c == '(') ++depth;
    if (c == '}' || c == ']' || c == ')') --depth;
    if (c != ',' || (depth > 0 && i < text.size())) continue;
    const std::string_view part = trimmed(text.substr(begin, i - begin));
    if (!part.empty()) parts.emplace_back(part);
    begin = i + 1;
  }
  return parts;
}

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  DIOPTER_CHECK(error == std::errc{} && end == text.data() + text.size(), "PTX: '", text, "' is not a number");
  return value;
}

/// Text that is read from its begin to its end.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool at_end() {
    skip_space();
    return rest_.empty();
  }
  bool accept(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Letters, digits and _ $ % . from here; "" where there are none.
  std::string_view word() {
    skip_space();
    return take(static_cast<std::size_t>(std::find_if_not(rest_.begin(), rest_.end(), in_word) - rest_.begin()));
  }
  /// Everything before the character, which is passed, too.
  std::string_view until(char c) {
    const std::size_t end = rest_.find(c);
    DIOPTER_CHECK(end != rest_.npos, "PTX: no '", c, "' after '", rest_.substr(0, 40), "'");
    const std::string_view text = trimmed(take(end));
    rest_.remove_prefix(1);
    return text;
  }
  std::string_view line() {
    const std::string_view text = take(std::min(rest_.find('\n'), rest_.size()));
    return trimmed(text.substr(0, text.find("//")));
  }

 private:
  std::string_view take(std::size_t n) {
    const std::string_view text = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return text;
  }
  /// Passes spaces and comments.
  void skip_space() {
    for (;;) {
      rest_ = rest_.substr(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
      if (!rest_.starts_with("//")) return;
      line();
    }
  }

  std::string_view rest_;
};

/// ".align 4 .b8 name[12]", or ".u64 .ptr .global .align 16 name" of a parameter.
Variable variable(std::string_view text) {
  Variable result;
  Reader reader(text);
  std::size_t element = 0;
  for (std::string_view word; !(word = reader.word()).empty();) {
    if (word == ".align") {
      result.alignment = number(reader.word());
    } else if (word.front() == '.') {
      const std::size_t bytes = type_bytes(word.substr(1));
      if (bytes > 0) element = bytes;
      DIOPTER_CHECK(bytes > 0 || word == ".ptr" || word == ".global" || word == ".shared", "PTX: '", text,
                    "' is not known");
    } else {
      result.name = word;
    }
  }
  DIOPTER_CHECK(element > 0 && !result.name.empty(), "PTX: '", text, "' is not a variable");
  std::size_t count = 1;
  if (reader.accept('[')) {
    const std::string_view size = reader.until(']');
    count = size.empty() ? 0 : number(size);
  }
  DIOPTER_CHECK(reader.at_end(), "PTX: a variable with a value is not known: '", text, "'");
  result.bytes = count * element;
  result.alignment = std::max(result.alignment, element);
  return result;
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view root) : root_(root), reader_(text) {
    // The files come last in PTX, and are needed first.
    constexpr std::string_view kFile = ".file\t";
    for (std::size_t at = 0; (at = text.find(kFile, at)) != text.npos;) file(Reader(text.substr(at += kFile.size())));
  }

  Module module() {
    while (!reader_.at_end()) {
      const std::string_view word = reader_.word();
      if (word == ".version" || word == ".target" || word == ".address_size" || word == ".file") {
        reader_.line();
      } else if (word == ".section") {
        reader_.until('}');
      } else if (word == ".entry") {
        entry();
      } else if (word == ".shared") {
        shared_.push_back(variable(reader_.until(';')));
      } else if (word == ".extern") {
        dynamic_shared();
      } else {
        DIOPTER_CHECK(word == ".visible" || word == ".weak", "PTX: '", word, "' is not known: '", reader_.line(), "'");
      }
    }
    for (Kernel& kernel : module_.kernels) add_shared(kernel);
    return std::move(module_);
  }

 private:
  void file(Reader reader) {
    const auto key = static_cast<int>(number(reader.word()));
    reader.until('"');
    module_.files[key] = std::filesystem::path(reader.until('"')).lexically_normal().string();
  }

  void dynamic_shared() {
    const std::string_view text = reader_.until(';');
    DIOPTER_CHECK(text.starts_with(".shared"), "PTX: '.extern ", text, "' is not known");
    const Variable found = variable(text.substr(7));
    DIOPTER_CHECK(found.bytes == 0 && found.alignment <= 16 && module_.dynamic_shared.empty(), "PTX: '", text,
                  "' is not known");
    module_.dynamic_shared = found.name;
  }

  void entry() {
    Kernel kernel;
    kernel.name = reader_.word();
    if (reader_.accept('(')) {
      for (const std::string& parameter : split(reader_.until(')'))) {
        DIOPTER_CHECK(parameter.starts_with(".param"), "PTX: '", parameter, "' is not known");
        kernel.parameters.push_back(variable(parameter.substr(6)));
      }
    }
    while (!reader_.accept('{')) {
      const std::string_view word = reader_.word(), value = reader_.line();
      if (word == ".maxntid") {
        kernel.most_threads = 1;
        for (const std::string& size : split(value)) kernel.most_threads *= static_cast<unsigned>(number(size));
      } else {
        DIOPTER_CHECK(word == ".minnctapersm", "PTX: '", word, "' of a kernel is not known");
      }
    }
    place_ = {};
    body(kernel);
    module_.kernels.push_back(std::move(kernel));
  }

  void body(Kernel& kernel) {
    for (int depth = 1; depth > 0;) {
      if (reader_.accept('{')) {
        ++depth;
      } else if (reader_.accept('}')) {
        --depth;
      } else if (reader_.accept('@')) {
        const std::string negated = reader_.accept('!') ? "!" : "";
        const std::string guard = negated + std::string(reader_.word());
        instruction(kernel, guard, reader_.word());
      } else {
        statement(kernel, reader_.word());
      }
    }
  }

  void statement(Kernel& kernel, std::string_view word) {
    if (word == ".loc") {
      location(kernel, reader_.line());
    } else if (word == ".reg") {
      registers(kernel, reader_.until(';'));
    } else if (word == ".shared") {
      kernel.shared.push_back(variable(reader_.until(';')));
    } else if (word == ".local") {
      DIOPTER_CHECK(kernel.local.empty(), "PTX: ", kernel.name, " has more than one local variable");
      kernel.local.push_back(variable(reader_.until(';')));
    } else if (word == ".pragma") {
      reader_.until(';');
    } else if (reader_.accept(':')) {
      kernel.code.push_back({place_, std::string(word), "", "", {}});
    } else {
      instruction(kernel, "", word);
    }
  }

  void instruction(Kernel& kernel, std::string guard, std::string_view opcode) {
    const std::string_view operands = reader_.until(';');
    DIOPTER_CHECK(!opcode.empty() && opcode.front() != '.', "PTX: '", opcode, " ", operands, "' is not known");
    kernel.code.push_back({place_, "", std::move(guard), std::string(opcode), split(operands)});
  }

  /// "1 54 3, function_name ..., inlined_at 2 19 3": where the code was written, or from where it was called when that
  /// is in a file of the toolkit.
  void location(Kernel& kernel, std::string_view text) {
    const std::size_t comma = text.find(','), inlined = text.find("inlined_at ");
    const std::string written(trimmed(text.substr(0, comma)));
    Reader reader(written);
    const auto file = static_cast<int>(number(reader.word())), line = static_cast<int>(number(reader.word()));
    Place place{file, line};
    if (!module_.files[file].starts_with(root_)) {
      if (inlined == text.npos) return;
      place = calls_[std::string(trimmed(text.substr(inlined + 11)))];
    }
    calls_[written] = place;
    if (place.line == 0) return;  // the compiler's own
    place_ = place;
    if (kernel.place.line == 0) kernel.place = place;
  }

  /// ".b32 %r<17>" stands for %r0 to %r16.
  void registers(Kernel& kernel, std::string_view text) {
    Reader reader(text);
    const std::string type(reader.word().substr(1));
    do {
      const std::string name(reader.word());
      if (!reader.accept('<')) {
        kernel.registers[name] = type;
        continue;
      }
      const std::size_t count = number(reader.until('>'));
      for (std::size_t i = 0; i < count; ++i) kernel.registers[name + std::to_string(i)] = type;
    } while (reader.accept(','));
  }

  /// Shared variables of the module belong to the kernels that name them.
  void add_shared(Kernel& kernel) const {
    for (const Variable& variable : shared_) {
      const auto names_it = [&](const Instruction& instruction) {
        const auto& operands = instruction.operands;
        return std::any_of(operands.begin(), operands.end(),
                           [&](const std::string& operand) { return operand.find(variable.name) != operand.npos; });
      };
      if (std::any_of(kernel.code.begin(), kernel.code.end(), names_it)) kernel.shared.push_back(variable);
    }
  }

  std::string_view root_;
  Reader reader_;
  Module module_;
  std::vector<Variable> shared_;
  Place place_;
  std::map<std::string, Place> calls_;  // by file, line and column as .loc has them
};

}  // namespace

std::size_t type_bytes(std::string_view type) {
  static const std::map<std::string_view, std::size_t> bytes = {
      {"pred", 1}, {"b8", 1},  {"u8", 1},  {"s8", 1},  {"b16", 2}, {"u16", 2}, {"s16", 2}, {"b32", 4},
      {"u32", 4},  {"s32", 4}, {"f32", 4}, {"b64", 8}, {"u64", 8}, {"s64", 8}, {"f64", 8}};
  const auto found = bytes.find(type);
  return found == bytes.end() ? 0 : found->second;
}

Module parse(std::string_view text, std::string_view root) { return Parser(text, root).module(); }

std::string_view ptx_of_object(std::string_view object) {
  constexpr std::string_view kBegin = "\n.version ";
  const std::size_t version = object.find(kBegin);
  DIOPTER_CHECK(version != object.npos, "no PTX: compile with --no-compress for a virtual architecture");
  DIOPTER_CHECK(object.find(kBegin, version + 1) == object.npos, "PTX twice: compile for one virtual architecture");
  const std::string_view text = object.substr(version);
  return text.substr(0, text.find('\0'));
}

}  // namespace diopter::ptx
