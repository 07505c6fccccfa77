// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/json.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "planner/spec/check.h"
#include "planner/spec/files.h"

namespace argosy {
namespace {

template <typename Function>
std::string error_of(Function function) {
  try {
    function();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(Json, CommentsAreAllowed) {
  const Json json = parse_json("// why\n{\"a\": 1 /* unit */}", "f");
  EXPECT_EQ(JsonObject(json, "f").integer("a"), 1);
}

TEST(Json, CorruptTextNamesFileLineAndColumn) {
  const std::string cut = error_of([] { parse_json("{\n  \"a\": 1,\n", "f.json"); });
  EXPECT_TRUE(cut.starts_with("f.json: not valid JSON at line 3, column ")) << cut;
  const std::string comma = error_of([] { parse_json("{\"a\": 1,}", "f.json"); });
  EXPECT_TRUE(comma.starts_with("f.json: not valid JSON at line 1, column 9")) << comma;
  EXPECT_TRUE(comma.ends_with("valid: without the comma before the closing bracket")) << comma;
  const std::string list = error_of([] { parse_json("[1,\n ]", "f.json"); });
  EXPECT_NE(list.find("without the comma"), std::string::npos) << list;
  const std::string other = error_of([] { parse_json("{\"a\": }", "f.json"); });
  EXPECT_EQ(other.find("without the comma"), std::string::npos) << other;
  EXPECT_NE(error_of([] { parse_json("", "f.json"); }).find("line 1"), std::string::npos);
  EXPECT_NE(error_of([] { parse_json("{\"a\": 1e999}", "f.json"); }).find("f.json"),
            std::string::npos);
  EXPECT_NE(error_of([] { parse_json("{\"a\": \"\xff\"}", "f.json"); }).find("line 1"),
            std::string::npos);
}

TEST(Json, DuplicateKeysAreAMistakeInEachObject) {
  EXPECT_EQ(error_of([] { parse_json(R"({"a": 1, "a": 2})", "f"); }), "f: key 'a' appears twice");
  EXPECT_NE(error_of([] { parse_json(R"({"b": {"a": 1, "a": 2}})", "f"); }), "");
  EXPECT_EQ(error_of([] { parse_json(R"({"a": {"a": 1}, "b": {"a": 1}})", "f"); }), "");
}

TEST(Json, IntegersMayBeWrittenWithAnExponent) {
  const Json json =
      parse_json(R"({"a": 80e9, "b": 1.5, "c": 1e300, "d": 18446744073709551615})", "f");
  JsonObject object(json, "f");
  EXPECT_EQ(object.integer("a"), 80000000000);
  EXPECT_EQ(error_of([&] { object.integer("b"); }), "f: b: expected an integer, found 1.5");
  EXPECT_NE(error_of([&] { object.integer("c"); }), "");
  EXPECT_NE(error_of([&] { object.integer("d"); }), "");
  EXPECT_EQ(object.unsigned_integer("d"), 18446744073709551615u);
}

TEST(Json, NestedKeysAreNamedWithTheirPath) {
  const Json json = parse_json(R"({"a": {"b": [{"c": "x"}]}})", "f");
  JsonObject root(json, "f");
  JsonObject inner = root.object("a").objects("b").at(0);
  EXPECT_EQ(error_of([&] { inner.number("c"); }), "f: a.b[0].c: expected a number, found \"x\"");
  EXPECT_EQ(error_of([&] { inner.number("d"); }),
            "f: a.b[0].d: expected a number, but the key is missing");
}

TEST(Json, UnknownKeysAreListedAndRejected) {
  const Json json = parse_json(R"({"z": 1, "a": 2, "b": null})", "f");
  JsonObject object(json, "f");
  EXPECT_EQ(object.integer("a"), 2);
  EXPECT_EQ(object.integer("b", 7), 7);
  EXPECT_EQ(object.unknown_keys(), std::vector<std::string>{"z"});
  EXPECT_EQ(error_of([&] { object.reject_unknown_keys(); }), "f: z: unknown key; valid: a, b");
}

// A folder that goes with it.
struct ScratchFolder {
  std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / concat("argosy_files.", ::getpid());
  ScratchFolder() { std::filesystem::create_directories(path); }
  ~ScratchFolder() { std::filesystem::remove_all(path); }
  int64_t num_files() const {
    int64_t n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path)) ++n;
    return n;
  }
};

TEST(Files, AreReplacedWholeAndErrorsNameThePath) {
  const ScratchFolder scratch;
  const std::filesystem::path& folder = scratch.path;
  const std::filesystem::path path = folder / "a.txt";
  write_text_file(path, "old");
  write_text_file(path, std::string("n\0w", 3));
  EXPECT_EQ(read_text_file(path), std::string("n\0w", 3));
  EXPECT_EQ(scratch.num_files(), 1);  // no temporary file is left
  EXPECT_NE(error_of([&] { read_text_file(folder); }).find("is a folder"), std::string::npos);
  EXPECT_THROW(write_text_file(folder / "none" / "a.txt", "x"), Error);
  EXPECT_THROW(write_text_file(folder, "x"), Error);
  EXPECT_FALSE(std::filesystem::exists(concat(folder.string(), ".tmp.", ::getpid())));
  write_text_file(folder / "empty", "");
  EXPECT_EQ(read_text_file(folder / "empty"), "");
}

// Renamed over, /dev/null would be an ordinary file from then on.
TEST(Files, LinksAndPipesStayWhatTheyAre) {
  const ScratchFolder scratch;
  const std::filesystem::path target = scratch.path / "target", link = scratch.path / "link";
  std::filesystem::create_symlink(target, link);
  write_text_file(target, "a longer text");
  write_text_file(link, "text");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(read_text_file(target), "text");

  const std::filesystem::path pipe = scratch.path / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  require_writable("--out", pipe);
  write_text_file(pipe, "text");
  char text[8] = {};
  EXPECT_EQ(::read(reader, text, sizeof(text)), 4);
  EXPECT_EQ(std::string(text), "text");
  ::close(reader);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_EQ(scratch.num_files(), 3);
}

TEST(Files, WhetherOneCanBeWrittenIsKnownBefore) {
  const ScratchFolder scratch;
  const std::filesystem::path& folder = scratch.path;
  const auto obstacle = [](const std::filesystem::path& path) {
    return error_of([&] { require_writable("--out", path); });
  };
  EXPECT_EQ(obstacle(folder / "new"), "");
  write_text_file(folder / "old", "text");
  EXPECT_EQ(obstacle(folder / "old"), "");
  EXPECT_EQ(read_text_file(folder / "old"), "text");
  EXPECT_EQ(scratch.num_files(), 1);
  EXPECT_EQ(obstacle(folder),
            concat("--out: ", folder.string(), ": is a folder; valid: a file in it"));
  const std::string none = (folder / "none").string(), below = (folder / "old").string();
  EXPECT_EQ(obstacle(none + "/new"), concat("--out: ", none, "/new: there is no folder ", none,
                                            "; valid: a file in a folder that exists"));
  EXPECT_EQ(obstacle(below + "/new"), concat("--out: ", below, "/new: there is no folder ", below,
                                             "; valid: a file in a folder that exists"));
  // Root's permissions say yes.
  EXPECT_EQ(obstacle("/proc/new").find("--out: /proc/new: folder /proc cannot be written to ("),
            0U);
  std::filesystem::create_symlink(folder / "nothing" / "there", folder / "link");
  EXPECT_NE(obstacle(folder / "link").find("cannot be written to (No such file"),
            std::string::npos);
}

}  // namespace
}  // namespace argosy
