#include "engine/files/pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

#include "kernels/base/check.h"
#include "kernels/base/limits.h"
#include "kernels/base/text.h"

namespace diopter {

using Kind = PickleValue::Kind;

namespace {

/// Text of a file for a message: one line, not too long.
std::string excerpt(std::string_view text) {
  constexpr std::size_t kMost = 80;
  return printable(shortened(text, kMost)) + (text.size() > kMost ? "..." : "");
}

}  // namespace

const PickleValue* PickleValue::find(std::string_view key) const {
  const PickleValue* found = nullptr;
  for (std::size_t i = 0; is(Kind::dictionary) && i + 1 < items.size(); i += 2) {
    if (items[i]->is(Kind::text) && items[i]->text == key) found = items[i + 1];
  }
  return found;
}

/// The stack machine that reads one pickle.
class PickleMachine {
 public:
  PickleMachine(Pickle& pickle, std::string_view bytes, std::size_t begin, const std::string& where,
                const std::set<std::string>& allowed)
      : pickle_(pickle), bytes_(bytes), position_(begin), where_(where), allowed_(allowed) {}

  void run() {
    while (!step()) {
    }
    require(stack_.size() == 1 && marks_.empty(), "the pickle ends with values left on its stack");
    pickle_.value_ = stack_.front();
    pickle_.end_ = position_;
  }

 private:
  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    DIOPTER_CHECK(condition, where_, ": offset ", offset_, ": ", parts...);
  }

  std::string_view take(std::uint64_t n) {
    DIOPTER_CHECK(n <= bytes_.size() - position_, where_, ": truncated at offset ", bytes_.size(), ", within ", n,
                  " bytes from offset ", position_);
    const std::string_view taken = bytes_.substr(position_, static_cast<std::size_t>(n));
    position_ += static_cast<std::size_t>(n);
    return taken;
  }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view line() {
    const std::size_t end = bytes_.find('\n', position_);
    DIOPTER_CHECK(end != std::string_view::npos, where_, ": truncated at offset ", bytes_.size(),
                  ", within a name from offset ", position_);
    const std::string_view text = take(end - position_);
    ++position_;
    return text;
  }

  void keep(std::size_t count = 1) {
    kept_ += count;
    constexpr auto kMost = static_cast<std::size_t>(limits::kPickleValues.value);
    require(kept_ <= kMost, "more than ", kMost, " values: this is no file of weights");
  }

  void push(PickleValue* value) {
    keep();
    stack_.push_back(value);
  }
  void push_mark() {
    keep();
    marks_.push_back(stack_.size());
  }

  PickleValue& make(Kind kind) {
    PickleValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    value.offset = offset_;
    push(&value);
    return value;
  }
  void make_integer(std::int64_t integer, Kind kind = Kind::integer) { make(kind).integer = integer; }
  void make_text(std::string_view text) { make(Kind::text).text = text; }

  std::size_t bottom() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleValue& top() const {
    require(stack_.size() > bottom(), "an opcode finds nothing on the stack");
    return *stack_.back();
  }
  PickleValue& pop() {
    PickleValue& value = top();
    stack_.pop_back();
    return value;
  }

