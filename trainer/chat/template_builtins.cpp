// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Functions that every template has.
#include <array>
#include <ctime>

#include "planner/spec/check.h"
#include "trainer/chat/template_arguments.h"
#include "trainer/chat/template_eval.h"

namespace argosy::jinja {

namespace {

Value range(const Arguments& arguments) {
  constexpr int64_t kMaxItems = 100000;  // as in Jinja's sandbox
  if (!arguments.named.empty() || arguments.values.empty()) {
    throw TemplateFault("takes one to three whole numbers");
  }
  const auto [first, second, third] = bind<3>(arguments, {"start", "stop", "step"});
  const int64_t start = second ? whole_or(first, 0) : 0,
                stop = whole_or(second ? second : first, 0);
  const int64_t step = whole_or(third, 1);
  if (step == 0) throw TemplateFault("the step is 0");
  std::vector<Value> items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (static_cast<int64_t>(items.size()) == kMaxItems) {
      throw TemplateFault(concat("has more than ", kMaxItems, " items"));
    }
    items.push_back({i});
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return make_sequence(std::move(items), SequenceKind::range);
}

// Entries of a dict, or pairs, and what is given by name.
std::vector<std::pair<Value, Value>> entries_of(const Arguments& arguments) {
  if (arguments.values.size() > 1) throw TemplateFault("takes at most one argument without a name");
  std::vector<std::pair<Value, Value>> entries;
  if (!arguments.values.empty()) {
    if (const auto* dict = arguments.values[0].get<DictPtr>()) {
      entries = (*dict)->entries;
    } else {
      const SequencePtr pairs = iterate(arguments.values[0]);
      for (const Value& value : pairs->items) {
        const SequencePtr pair = iterate(value);
        if (pair->items.size() != 2) throw TemplateFault("takes pairs of key and value");
        entries.emplace_back(pair->items[0], pair->items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) entries.emplace_back(make_text(name), value);
  return entries;
}

Value time_text(const Arguments& arguments, const std::optional<std::tm>& now) {
  const auto [format] = bind<1>(arguments, {"format"});
  const std::string& text = text_of(required(format, "format"));
  std::tm time{};
  if (now) {
    time = *now;
  } else {
    const std::time_t seconds = std::time(nullptr);
    localtime_r(&seconds, &time);
  }
  char buffer[1000];
  const size_t size = std::strftime(buffer, sizeof(buffer), text.c_str(), &time);
  if (size == 0 && !text.empty())
    throw TemplateFault("gives a date of more than 1000 bytes, or none");
  return make_text(std::string(buffer, size));
}

}  // namespace

Value Renderer::make_namespace(const Arguments& arguments) {
  Namespace& space = namespaces_.emplace_back();
  for (const auto& [key, value] : entries_of(arguments)) {
    space.attributes.emplace_back(text_of(key), value);
  }
  return {&space};
}

Value Renderer::call_builtin(const std::string& name, const Arguments& arguments) {
  if (name == "raise_exception") {
    const auto [message] = bind<1>(arguments, {"message"});
    throw TemplateFault(
        concat("the template refuses the conversation: ", str(required(message, "message"))));
  }
  try {
    if (name == "namespace") return make_namespace(arguments);
    if (name == "range") return range(arguments);
    if (name == "dict") return make_dict(entries_of(arguments));
    return time_text(arguments, now_);
  } catch (const TemplateFault& fault) {
    throw TemplateFault(concat("function `", name, "` ", fault.what()));
  }
}

}  // namespace argosy::jinja
