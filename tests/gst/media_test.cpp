// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Real streams against their published checksums: every picture must come out of its slot as it was
// decoded. Reads the folder that NV12SLOT_MEDIA names: manifest.tsv, a table with a header line of
// which the columns "file", "codec", "md5_i420" (of all pictures, tightly packed) and
// "published_answer" are used, and the files in it. The pictures must be the decoder's own, and
// have the published checksum unless the last column says "none". What a machine lacks (the folder,
// a decoder, a GPU) is skipped, and so is a decoder that gives other pictures by itself.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "../gpu/have_gpu.h"
#include "gst_test.h"

namespace nv12slot::gst {
namespace {

struct Stream {
  std::string file, codec, md5;
  bool is_published = false;
};

std::vector<std::string> columns(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream rest(line);
  for (std::string field; std::getline(rest, field, '\t');) fields.push_back(field);
  return fields;
}

std::filesystem::path media() {
  const char* folder = std::getenv("NV12SLOT_MEDIA");
  return folder != nullptr ? folder : "";
}

std::vector<Stream> streams() {
  std::vector<Stream> found;
  std::ifstream manifest(media() / "manifest.tsv");
  std::string line;
  std::getline(manifest, line);
  const std::vector<std::string> names = columns(line);
  while (std::getline(manifest, line)) {
    std::map<std::string, std::string> row;
    const std::vector<std::string> fields = columns(line);
    for (std::size_t i = 0; i < std::min(names.size(), fields.size()); ++i) {
      row[names[i]] = fields[i];
    }
    found.push_back(
        {row["file"], row["codec"], row["md5_i420"], row["published_answer"] != "none"});
  }
  return found;
}

void PrintTo(const Stream& stream, std::ostream* out) {
  *out << stream.file;
}

class MediaTest : public testing::TestWithParam<Stream> {
 protected:
  void SetUp() override { reset_pool(); }

  /// The checksum of what `decode_and_slot`, part of a launch line, makes of the stream.
  std::string checksum(const std::string& decode_and_slot) {
    const std::string demux = GetParam().file.ends_with(".mp4") ? "qtdemux ! " : "";
    const std::string parse = GetParam().codec == "hevc" ? "h265parse ! " : "h264parse ! ";
    const std::string launch = "filesrc location=\"" + (media() / GetParam().file).string() +
                               "\" ! " + demux + parse + decode_and_slot +
                               " ! videocodectestsink name=sink";
    GstElement* pipeline = gst_parse_launch(launch.c_str(), nullptr);
    EXPECT_NE(pipeline, nullptr) << launch;
    if (pipeline == nullptr) return {};
    gst_object_ref_sink(pipeline);
    std::string sum;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    const ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline));
    for (bool done = false; !done;) {
      GstMessage* message = gst_bus_timed_pop_filtered(
          bus.get(), 60 * GST_SECOND,
          static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT));
      if (message == nullptr) {
        ADD_FAILURE() << "timed out: " << launch;
        break;
      }
      if (gst_message_has_name(message, "conformance/checksum")) {
        sum = gst_structure_get_string(gst_message_get_structure(message), "checksum");
      } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError* error = nullptr;
        gst_message_parse_error(message, &error, nullptr);
        ADD_FAILURE() << error->message << ": " << launch;
        g_clear_error(&error);
      }
      done = GST_MESSAGE_TYPE(message) != GST_MESSAGE_ELEMENT;
      gst_message_unref(message);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return sum;
  }

  /// `to_system` is what brings the decoder's pictures to system memory without a slot.
  void expect_right_pictures(const std::string& decoder, const std::string& to_system,
                             const std::string& through_slots) {
    const std::string element = decoder.substr(0, decoder.find(' '));
    if (!has_element(element.c_str())) GTEST_SKIP() << "no " << element;
    if (!has_element("videocodectestsink")) GTEST_SKIP() << "no videocodectestsink";
    const std::string decoders_own = checksum(decoder + to_system);
    EXPECT_EQ(checksum(decoder + " ! " + through_slots), decoders_own);
    if (GetParam().is_published && decoders_own != GetParam().md5) {
      GTEST_SKIP() << "this " << decoder << " does not give the published checksum by itself";
    }
  }
  /// Twice: the second run finds a decoder open.
  void expect_published_pictures(const std::string& settings, const std::string& to_system) {
    if (!has_element("videocodectestsink")) GTEST_SKIP() << "no videocodectestsink";
    const std::string launch =
        std::string("nv12slotdec on-exhausted=block timeout=10000000000 ") + settings + to_system;
    const std::string first = checksum(launch);
    EXPECT_EQ(checksum(launch), first) << "the second time";
    if (!GetParam().is_published && first != GetParam().md5) {
      GTEST_SKIP() << "not what FFmpeg 5.1 gives, and nobody published what is right";
    }
    EXPECT_EQ(first, GetParam().md5);
  }
  [[nodiscard]] std::string codec() const { return GetParam().codec == "hevc" ? "h265" : "h264"; }
};

