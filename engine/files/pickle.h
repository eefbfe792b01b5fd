// Reader of Python's pickle format, protocols 2 to 5 (Lib/pickletools.py describes the opcodes).
//
// A pickle is a program for a stack machine that may call any Python function. Nothing is called here: the machine only
// builds inert values, and a global (a class or function) that is not on the reader's list is refused by its name.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace diopter {

/// A value of a pickle. Others are referred to, so that a value may occur in several places, or in itself.
struct PickleValue {
  enum class Kind {
    none,
    boolean,
    integer,
    real,
    text,  // strings and bytes
    tuple,
    list,
    dictionary,
    global,      // text: "module.name"
    call,        // items: the global, the tuple of arguments and, when given, the state for __setstate__
    persistent,  // items: the id; storages of torch are such values
  };

  Kind kind = Kind::none;
  std::size_t offset = 0;    // of the opcode that made it
  std::int64_t integer = 0;  // of boolean, too
  double real = 0;
  std::string_view text;
  std::vector<const PickleValue*> items;  // of a dictionary: key, value, key, value, ...

  bool is(Kind wanted) const { return kind == wanted; }
  /// Whether it is a call of this global.
  bool calls(std::string_view global) const { return is(Kind::call) && items[0]->text == global; }
  /// Value of a dictionary under a text key; nullptr when there is none. The last one counts.
  const PickleValue* find(std::string_view key) const;
};

/// One pickle; owns its values.
class Pickle {
 public:
  /// Reads the pickle that starts at bytes[begin]; `bytes` must outlive it. `allowed`: the globals ("module.name") that
  /// it may ask for; collections.OrderedDict, collections.Counter and Lightning's AttributeDict become dictionaries,
  /// _codecs.encode and __builtin__.bytes texts. Throws Error "WHERE: offset N: reason" for anything else, also for
  /// opcodes that files of tensors do not need, and for more values than limits::kPickleValues.
  Pickle(std::string_view bytes, std::size_t begin, const std::string& where, const std::set<std::string>& allowed);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& value() const { return *value_; }
  /// Every value that was made, in that order.
  const std::deque<PickleValue>& values() const { return values_; }
  /// Offset of the first byte after it.
  std::size_t end() const { return end_; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;
  std::deque<std::string> texts_;  // those that do not stand in the bytes as they are
  const PickleValue* value_ = nullptr;
  std::size_t end_ = 0;
};

}  // namespace diopter
