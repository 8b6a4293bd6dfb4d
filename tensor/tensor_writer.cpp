// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor_writer.h"

#include <fmt/format.h>

#include "host_tensor.h"
#include "tensor_job.h"
#include "tensor_rows.h"

namespace nv12slot {
namespace {

/// Whether the planes can be those of such a picture in memory.
Status check(const Nv12Planes& picture, std::uint32_t width, std::uint32_t height) {
  const Result<Nv12Layout> layout = nv12_layout(width, height, 1);
  if (!layout) return layout.error();
  if (picture.y == 0 || picture.uv == 0 || picture.y_pitch < width || picture.uv_pitch < width) {
    return Error{
        Errc::kInvalidArgument,
        fmt::format("a picture of {} x {} needs two planes with rows of at least {} bytes; "
                    "these have {} and {}",
                    width, height, width, picture.y != 0 ? picture.y_pitch : 0,
                    picture.uv != 0 ? picture.uv_pitch : 0)};
  }
  return {};
}

}  // namespace

Result<TensorWriter> TensorWriter::open(Device& device, const TensorSpec& spec) {
  if (Status status = spec.validate(); !status) return status.error();
  TensorWriter writer(device, spec);
  if (device.domain() != kHostDomain) {
    if (Status status = writer.load(); !status) return status.error();
  }
  return writer;
}

Status TensorWriter::load() {
  return Error{Errc::kNoDevice, "tensors are made on the host only"};
}

Status TensorWriter::write(const Nv12Planes& picture, std::uint32_t width, std::uint32_t height,
                           const Colour& colour, std::uintptr_t tensor, StreamHandle) const {
  if (Status status = check(picture, width, height); !status) return status;
  if (tensor == 0 || tensor % bytes_of(spec_.type) != 0) {
    return Error{Errc::kInvalidArgument, fmt::format("no tensor of {}-byte values can be at {:#x}",
                                                     bytes_of(spec_.type), tensor)};
  }
  const TensorJob job = make_tensor_job(spec_, picture, width, height, colour, tensor);
  return write_host_tensor(job, tensor_rows());
}

}  // namespace nv12slot
