// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/data/rows.h"

#include <array>
#include <limits>
#include <optional>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "trainer/chat/training_segments.h"
#include "trainer/data/conversations.h"

namespace argosy {

struct ChatReading {  // NOLINT(bugprone-exception-escape): the JSON library's destructor allocates
  ChatTemplate chat_template;
  Json variables;                          // of all conversations
  std::vector<std::string> special_texts;  // of the tokenizer
};

namespace {

const std::string& text_of(const Json& object, const char* key, const std::string& where) {
  const Json& value = object.at(key);
  if (!value.is_string()) {
    throw ConfigError(concat(where, ": `", key, "` is ", value.type_name(), ", must be a string"));
  }
  return value.get_ref<const std::string&>();
}

// Whole numbers from `least` on, as many as `count` where that is said.
std::vector<int32_t> numbers_of(const Json& object, const char* key, int32_t least,
                                std::optional<size_t> count, const std::string& where) {
  const Json& value = object.at(key);
  if (!value.is_array() || (count && value.size() != *count)) {
    throw ConfigError(concat(
        where, ": `", key, "` must be a list of ",
        count ? concat(*count, " numbers, as many as `input_ids`") : std::string("numbers")));
  }
  std::vector<int32_t> numbers;
  numbers.reserve(value.size());
  for (const Json& number : value) {
    const bool is_whole = number.is_number_integer();
    const int64_t n = is_whole ? number.get<int64_t>() : 0;
    if (!is_whole || n < least || n > std::numeric_limits<int32_t>::max()) {
      throw ConfigError(concat(where, ": `", key, "`[", numbers.size(), "] is ", number.dump(),
                               ", must be a whole number of at least ", least));
    }
    numbers.push_back(static_cast<int32_t>(n));
  }
  return numbers;
}

// Tokens of another tokenizer, as Hugging Face's datasets hold them: what `labels` has as -100 is
// not predicted (the trainer shifts, so that a label is the token of its own place), what
// `attention_mask` has as 0 is padding. The first token of a row follows from nothing.
void append_ids(const Json& object, const std::string& where, MarkedTokens& row) {
  constexpr int32_t kIgnored = -100;
  const std::vector<int32_t> ids = numbers_of(object, "input_ids", 0, std::nullopt, where);
  const auto beside = [&](const char* key, int32_t least) {
    return object.contains(key) ? numbers_of(object, key, least, ids.size(), where)
                                : std::vector<int32_t>();
  };
  const std::vector<int32_t> labels = beside("labels", kIgnored);
  const std::vector<int32_t> mask = beside("attention_mask", 0);
  bool is_first = true;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!mask.empty() && mask[i] == 0) continue;
    const bool is_ignored = !labels.empty() && labels[i] == kIgnored;
    if (!labels.empty() && !is_ignored && labels[i] != ids[i]) {
      throw ConfigError(concat(where, ": `labels`[", i, "] is ", labels[i], ", but `input_ids`[", i,
                               "] is ", ids[i],
                               "; valid: the same, or -100 where nothing is "
                               "predicted"));
    }
    row.tokens.push_back(ids[i]);
    row.mark(!is_first && !is_ignored);
    is_first = false;
  }
}

// Whatever `action` finds wrong says in which row.
template <typename Action>
auto naming_row(const std::string& where, const Action& action) {
  try {
    return action();
  } catch (const ConfigError& error) {
    throw ConfigError(concat(where, ": ", error.what()));
  }
}

// Writes the parts of one text one after the other.
class TextRow {
 public:
  TextRow(RowReader& reader, const std::string& where, MarkedTokens& row)
      : reader_(reader), where_(where), row_(row) {}

  void begin(bool is_target) { append(rules().prefix, is_target); }
  // What comes behind the first part goes on from it.
  void append(std::string_view text, bool is_target) {
    naming_row(where_, [&] { reader_.encoder.append(text, row_.tokens, start_); });
    row_.mark(is_target);
    start_ = TextStart::inside_text;
  }
  // What ends every text is learned.
  void end() {
    const int32_t end_of_text = reader_.tokenizer->end_of_text;
    if (end_of_text < 0) {
      throw ConfigError(concat(
          where_, ": which token ends a text is not known: ", reader_.tokenizer->folder.string(),
          " names no eos_token; valid: --end-of-text ID"));
    }
    append(rules().suffix, true);
    if (rules().suffix.empty() || rules().suffix.back() != end_of_text) {
      append(std::vector<int32_t>{end_of_text}, true);
    }
  }

 private:
  const TokenizerRules& rules() const { return reader_.tokenizer->tokenizer.rules(); }
  void append(const std::vector<int32_t>& tokens, bool is_target) {
    row_.tokens.insert(row_.tokens.end(), tokens.begin(), tokens.end());
    row_.mark(is_target);
  }

  RowReader& reader_;
  const std::string& where_;
  MarkedTokens& row_;
  TextStart start_ = TextStart::of_text;
};