  /// The values above the last mark, which goes, too.
  std::vector<const PickleValue*> pop_to_mark() {
    require(!marks_.empty(), "an opcode finds no mark on the stack");
    std::vector<const PickleValue*> values(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return values;
  }

  void make_tuple(std::size_t count) {
    std::vector<const PickleValue*> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = &pop();
    make(Kind::tuple).items = std::move(items);
  }

  void append(const std::vector<const PickleValue*>& values, Kind kind) {
    PickleValue& target = top();
    require(target.is(kind), "values are added to something that cannot take them");
    require(kind == Kind::list || values.size() % 2 == 0, "a key without a value");
    target.items.insert(target.items.end(), values.begin(), values.end());
  }

  void make_global(std::string_view module, std::string_view name) {
    std::string& full = pickle_.texts_.emplace_back(std::string(module) + "." + std::string(name));
    require(allowed_.count(full) > 0, "asks for ", excerpt(full),
            "; only tensors, numbers, texts, lists, tuples and dictionaries are read, no code is run");
    make(Kind::global).text = full;
  }

  void call() {
    const PickleValue &arguments = pop(), &callable = pop();
    require(callable.is(Kind::global) && arguments.is(Kind::tuple), "a call of something that is no function");
    if (is_dictionary(callable.text)) {
      make_dictionary(callable.text, arguments);
    } else if (callable.text == "_codecs.encode") {
      make_encoded(arguments);
    } else if (callable.text == "__builtin__.bytes") {  // how it writes no bytes at all
      require(arguments.items.empty(), "__builtin__.bytes of something");
      make_text("");
    } else {
      make(Kind::call).items = {&callable, &arguments};
    }
  }

  /// Python's and Lightning's kinds of dictionaries.
  static bool is_dictionary(std::string_view global) {
    return global == "collections.OrderedDict" || global == "collections.Counter" || global.ends_with(".AttributeDict");
  }

  /// Whether a kind of dictionary and its arguments are on the stack.
  bool makes_dictionary() const {
    return stack_.size() >= bottom() + 2 && stack_[stack_.size() - 2]->is(Kind::global) &&
           is_dictionary(stack_[stack_.size() - 2]->text);
  }

  /// OrderedDict(), OrderedDict([(key, value), ...]) or Counter({key: value, ...}).
  void make_dictionary(std::string_view global, const PickleValue& arguments) {
    std::vector<const PickleValue*> items;
    if (!arguments.items.empty() && arguments.items[0]->is(Kind::dictionary)) {
      items = arguments.items[0]->items;
      keep(items.size());
    } else if (!arguments.items.empty()) {
      for (const PickleValue* pair : arguments.items[0]->items) {
        const bool fits = (pair->is(Kind::tuple) || pair->is(Kind::list)) && pair->items.size() == 2;
        require(fits, global, " of something that is no list of pairs");
        keep(2);
        items.insert(items.end(), pair->items.begin(), pair->items.end());
      }
    }
    make(Kind::dictionary).items = std::move(items);
  }

  /// encode(text, "latin1"): how Python 3 writes bytes in protocol 2. Each character of the UTF-8 text is one byte.
  void make_encoded(const PickleValue& arguments) {
    const auto& items = arguments.items;
    const bool fits = items.size() == 2 && items[0]->is(Kind::text) && items[1]->is(Kind::text) &&
                      (items[1]->text == "latin1" || items[1]->text == "latin-1");
    require(fits, "_codecs.encode of something that is no text in latin1");
    std::string& bytes = pickle_.texts_.emplace_back();
    const std::string_view text = items[0]->text;
    encoded_ += text.size();
    require(encoded_ <= bytes_.size(), "the same text is encoded again and again");
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto lead = static_cast<unsigned char>(text[i]);
      if (lead < 0x80) {
        bytes += text[i];
        continue;
      }
      require((lead == 0xc2 || lead == 0xc3) && i + 1 < text.size(), "a text that is not in latin1");
      bytes += static_cast<char>((lead & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f));
    }
    make_text(bytes);
  }

  /// The state for __setstate__. That of a dictionary (torch keeps versions of modules there) is not needed.
  void build() {
    const PickleValue& state = pop();
    PickleValue& target = top();
    require(target.is(Kind::call) || target.is(Kind::dictionary), "a state for something that has none");
    if (target.is(Kind::call) && target.items.size() == 2) target.items.push_back(&state);
  }

  void make_long(std::string_view bytes) {
    require(bytes.size() <= 8, "an integer of ", bytes.size(), " bytes");
    const bool negative = !bytes.empty() && (bytes.back() & 0x80);
    std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    make_integer(static_cast<std::int64_t>(value));
  }

  void put(std::uint64_t key) {
    keep();
    memo_[key] = &top();
  }
  void get(std::uint64_t key) {
    const auto found = memo_.find(key);
    require(found != memo_.end(), "value ", key, " is used before it was stored");
    push(found->second);
  }

