// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dec_stream.h"

#include <unistd.h>

#include <filesystem>
#include <map>

#include "gst_test.h"

namespace nv12slot::gst {
namespace {

class Files {
 public:
  ~Files() {
    for (const auto& [what, file] : files_) {
      std::error_code ignored;
      std::filesystem::remove(file, ignored);
    }
  }
  std::string& at(const std::string& what) { return files_[what]; }

 private:
  std::map<std::string, std::string> files_;
};

}  // namespace

std::string h264(int width, int height, const std::string& options) {
  static Files files;
  if (!has_element("x264enc")) return {};
  const std::string what = std::to_string(width) + "x" + std::to_string(height) + " " + options;
  std::string& file = files.at(what);
  if (!file.empty()) return file;
  const auto name = "nv12slot-test-" + std::to_string(getpid()) + "-" +
                    std::to_string(std::hash<std::string>()(what)) + ".h264";
  file = std::filesystem::temp_directory_path() / name;
  const RunResult encoded =
      play("videotestsrc pattern=ball num-buffers=" + std::to_string(kPictures) +
           " ! video/x-raw,format=I420,width=" + std::to_string(width) + ",height=" +
           std::to_string(height) + ",framerate=30/1 ! x264enc speed-preset=ultrafast " + options +
           " ! video/x-h264,stream-format=byte-stream ! filesink location=" + file);
  EXPECT_TRUE(encoded.eos) << encoded.error << ": " << encoded.debug;
  return file;
}

}  // namespace nv12slot::gst
