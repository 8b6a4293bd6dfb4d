// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotdec over FFmpeg's own NVDEC code, on the stand-in driver: its pictures are the
// stand-in's, its lifetimes, surfaces and calls are real.

#include "dec_stream.h"
#include "gst_test.h"
#include "standin_control.h"

namespace nv12slot::gst {
namespace {

using standin::control;

constexpr Domain kDevice = 0;

class DecStandinTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!control().present()) GTEST_SKIP() << "not the stand-in driver";
    if (!has_element("nv12slotdec")) GTEST_SKIP() << "built without FFmpeg";
    if (h264(64, 48).empty()) GTEST_SKIP() << "no x264enc";
    control().reset();
    reset_pool();
    ASSERT_NE(gst_nv12_slot_cuda_context(kDevice), nullptr);
  }
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_EQ(control().hazards(), 0U) << control().last_hazard();
    EXPECT_TRUE(comes_to_be_unused(kDevice)) << "a reference was leaked";
    control().reset();
  }

  /// Plays the file and returns the element's statistics at its end.
  StructurePtr decode(const std::string& file, const std::string& settings = "") {
    StructurePtr stats;
    const RunResult result =
        play("filesrc location=" + file + " ! h264parse ! nv12slotdec name=dec " + kBlock +
                 settings + " ! fakesink",
             [&](GstBin* bin) {
               const ObjectPtr<GstElement> dec(gst_bin_get_by_name(bin, "dec"));
               GstStructure* read = nullptr;
               g_object_get(dec.get(), "stats", &read, nullptr);
               stats.reset(read);
             });
    EXPECT_TRUE(result.eos) << result.error << ": " << result.debug;
    return stats;
  }
  static guint64 field(const StructurePtr& stats, const char* name) {
    guint64 value = 0;
    EXPECT_TRUE(stats != nullptr && gst_structure_get_uint64(stats.get(), name, &value)) << name;
    return value;
  }

  static constexpr const char* kBlock = "on-exhausted=block timeout=10000000000 ";
};

TEST_F(DecStandinTest, warm_recreation_opens_no_decoder_and_allocates_and_frees_nothing) {
  decode(h264(64, 48));
  control().reset();
  const StructurePtr stats = decode(h264(64, 48));
  EXPECT_EQ(field(stats, "pushed"), kPictures);
  EXPECT_EQ(field(stats, "decoders-reused"), 1U);
  for (const char* call :
       {"cuvidCreateDecoder", "cuvidDestroyDecoder", "cuMemAlloc", "cuMemFree", "cuMemAllocPitch",
        "cuMemAllocFromPoolAsync", "cuMemFreeAsync", "cuStreamCreate", "cuStreamCreateWithPriority",
        "cuStreamDestroy", "cuCtxSynchronize", "cuCtxCreate"}) {
    EXPECT_EQ(control().calls(call), 0U) << call;
  }
}

}  // namespace
}  // namespace nv12slot::gst
