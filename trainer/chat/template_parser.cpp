// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_parser.h"

#include <algorithm>
#include <initializer_list>

#include "planner/spec/check.h"
#include "trainer/chat/template_depth.h"
#include "trainer/chat/template_expressions.h"

namespace argosy::jinja {

namespace {

using Condition = ExpressionParser::Condition;

// The text, the outputs and the tags of a template.
class Parser {
 public:
  Parser(std::string_view source, const std::string& where)
      : tokens_(tokenize(source, where), where), expressions_(tokens_, result_.names) {
    result_.where = where;
  }

  Template run() {
    result_.body = parse_block({});
    return std::move(result_);
  }

 private:
  // What is left of the tag, then all up to one of the tags `ends`, whose name is then current.
  Block parse_body(std::initializer_list<const char*> ends, int line) {
    tokens_.skip_symbol(":");
    tokens_.expect(TokenKind::tag_end);
    Block block = parse_block(ends);
    if (tokens_.is(TokenKind::end)) {
      fail_at(result_.where, line,
              concat("the block that begins here has no `{% ", *(ends.end() - 1), " %}`"));
    }
    return block;
  }

  Block parse_block(std::initializer_list<const char*> ends) {
    const NestingGuard guard(nesting_, tokens_);
    Block block;
    while (!tokens_.is(TokenKind::end)) {
      const Token token = tokens_.take();
      if (token.kind == TokenKind::text) {
        block.push_back({TextOutput{token.text}, token.line});
      } else if (token.kind == TokenKind::output_begin) {
        block.push_back({Output{expressions_.parse()}, token.line});
        tokens_.expect(TokenKind::output_end);
      } else {
        const bool ends_here = std::any_of(
            ends.begin(), ends.end(), [this](const char* end) { return tokens_.is_name(end); });
        if (ends_here) return block;
        block.push_back(parse_tag());
        tokens_.expect(TokenKind::tag_end);
      }
    }
    return block;
  }

  Statement parse_tag() {
    using Parse = Statement (Parser::*)(int);
    static constexpr std::pair<const char*, Parse> kTags[] = {
        {"if", &Parser::parse_if},       {"for", &Parser::parse_for},
        {"set", &Parser::parse_set},     {"macro", &Parser::parse_macro},
        {"with", &Parser::parse_with},   {"generation", &Parser::parse_generation},
        {"break", &Parser::parse_break}, {"continue", &Parser::parse_continue}};
    std::string known;
    for (const auto& [name, parse] : kTags) {
      const int line = tokens_.line();
      if (tokens_.skip_name(name)) return (this->*parse)(line);
      append_listed(known, name);
    }
    const std::string name = tokens_.current().text;
    if (tokens_.is(TokenKind::name) && name.compare(0, 3, "end") == 0) {
      tokens_.fail(concat("the tag `", name, "` ends nothing that is open here"));
    }
    tokens_.fail(concat("the tag `", name, "` is not known; known: ", known));
  }

  Statement parse_if(int line) {
    If branches;
    do {
      ExpressionPtr condition = expressions_.parse(Condition::not_allowed);
      branches.branches.emplace_back(std::move(condition),
                                     parse_body({"elif", "else", "endif"}, line));
    } while (tokens_.skip_name("elif"));
    if (tokens_.skip_name("else")) branches.otherwise = parse_body({"endif"}, line);
    tokens_.expect_name("endif");
    return {std::move(branches), line};
  }

  Statement parse_for(int line) {
    For loop;
    loop.target = parse_target(false);
    tokens_.expect_name("in");
    loop.items = expressions_.parse(Condition::not_allowed);
    if (tokens_.skip_name("if")) loop.condition = expressions_.parse_one();
    if (tokens_.is_name("recursive")) tokens_.fail("recursive loops are not supported yet");
    ++num_open_loops_;
    loop.body = parse_body({"else", "endfor"}, line);
    --num_open_loops_;
    if (tokens_.skip_name("else")) loop.otherwise = parse_body({"endfor"}, line);
    tokens_.expect_name("endfor");
    return {std::move(loop), line};
  }