// on-exhausted=block: videocodectestsink takes pictures faster than 50 ms of cooldown allow.
constexpr const char* kSlotCopy = "nv12slotcopy on-exhausted=block timeout=10000000000 device=";

TEST_P(MediaTest, slots_of_the_host_give_the_right_pictures) {
  // One thread: what several conceal of a damaged stream differs from run to run.
  expect_right_pictures("avdec_" + codec() + " max-threads=1", "",
                        std::string("videoconvert chroma-resampler=nearest ! "
                                    "video/x-raw,format=NV12 ! ") +
                            kSlotCopy + "-1");
}

TEST_P(MediaTest, nvdec_and_slots_of_the_device_give_the_right_pictures) {
  if (!gpu::have_gpu()) GTEST_SKIP() << "no GPU here";
  expect_right_pictures("nv" + codec() + "dec", " ! cudadownload",
                        std::string(kSlotCopy) + "0 ! cudadownload");
}

// GStreamer before 1.24 has a second decoder for each codec.
TEST_P(MediaTest, stateless_nvdec_and_slots_of_the_device_give_the_right_pictures) {
  if (!gpu::have_gpu()) GTEST_SKIP() << "no GPU here";
  expect_right_pictures("nv" + codec() + "sldec", " ! cudadownload",
                        std::string(kSlotCopy) + "0 ! cudadownload");
}

TEST_P(MediaTest, nv12slotdec_in_software_gives_the_published_pictures) {
  expect_published_pictures("force-path=software max-threads=1 device=-1", "");
}

TEST_P(MediaTest, nv12slotdec_on_nvdec_gives_the_published_pictures) {
  if (!gpu::have_gpu()) GTEST_SKIP() << "no GPU here";
  expect_published_pictures("force-path=nvdec", " ! cudadownload");
}

TEST_P(MediaTest, nv12slotdec_on_nvdec_gives_them_to_the_host_too) {
  if (!gpu::have_gpu()) GTEST_SKIP() << "no GPU here";
  expect_published_pictures("force-path=nvdec", " ! video/x-raw");
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MediaTest);
INSTANTIATE_TEST_SUITE_P(, MediaTest, testing::ValuesIn(streams()),
                         [](const testing::TestParamInfo<Stream>& stream) {
                           std::string name = stream.param.file;
                           for (char& letter : name) {
                             if (std::isalnum(static_cast<unsigned char>(letter)) == 0) {
                               letter = '_';
                             }
                           }
                           return name;
                         });

TEST(Media, is_here) {
  if (media().empty()) GTEST_SKIP() << "NV12SLOT_MEDIA names no folder of streams";
  EXPECT_FALSE(streams().empty()) << media() / "manifest.tsv";
}

}  // namespace
}  // namespace nv12slot::gst
