// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor_writer.h"

#include <fmt/format.h>

#include <cstddef>
#include <set>
#include <utility>

#include "host_tensor.h"
#include "nv12slot/mutex.h"
#include "tensor_job.h"
#include "tensor_rows.h"

#ifdef NV12SLOT_HAVE_TENSOR_KERNEL
// nv12_to_tensor.cu, compiled and embedded by the build.
extern "C" const unsigned char nv12slot_nv12_to_tensor_fatbin[];
#endif

namespace nv12slot {
namespace {

constexpr std::uint32_t kPixelsOfThread = 4;
constexpr std::uint32_t kBlockWidth = 32;
constexpr std::uint32_t kBlockHeight = 4;

const void* kernel_image() {
#ifdef NV12SLOT_HAVE_TENSOR_KERNEL
  return nv12slot_nv12_to_tensor_fatbin;
#else
  return nullptr;
#endif
}

Status launch(Device& device, KernelHandle kernel, TensorJob job, StreamHandle stream) {
  const auto blocks = [](std::uint32_t size, std::uint32_t of_block) {
    return (size + of_block - 1) / of_block;
  };
  const LaunchGrid grid{.grid = {blocks(job.width, kBlockWidth * kPixelsOfThread),
                                 blocks(job.height, kBlockHeight), 1},
                        .block = {kBlockWidth, kBlockHeight, 1}};
  void* parameters[] = {&job};
  return device.launch(kernel, grid, parameters, stream);
}

/// The kernels that were launched once, each of one device. Never destroyed; any thread.
class WarmKernels {
 public:
  [[nodiscard]] static WarmKernels& get() {
    static auto& kernels = *new WarmKernels();
    return kernels;
  }
  [[nodiscard]] bool has(KernelHandle kernel) NV12SLOT_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return kernels_.count(kernel) != 0;
  }
  void add(KernelHandle kernel) NV12SLOT_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    kernels_.insert(kernel);
  }

 private:
  Mutex mutex_;
  std::set<KernelHandle> kernels_ NV12SLOT_GUARDED_BY(mutex_);
};

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
  if (kernel_image() == nullptr) {
    return Error{Errc::kNoDevice,
                 "this build has no kernel that makes tensors: it is one without CUDA"};
  }
  const Result<KernelHandle> kernel =
      device_->load_kernel(kernel_image(), "nv12slot_nv12_to_tensor");
  if (!kernel) return kernel.error();
  kernel_ = kernel.value();
  if (WarmKernels::get().has(kernel_)) return {};
  Status status = warm_up();
  if (status) WarmKernels::get().add(kernel_);
  return status;
}

// A picture of 2 x 2 into a tensor of one pixel.
Status TensorWriter::warm_up() const {
  const Result<StreamHandle> stream = device_->take_stream();
  if (!stream) return stream.error();
  const std::size_t pitch = device_->row_alignment();
  const Result<std::uintptr_t> memory = device_->allocate(4 * pitch, stream.value());
  Status status = memory ? Status() : Status(memory.error());
  if (memory) {
    const std::uintptr_t picture = memory.value();
    const TensorJob job =
        make_tensor_job({.width = 1, .height = 1}, {picture, picture + 2 * pitch, pitch, pitch}, 2,
                        2, {}, picture + 3 * pitch);
    status = launch(*device_, kernel_, job, stream.value());
    if (Status freed = device_->free(picture, stream.value()); status) status = std::move(freed);
    if (status) status = device_->synchronize(stream.value());
  }
  device_->give_stream(stream.value());
  return status;
}

Status TensorWriter::write(const Nv12Planes& picture, std::uint32_t width, std::uint32_t height,
                           const Colour& colour, std::uintptr_t tensor, StreamHandle stream) const {
  if (Status status = check(picture, width, height); !status) return status;
  if (tensor == 0 || tensor % bytes_of(spec_.type) != 0) {
    return Error{Errc::kInvalidArgument, fmt::format("no tensor of {}-byte values can be at {:#x}",
                                                     bytes_of(spec_.type), tensor)};
  }
  const TensorJob job = make_tensor_job(spec_, picture, width, height, colour, tensor);
  if (kernel_ == nullptr) return write_host_tensor(job, tensor_rows());
  if (picture.uv % 2 != 0 || picture.uv_pitch % 2 != 0) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("rows of UV must start at even addresses on a device; these start at "
                             "{:#x}, {} bytes apart",
                             picture.uv, picture.uv_pitch)};
  }
  return launch(*device_, kernel_, job, stream);
}

}  // namespace nv12slot
