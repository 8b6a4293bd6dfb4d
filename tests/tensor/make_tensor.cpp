// SPDX-License-Identifier: LGPL-2.1-or-later
//
// make_tensor INPUT WIDTH HEIGHT MATRIX RANGE SITE MODE TENSOR_WIDTH TENSOR_HEIGHT OUTPUT
// Makes floats from 0 to 255, RGB, one plane after the other, of a raw NV12 picture, on the host:
// for tests that know what others make of it.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "nv12slot/host_device.h"
#include "tensor_writer.h"

namespace nv12slot {
namespace {

const std::map<std::string, ColourMatrix> kMatrices = {{"601", ColourMatrix::kBt601},
                                                       {"709", ColourMatrix::kBt709},
                                                       {"2020", ColourMatrix::kBt2020},
                                                       {"fcc", ColourMatrix::kFcc},
                                                       {"240m", ColourMatrix::kSmpte240m}};
const std::map<std::string, ChromaSite> kSites = {{"left", ChromaSite::kLeft},
                                                  {"center", ChromaSite::kCentre},
                                                  {"topleft", ChromaSite::kTopLeft}};
const std::map<std::string, ScaleMode> kModes = {{"stretch", ScaleMode::kStretch},
                                                 {"centred", ScaleMode::kLetterboxCentred},
                                                 {"top-left", ScaleMode::kLetterboxTopLeft}};

int fail(const std::string& message) {
  std::fprintf(stderr, "make_tensor: %s\n", message.c_str());
  return EXIT_FAILURE;
}

int run(const std::vector<std::string>& arguments) {
  const auto number = [&](std::size_t i) {
    return static_cast<std::uint32_t>(std::stoul(arguments[i]));
  };
  const std::uint32_t width = number(1);
  const std::uint32_t height = number(2);
  const Colour colour{kMatrices.at(arguments[3]), arguments[4] == "full", kSites.at(arguments[5])};
  const TensorSpec spec{
      .width = number(7), .height = number(8), .scale_mode = kModes.at(arguments[6]), .scale = 1};

  std::ifstream input(arguments[0], std::ios::binary);
  const std::vector<char> picture{std::istreambuf_iterator<char>(input), {}};
  if (picture.size() != std::size_t{width} * height * 3 / 2) {
    return fail(arguments[0] + " has not that size");
  }
  const auto address = reinterpret_cast<std::uintptr_t>(picture.data());
  const Nv12Planes planes{address, address + std::size_t{width} * height, width, width};

  HostDevice host;
  const Result<TensorWriter> writer = TensorWriter::open(host, spec);
  if (!writer) return fail(writer.error().message);
  std::vector<float> tensor(spec.frame_bytes() / sizeof(float));
  const Status written = writer->write(
      {planes, width, height, colour, reinterpret_cast<std::uintptr_t>(tensor.data())}, nullptr);
  if (!written) return fail(written.error().message);
  std::ofstream output(arguments[9], std::ios::binary);
  output.write(reinterpret_cast<const char*>(tensor.data()),
               static_cast<std::streamsize>(spec.frame_bytes()));
  return output.good() ? EXIT_SUCCESS : fail(arguments[9] + " cannot be written");
}

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  if (argc != 11) return nv12slot::fail("wants ten arguments; its source names them");
  try {
    return nv12slot::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    return nv12slot::fail(error.what());
  }
}