  /// One opcode; true after the last one.
  bool step() {
    offset_ = position_;
    const auto opcode = number<std::uint8_t>();
    switch (opcode) {
      case 0x80:  // PROTO
        return protocol();
      case 0x95:  // FRAME
        number<std::uint64_t>();
        return false;
      case '.': return true;
      case '(': push_mark(); return false;
      case '0': pop(); return false;
      case '1': pop_to_mark(); return false;
      case '2': push(&top()); return false;

      case 'N': make(Kind::none); return false;
      case 0x88: make_integer(1, Kind::boolean); return false;
      case 0x89: make_integer(0, Kind::boolean); return false;
      case 'J': make_integer(number<std::int32_t>()); return false;
      case 'K': make_integer(number<std::uint8_t>()); return false;
      case 'M': make_integer(number<std::uint16_t>()); return false;
      case 0x8a: make_long(take(number<std::uint8_t>())); return false;
      case 'G': make(Kind::real).real = std::bit_cast<double>(__builtin_bswap64(number<std::uint64_t>())); return false;

      case 'U':   // SHORT_BINSTRING
      case 'C':   // SHORT_BINBYTES
      case 0x8c:  // SHORT_BINUNICODE
        make_text(take(number<std::uint8_t>()));
        return false;
      case 'T':  // BINSTRING
      case 'B':  // BINBYTES
      case 'X':  // BINUNICODE
        make_text(take(number<std::uint32_t>()));
        return false;
      case 0x8d:  // BINUNICODE8
      case 0x8e:  // BINBYTES8
      case 0x96:  // BYTEARRAY8
        make_text(take(number<std::uint64_t>()));
        return false;

      case ')': make(Kind::tuple); return false;
      case 't': {
        std::vector<const PickleValue*> items = pop_to_mark();
        make(Kind::tuple).items = std::move(items);
        return false;
      }
      case 0x85: make_tuple(1); return false;
      case 0x86: make_tuple(2); return false;
      case 0x87: make_tuple(3); return false;
      case ']': make(Kind::list); return false;
      case 'a': append({&pop()}, Kind::list); return false;
      case 'e': append(pop_to_mark(), Kind::list); return false;
      case '}': make(Kind::dictionary); return false;
      case 's': {
        const PickleValue &value = pop(), &key = pop();
        append({&key, &value}, Kind::dictionary);
        return false;
      }
      case 'u': append(pop_to_mark(), Kind::dictionary); return false;

      case 'q': put(number<std::uint8_t>()); return false;
      case 'r': put(number<std::uint32_t>()); return false;
      case 0x94: put(memo_.size()); return false;  // MEMOIZE
      case 'h': get(number<std::uint8_t>()); return false;
      case 'j': get(number<std::uint32_t>()); return false;

      case 'c': {
        const std::string_view module = line(), name = line();
        make_global(module, name);
        return false;
      }
      case 0x93: {  // STACK_GLOBAL
        const PickleValue &name = pop(), &module = pop();
        require(name.is(Kind::text) && module.is(Kind::text), "a global without a name");
        make_global(module.text, name.text);
        return false;
      }
      case 'R': call(); return false;
      case 0x81:  // NEWOBJ: of dictionaries only
        require(makes_dictionary(), "opcode 129, which files of tensors do not need");
        call();
        return false;
      case 'b': build(); return false;
      case 'Q': {
        const PickleValue& id = pop();
        make(Kind::persistent).items = {&id};
        return false;
      }
      default: require(false, "opcode ", int{opcode}, ", which files of tensors do not need"); return true;
    }
  }

  bool protocol() {
    const int version = number<std::uint8_t>();
    require(version >= 2 && version <= 5, "pickle protocol ", version, "; 2 to 5 can be read");
    return false;
  }

  Pickle& pickle_;
  std::string_view bytes_;
  std::size_t position_, offset_ = 0;
  const std::string& where_;
  const std::set<std::string>& allowed_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, PickleValue*> memo_;
  std::size_t kept_ = 0, encoded_ = 0;
};

Pickle::Pickle(std::string_view bytes, std::size_t begin, const std::string& where,
               const std::set<std::string>& allowed) {
  PickleMachine(*this, bytes, begin, where, allowed).run();
}

}  // namespace diopter
