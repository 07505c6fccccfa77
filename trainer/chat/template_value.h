// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a template computes with: Python's values, as far as chat templates have them. Copies share
// what they hold. Lists and dicts never change once made: the sandbox of the original forbids it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace argosy::jinja {

// What went wrong, without its place: whoever knows file and line makes a ConfigError of it.
class TemplateFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Value;
struct Sequence;
struct Dict;
struct Namespace;
struct LoopState;
struct Callable;

struct TextData {
  std::string text;        // UTF-8
  bool is_markup = false;  // made by `safe` or `escape`: `+` escapes what is added to it
};
using TextPtr = std::shared_ptr<const TextData>;
using SequencePtr = std::shared_ptr<Sequence>;
using DictPtr = std::shared_ptr<const Dict>;

// Jinja's Undefined: false, prints nothing, iterates over nothing; anything else is an error.
struct Undefined {
  TextPtr why;  // "'name' is undefined"
};
struct None {};

struct Value {
  std::variant<Undefined, None, bool, int64_t, double, TextPtr, SequencePtr, DictPtr,
               Namespace*,  // of the rendering, which keeps it
               std::shared_ptr<LoopState>, std::shared_ptr<const Callable>>
      data;

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data);
  }
  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(data);
  }
};

// What Python tells apart: a generator is true and has no length, and gives its items once.
enum class SequenceKind { list, tuple, range, generator, dict_keys, dict_values, dict_items };

struct Sequence {
  SequenceKind kind = SequenceKind::list;
  std::vector<Value> items;
  int depth = 1;  // of lists and dicts within each other
  // Of a generator: how many items it has given (all that ever changes), and what goes wrong behind
  // the last one. Python notices that when somebody goes through it, and nobody may.
  size_t taken = 0;
  std::string fault;
};

struct Dict {
  std::vector<std::pair<Value, Value>> entries;  // in the order of their making
  int depth = 1;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
};

// What `loop` is, in one turn of a for.
struct LoopState {
  SequencePtr items;
  size_t index0 = 0;
};

struct Macro;  // template_ast.h
struct Scope;  // template_eval.h

// What can be called and is not called at once.
struct Callable {
  enum class Kind { builtin, macro, method };
  Kind kind = Kind::builtin;
  std::string name;
  Value self;                    // of a method
  const Macro* macro = nullptr;  // of the template, which outlives the rendering
  Scope* scope = nullptr;        // where the macro stands; the rendering keeps it
};

// Lists and dicts within each other, deeper than any conversation's.
inline constexpr int kMaxValueDepth = 300;

Value make_text(std::string text);
Value make_markup(std::string text);
// Throw TemplateFault beyond kMaxValueDepth.
Value make_sequence(std::vector<Value> items, SequenceKind kind = SequenceKind::list);
// What `append_items` appends, as a generator: its TemplateFault is kept until somebody iterates.
template <typename AppendItems>
Value make_generator(const AppendItems& append_items) {
  std::vector<Value> items;
  std::string fault;
  try {
    append_items(items);
  } catch (const TemplateFault& problem) {
    fault = problem.what();
  }
  Value generator = make_sequence(std::move(items), SequenceKind::generator);
  (*std::get_if<SequencePtr>(&generator.data))->fault = std::move(fault);
  return generator;
}
Value make_dict(std::vector<std::pair<Value, Value>> entries);  // of equal keys the last counts
Value undefined(std::string why);

const std::string* text_in(const Value& value);  // null: it is no text
// Of a whole number or a bool, which is one in Python; of these and a float.
std::optional<int64_t> whole_number(const Value& value);
std::optional<double> real_number(const Value& value);
// The value of a key; null: there is none. A key that cannot be one is a TemplateFault.
const Value* find(const Dict& dict, std::string_view key);
const Value* find(const Dict& dict, const Value& key);

bool truth(const Value& value);
bool equal(const Value& a, const Value& b);
// Whether a < b; TemplateFault for kinds that Python does not order.
bool less(const Value& a, const Value& b);
// Python's name of the type ("str", "NoneType").
const char* type_name(const Value& value);

// What a for goes through; takes what is left of a generator. TemplateFault: it cannot be iterated.
SequencePtr iterate(const Value& value);
// len(); TemplateFault where Python has none.
int64_t length(const Value& value);

}  // namespace argosy::jinja
