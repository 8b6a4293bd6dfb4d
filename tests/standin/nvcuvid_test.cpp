// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The stand-in's decoder: pictures, surfaces, their limits and their reuse.

#include "driver_symbols.h"

namespace nv12slot::standin {
namespace {

class NvcuvidTest : public StandinTest {
 protected:
  static constexpr unsigned kWidth = 64;
  static constexpr unsigned kHeight = 32;

  static CUVIDDECODECREATEINFO info(unsigned outputs) {
    CUVIDDECODECREATEINFO info = {};
    info.ulWidth = info.ulTargetWidth = info.ulMaxWidth = kWidth;
    info.ulHeight = info.ulTargetHeight = info.ulMaxHeight = kHeight;
    info.ulNumDecodeSurfaces = 4;
    info.ulNumOutputSurfaces = outputs;
    info.CodecType = cudaVideoCodec_H264;
    info.ChromaFormat = cudaVideoChromaFormat_420;
    info.OutputFormat = cudaVideoSurfaceFormat_NV12;
    return info;
  }

  void open(CUVIDDECODECREATEINFO with) {
    ASSERT_EQ(create_decoder(&decoder_, &with), CUDA_SUCCESS);
  }

  void decode(int surface) {
    CUVIDPICPARAMS picture = {};
    picture.CurrPicIdx = surface;
    ASSERT_EQ(decode_picture(decoder_, &picture), CUDA_SUCCESS);
  }

  CUresult map(int surface, CUstream on, CUdeviceptr* pointer) {
    CUVIDPROCPARAMS parameters = {};
    parameters.output_stream = on;
    unsigned pitch = 0;
    const CUresult result = map_frame(decoder_, surface, pointer, &pitch, &parameters);
    if (result == CUDA_SUCCESS) pitch_ = pitch;
    return result;
  }

  CUvideodecoder decoder_ = nullptr;
  size_t pitch_ = 0;
};

TEST_F(NvcuvidTest, picture_is_numbered_in_decoding_order) {
  open(info(1));
  const CUstream output = stream();
  decode(2);
  decode(0);
  CUdeviceptr pointer = 0;
  ASSERT_EQ(map(0, output, &pointer), CUDA_SUCCESS);
  EXPECT_EQ(pitch_, 512u);
  ASSERT_EQ(synchronize(output), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer + 3 * pitch_ + 5), standin_luma(1, 5, 3));
  EXPECT_EQ(byte_at(pointer + (kHeight + 2) * pitch_ + 7), standin_chroma(1, 7, 2));
  ASSERT_EQ(unmap_frame(decoder_, pointer), CUDA_SUCCESS);
  EXPECT_EQ(unmap_frame(decoder_, pointer), kInvalidValue);
  EXPECT_EQ(map(3, output, &pointer), kInvalidValue) << "nothing decoded there";
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
}

TEST_F(NvcuvidTest, ten_bit_pictures_have_their_samples_in_the_high_byte_and_a_fraction_below) {
  auto wanted = info(1);
  wanted.CodecType = cudaVideoCodec_HEVC;
  wanted.bitDepthMinus8 = 2;
  wanted.OutputFormat = cudaVideoSurfaceFormat_P016;
  open(wanted);
  const CUstream output = stream();
  decode(0);
  CUdeviceptr pointer = 0;
  ASSERT_EQ(map(0, output, &pointer), CUDA_SUCCESS);
  ASSERT_EQ(synchronize(output), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer + pitch_ + 2 * 6), standin_fraction(0, 6, 1));
  EXPECT_EQ(byte_at(pointer + pitch_ + 2 * 6 + 1), standin_luma(0, 6, 1));
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
}

TEST_F(NvcuvidTest, post_processing_runs_on_the_output_stream) {
  open(info(1));
  const CUstream output = stream();
  decode(0);
  StreamGate gate(output);
  CUdeviceptr pointer = 0;
  ASSERT_EQ(map(0, output, &pointer), CUDA_SUCCESS);
  gate.wait_until_reached();
  EXPECT_EQ(byte_at(pointer), 0);
  gate.open();
  ASSERT_EQ(synchronize(output), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer), standin_luma(0, 0, 0));
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
}

TEST_F(NvcuvidTest, no_more_frames_are_mapped_than_there_are_output_surfaces) {
  open(info(2));
  decode(0);
  CUdeviceptr first = 0;
  CUdeviceptr second = 0;
  CUdeviceptr third = 0;
  ASSERT_EQ(map(0, nullptr, &first), CUDA_SUCCESS);
  ASSERT_EQ(map(0, nullptr, &second), CUDA_SUCCESS);
  EXPECT_EQ(map(0, nullptr, &third), kMapFailed);
  ASSERT_EQ(unmap_frame(decoder_, first), CUDA_SUCCESS);
  EXPECT_EQ(map(0, nullptr, &third), CUDA_SUCCESS);
  EXPECT_EQ(third, first);
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
}

