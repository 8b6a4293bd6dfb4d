// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
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

/// A kernel for `pictures` tensors of one size.
Status launch(Device& device, KernelHandle kernel, const TensorJob& job, std::size_t pictures,
              void* parameter, StreamHandle stream) {
  const auto blocks = [](std::uint32_t size, std::uint32_t of_block) {
    return (size + of_block - 1) / of_block;
  };
  const LaunchGrid grid{
      .grid = {blocks(job.width, kBlockWidth * kPixelsOfThread), blocks(job.height, kBlockHeight),
               static_cast<std::uint32_t>(pictures)},
      .block = {kBlockWidth, kBlockHeight, 1}};
  return device.launch(kernel, grid, &parameter, stream);
}

/// The devices' kernels that were launched once. Never destroyed; any thread.
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
  const Result<KernelHandle> one = device_->load_kernel(kernel_image(), "nv12slot_nv12_to_tensor");
  if (!one) return one.error();
  const Result<KernelHandle> many =
      device_->load_kernel(kernel_image(), "nv12slot_nv12_to_tensors");
  if (!many) return many.error();
  of_one_ = *one;
  of_many_ = *many;
  if (WarmKernels::get().has(of_many_)) return {};
  Status status = warm_up();
  if (status) WarmKernels::get().add(of_many_);
  return status;
}

// Pictures of 2 x 2 into tensors of one pixel.
Status TensorWriter::warm_up() const {
  const Result<StreamHandle> stream = device_->take_stream();
  if (!stream) return stream.error();
  const std::size_t pitch = device_->row_alignment();
  const Result<std::uintptr_t> memory = device_->allocate(4 * pitch, stream.value());
  Status status = memory ? Status() : Status(memory.error());
  if (memory) {
    TensorWriter writer = *this;
    writer.spec_ = {.width = 1, .height = 1};
    const std::uintptr_t planes = memory.value();
    const TensorPicture picture{.planes = {planes, planes + 2 * pitch, pitch, pitch},
                                .width = 2,
                                .height = 2,
                                .tensor = planes + 3 * pitch};
    const TensorPicture twice[] = {picture, picture};
    status = writer.write(picture, stream.value());
    if (status) status = writer.write(twice, stream.value());
    if (Status freed = device_->free(planes, stream.value()); status) status = std::move(freed);
    if (status) status = device_->synchronize(stream.value());
  }
  device_->give_stream(stream.value());
  return status;
}

Status TensorWriter::check(const TensorPicture& picture) const {
  const auto& [planes, width, height, colour, tensor] = picture;
  const auto refuse = [](std::string why) { return Error{Errc::kInvalidArgument, std::move(why)}; };
  const Result<Nv12Layout> layout = nv12_layout(width, height, 1);
  if (!layout) return layout.error();
  if (planes.y == 0 || planes.uv == 0 || planes.y_pitch < width || planes.uv_pitch < width) {
    return refuse(
        fmt::format("a picture of {} x {} needs two planes with rows of at least {} bytes; these "
                    "have {} and {}",
                    width, height, width, planes.y != 0 ? planes.y_pitch : 0,
                    planes.uv != 0 ? planes.uv_pitch : 0));
  }
  if (tensor == 0 || tensor % bytes_of(spec_.type) != 0) {
    return refuse(
        fmt::format("no tensor of {}-byte values can be at {:#x}", bytes_of(spec_.type), tensor));
  }
  if (device_->domain() != kHostDomain && (planes.uv % 2 != 0 || planes.uv_pitch % 2 != 0)) {
    return refuse(
        fmt::format("rows of UV must start at even addresses on a device; these start at {:#x}, {} "
                    "bytes apart",
                    planes.uv, planes.uv_pitch));
  }
  return {};
}

Status TensorWriter::write(std::span<const TensorPicture> pictures, StreamHandle stream) const {
  for (const TensorPicture& picture : pictures) {
    if (Status status = check(picture); !status) return status;
  }
  while (!pictures.empty()) {
    const std::size_t count = std::min<std::size_t>(pictures.size(), kMostTensorJobs);
    if (Status status = write_some(pictures.first(count), stream); !status) return status;
    pictures = pictures.subspan(count);
  }
  return {};
}

// Of 1 to kMostTensorJobs pictures that can be.
Status TensorWriter::write_some(std::span<const TensorPicture> pictures,
                                StreamHandle stream) const {
  if (of_one_ == nullptr) {
    for (const TensorPicture& picture : pictures) {
      Status status = write_host_tensor(make_tensor_job(spec_, picture), tensor_rows());
      if (!status) return status;
    }
    return {};
  }
  if (pictures.size() == 1) {
    TensorJob job = make_tensor_job(spec_, pictures.front());
    return launch(*device_, of_one_, job, 1, &job, stream);
  }
  TensorJobs all = {};
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    all.jobs[i] = make_tensor_job(spec_, pictures[i]);
  }
  return launch(*device_, of_many_, all.jobs[0], pictures.size(), &all, stream);
}

}  // namespace nv12slot
