// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fuzz_target.h"

extern "C" {
#include <libavutil/log.h>
}

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace nv12slot::fuzz {
namespace {

namespace fs = std::filesystem;

/// libFuzzer's arguments. Never freed: it keeps pointers to them.
std::vector<std::string>& arguments() {
  static auto& all = *new std::vector<std::string>;
  return all;
}

void set_default(const std::string& option, const std::string& value) {
  const bool is_set =
      std::any_of(arguments().begin(), arguments().end(),
                  [&](const std::string& given) { return given.rfind(option, 0) == 0; });
  if (!is_set) arguments().push_back(option + value);
}

/// Not of a process that only minimizes or merges.
bool has_inputs() {
  return std::any_of(arguments().begin() + 1, arguments().end(),
                     [](const std::string& given) { return given[0] != '-'; });
}

void write_seeds(const fs::path& folder, const Corpus& corpus) {
  for (const auto& [name, bytes] : corpus) {
    std::ofstream file(folder / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
}

fs::path* g_folder = nullptr;  // to be removed

void use_new_folder(const Corpus& corpus) {
  std::string name = (fs::temp_directory_path() / "nv12slot-fuzz-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    std::perror("fuzz: no folder for inputs");
    std::exit(1);
  }
  g_folder = new fs::path(name);
  std::atexit([] { fs::remove_all(*g_folder); });
  write_seeds(name, corpus);
  arguments().push_back(name);
}

}  // namespace

void prepare(int* argc, char*** argv, const std::function<Corpus()>& make_seeds) {
  gst_init(nullptr, nullptr);
  testing::GTEST_FLAG(break_on_failure) = true;
  int none = 1;
  testing::InitGoogleTest(&none, *argv);
  av_log_set_callback([](void*, int, const char*, va_list) {});

  arguments().assign(*argv, *argv + *argc);
  if (!has_inputs()) {
    use_new_folder(make_seeds());
  } else if (const auto last = arguments().back(); fs::is_directory(last) && fs::is_empty(last)) {
    write_seeds(last, make_seeds());
  }
  const char* const seconds = std::getenv("NV12SLOT_FUZZ_SECONDS");
  set_default("-max_total_time=", seconds != nullptr ? seconds : "10");
  set_default("-timeout=", "60");
  set_default("-rss_limit_mb=", "4096");
  // Of a damaged size; gigabytes would have to be touched.
  set_default("-malloc_limit_mb=", "2048");
  // To look after each input takes longer than to play it.
  set_default("-detect_leaks=", "0");
  set_default("-print_final_stats=", "1");
  // 77, its own choice, says that a test was skipped.
  set_default("-error_exitcode=", "1");
  set_default("-timeout_exitcode=", "1");

  static auto& pointers = *new std::vector<char*>;
  for (std::string& argument : arguments()) pointers.push_back(argument.data());
  *argc = static_cast<int>(pointers.size());
  pointers.push_back(nullptr);
  *argv = pointers.data();
}

std::span<const std::uint8_t> Input::take(std::size_t count) {
  const auto taken = rest_.first(std::min(count, rest_.size()));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

std::uint64_t Input::number(std::size_t bytes) {
  std::uint64_t number = 0;
  unsigned shift = 0;
  for (const std::uint8_t byte : take(bytes)) {
    number |= std::uint64_t{byte} << shift;
    shift += 8;
  }
  return number;
}

std::string_view Input::text_until(std::string_view end) {
  const std::string_view text(reinterpret_cast<const char*>(rest_.data()), rest_.size());
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) {
    rest_ = {};
    return text;
  }
  rest_ = rest_.subspan(at + end.size());
  return text.substr(0, at);
}

void append(Bytes& to, std::span<const std::uint8_t> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append_u16(Bytes& to, std::size_t number) {
  to.push_back(static_cast<std::uint8_t>(number));
  to.push_back(static_cast<std::uint8_t>(number >> 8));
}

void append_text(Bytes& to, std::string_view text) {
  to.insert(to.end(), text.begin(), text.end());
}

void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what.c_str());
  std::abort();
}

}  // namespace nv12slot::fuzz