TEST_F(NvcuvidTest, unmapping_under_a_pending_reader_is_a_hazard_once_the_surface_is_reused) {
  open(info(1));
  const CUstream output = stream();
  const CUstream reader = stream();
  const CUdeviceptr target = memory(64);
  decode(0);
  CUdeviceptr pointer = 0;
  ASSERT_EQ(map(0, output, &pointer), CUDA_SUCCESS);
  ASSERT_EQ(synchronize(output), CUDA_SUCCESS);
  StreamGate gate(reader);
  ASSERT_EQ(copy_on_device_async(target, pointer, 64, reader), CUDA_SUCCESS);
  ASSERT_EQ(unmap_frame(decoder_, pointer), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 0u);
  ASSERT_EQ(map(0, output, &pointer), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 1u);
  ASSERT_EQ(synchronize(output), CUDA_SUCCESS);
  gate.open();
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
}

TEST_F(NvcuvidTest, reading_a_frame_before_its_post_processing_is_a_hazard) {
  open(info(1));
  const CUstream reader = stream();
  const CUdeviceptr target = memory(64);
  decode(0);
  StreamGate gate(nullptr);
  CUdeviceptr pointer = 0;
  ASSERT_EQ(map(0, nullptr, &pointer), CUDA_SUCCESS);
  ASSERT_EQ(copy_on_device_async(target, pointer, 64, reader), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 1u);
  ASSERT_EQ(synchronize(reader), CUDA_SUCCESS);
  gate.open();
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
}

TEST_F(NvcuvidTest, surfaces_are_device_memory_and_go_with_the_decoder) {
  open(info(2));
  EXPECT_EQ(control().live_decoders(0), 1u);
  EXPECT_EQ(control().bytes_allocated(0), 6u * 512 * 48);
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
  EXPECT_EQ(control().bytes_allocated(0), 0u);
  control().set_memory_limit(512 * 48 * 5);
  auto wanted = info(2);
  EXPECT_EQ(create_decoder(&decoder_, &wanted), kOutOfMemory);
  EXPECT_EQ(control().bytes_allocated(0), 0u);
}

TEST_F(NvcuvidTest, too_many_surfaces_and_unknown_formats_are_refused) {
  auto wanted = info(1);
  wanted.ulNumDecodeSurfaces = 33;
  EXPECT_EQ(create_decoder(&decoder_, &wanted), kInvalidValue);
  wanted = info(1);
  wanted.ChromaFormat = cudaVideoChromaFormat_422;
  EXPECT_EQ(create_decoder(&decoder_, &wanted), kNotSupported);
}

TEST_F(NvcuvidTest, reconfiguration_keeps_to_the_maximum_size) {
  open(info(1));
  CUVIDRECONFIGUREDECODERINFO change = {};
  change.ulWidth = change.ulTargetWidth = kWidth + 2;
  change.ulHeight = change.ulTargetHeight = kHeight;
  change.ulNumDecodeSurfaces = 4;
  EXPECT_EQ(reconfigure_decoder(decoder_, &change), kInvalidValue);
  change.ulWidth = change.ulTargetWidth = 48;
  EXPECT_EQ(reconfigure_decoder(decoder_, &change), CUDA_SUCCESS);
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
}

TEST_F(NvcuvidTest, decode_status_is_the_chosen_one_when_done) {
  open(info(1));
  const CUstream output = stream();
  CUVIDGETDECODESTATUS status = {};
  ASSERT_EQ(decode_status(decoder_, 1, &status), CUDA_SUCCESS);
  EXPECT_EQ(status.decodeStatus, cuvidDecodeStatus_Invalid);
  decode(1);
  CUdeviceptr pointer = 0;
  ASSERT_EQ(map(1, output, &pointer), CUDA_SUCCESS);
  ASSERT_EQ(synchronize(output), CUDA_SUCCESS);
  ASSERT_EQ(decode_status(decoder_, 1, &status), CUDA_SUCCESS);
  EXPECT_EQ(status.decodeStatus, cuvidDecodeStatus_Success);
  control().set_decode_status(cuvidDecodeStatus_Error);
  ASSERT_EQ(decode_status(decoder_, 1, &status), CUDA_SUCCESS);
  EXPECT_EQ(status.decodeStatus, cuvidDecodeStatus_Error);
  ASSERT_EQ(destroy_decoder(decoder_), CUDA_SUCCESS);
}

}  // namespace
}  // namespace nv12slot::standin