void append_text(std::string_view text, const std::string& where, RowReader& reader,
                 MarkedTokens& row) {
  TextRow out(reader, where, row);
  out.begin(true);
  out.append(text, true);
  out.end();
}

void append_pair(std::string_view prompt, std::string_view completion, const std::string& where,
                 RowReader& reader, MarkedTokens& row) {
  TextRow out(reader, where, row);
  out.begin(false);
  out.append(prompt, false);
  out.append(completion, true);
  out.end();
}

// The tokenizer's template, read when the first conversation is met.
const ChatReading& chat_of(RowReader& reader, const std::string& where) {
  if (reader.chat != nullptr) return *reader.chat;
  const TokenizerFolder& tokenizer = *reader.tokenizer;
  naming_row(where, [&] {
    reader.chat = std::make_shared<ChatReading>(ChatReading{
        chat_template_of(tokenizer), variables_of(tokenizer), tokenizer.tokenizer.special_texts()});
  });
  return *reader.chat;
}

// The template writes what begins and ends a text too.
void append_conversation(const Conversation& conversation, const ChatReading& chat,
                         const std::string& where, RowReader& reader, MarkedTokens& row) {
  ChatInputs inputs;
  inputs.messages = conversation.messages;
  inputs.tools = conversation.tools;
  inputs.variables = chat.variables;
  if (!conversation.variables.is_null()) inputs.variables.update(conversation.variables);
  inputs.tokens = reader.tokenizer->specials;
  TextRow out(reader, where, row);
  const auto segments = naming_row(where, [&] {
    return training_segments(chat.chat_template, inputs, chat.special_texts,
                             conversation.only_last_turn);
  });
  for (const ChatSegment& segment : segments) out.append(segment.text, segment.is_target);
}

// As Stanford Alpaca asks (github.com/tatsu-lab/stanford_alpaca, train.py, PROMPT_DICT).
std::string alpaca_prompt(const std::string& instruction, const std::string& input) {
  const std::string request = "appropriately completes the request.\n\n### Instruction:\n";
  if (input.empty()) {
    return concat("Below is an instruction that describes a task. Write a response that ", request,
                  instruction, "\n\n### Response:\n");
  }
  return concat(
      "Below is an instruction that describes a task, paired with an input that provides "
      "further context. Write a response that ",
      request, instruction, "\n\n### Input:\n", input, "\n\n### Response:\n");
}

// The keys that say what a row is; the first that it has.
constexpr std::array<const char*, 6> kKinds = {"text",     "prompt",        "input_ids",
                                               "messages", "conversations", "instruction"};

std::string kind_of(const Json& object, const std::string& where) {
  std::string kind;
  for (const char* key : kKinds) {
    if (!object.contains(key)) continue;
    if (!kind.empty()) {
      throw ConfigError(concat(where, ": has `", kind, "` and `", key, "`; valid: one of them"));
    }
    kind = key;
  }
  const char* answer = kind == "prompt" ? "completion" : kind == "instruction" ? "output" : "";
  if (kind.empty() || (*answer != '\0' && !object.contains(answer))) {
    throw ConfigError(
        concat(where, ": has ", kind.empty() ? "no key that is known" : "`" + kind + "`",
               kind.empty() ? "" : concat(", but no `", answer, "`"), "; valid: ", row_keys()));
  }
  return kind;
}

}  // namespace

std::string row_keys() {
  return "`text`, or `prompt` and `completion`, or `messages`, or `conversations`, or "
         "`instruction` and `output`, or `input_ids`";
}

RowKind append_row(std::string_view text, const std::string& where, RowReader& reader,
                   MarkedTokens& row) {
  Json object;
  try {
    object = Json::parse(text);
  } catch (const Json::exception& error) {
    throw ConfigError(concat(where, ": not valid JSON: ", error.what()));
  }
  if (!object.is_object()) {
    throw ConfigError(concat(where, ": is ", object.type_name(), ", must be a JSON object"));
  }
  const std::string kind = kind_of(object, where);
  if (kind == "input_ids") {
    append_ids(object, where, row);
    return RowKind::tokens;
  }
  const bool has_template = !reader.tokenizer->chat_template.empty();
  const bool is_conversation = kind == "messages" || kind == "conversations" ||
                               (kind == "instruction" && has_template) ||
                               (kind == "prompt" && object.at("prompt").is_array());
  if (is_conversation) {
    const ChatReading& chat = chat_of(reader, where);
    append_conversation(conversation_of(object, kind, where), chat, where, reader, row);
  } else if (kind == "text") {
    append_text(text_of(object, "text", where), where, reader, row);
  } else if (kind == "prompt") {
    append_pair(text_of(object, "prompt", where), text_of(object, "completion", where), where,
                reader, row);
  } else {
    const std::string input = optional_text(object, "input", where);
    append_pair(alpaca_prompt(text_of(object, "instruction", where), input),
                text_of(object, "output", where), where, reader, row);
  }
  return RowKind::text;
}

}  // namespace argosy