  Target parse_target(bool allows_namespace) {
    Target target;
    const bool has_bracket = tokens_.skip_symbol("(");
    do {
      if (!target.parts.empty() && !tokens_.is(TokenKind::name) && !tokens_.is_symbol("(")) break;
      target.parts.push_back(parse_target_part(allows_namespace));
      target.unpacks = target.unpacks || tokens_.is_symbol(",");
    } while (tokens_.skip_symbol(","));
    if (has_bracket) tokens_.expect_symbol(")");
    return target;
  }

  Target::Part parse_target_part(bool allows_namespace) {
    if (tokens_.is_symbol("(")) tokens_.fail("targets in each other are not supported yet");
    const std::string name = tokens_.current().text;
    for (const char* constant : {"true", "True", "false", "False", "none", "None"}) {
      if (name == constant) tokens_.fail(concat("nothing can be assigned to `", name, "`"));
    }
    Target::Part part{expressions_.number_of(tokens_.expect_any_name()), ""};
    if (allows_namespace && tokens_.skip_symbol(".")) part.attribute = tokens_.expect_any_name();
    return part;
  }

  Statement parse_set(int line) {
    Target target = parse_target(true);
    if (tokens_.skip_symbol("=")) return {Set{std::move(target), expressions_.parse()}, line};
    if (target.unpacks) tokens_.fail_expecting("`=`");
    SetBlock block{std::move(target), expressions_.parse_filters_of_block(), {}};
    block.body = parse_body({"endset"}, line);
    tokens_.expect_name("endset");
    return {std::move(block), line};
  }

  Statement parse_with(int line) {
    With with;
    while (!tokens_.is(TokenKind::tag_end)) {
      if (!with.variables.empty()) tokens_.expect_symbol(",");
      Target target{{parse_target_part(false)}, false};
      tokens_.expect_symbol("=");
      with.variables.emplace_back(std::move(target), expressions_.parse_one());
    }
    with.body = parse_body({"endwith"}, line);
    tokens_.expect_name("endwith");
    return {std::move(with), line};
  }

  Statement parse_macro(int line) {
    Macro macro;
    macro.name = tokens_.expect_any_name();
    macro.variable = expressions_.number_of(macro.name);
    tokens_.expect_symbol("(");
    while (!tokens_.is_symbol(")")) {
      if (!macro.parameters.empty()) tokens_.expect_symbol(",");
      const std::string name = tokens_.expect_any_name();
      macro.parameters.emplace_back(expressions_.number_of(name), name);
      if (tokens_.skip_symbol("=")) {
        macro.defaults.push_back(expressions_.parse_one());
      } else if (!macro.defaults.empty()) {
        tokens_.fail_expecting("a parameter with a default, as the one before it");
      }
    }
    tokens_.expect_symbol(")");
    const int open_loops = std::exchange(num_open_loops_, 0);
    const bool was_in_macro = std::exchange(expressions_.is_in_macro, true);
    macro.body = parse_body({"endmacro"}, line);
    num_open_loops_ = open_loops;
    expressions_.is_in_macro = was_in_macro;
    tokens_.expect_name("endmacro");
    return {std::move(macro), line};
  }

  Statement parse_generation(int line) {
    result_.marks_generation = true;
    const int open_loops = std::exchange(num_open_loops_, 0);
    Generation generation{parse_body({"endgeneration"}, line)};
    num_open_loops_ = open_loops;
    tokens_.expect_name("endgeneration");
    return {std::move(generation), line};
  }

  Statement parse_break(int line) { return in_loop({Break{}, line}, "break"); }
  Statement parse_continue(int line) { return in_loop({Continue{}, line}, "continue"); }
  Statement in_loop(Statement statement, const char* name) {
    if (num_open_loops_ == 0) tokens_.fail(concat("`", name, "` stands outside of a loop"));
    return statement;
  }

  Template result_;
  TokenStream tokens_;
  ExpressionParser expressions_;
  int nesting_ = 0, num_open_loops_ = 0;
};

}  // namespace

Template parse_template(std::string_view source, const std::string& where) {
  return Parser(source, where).run();
}

}  // namespace argosy::jinja
