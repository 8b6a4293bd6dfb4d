// SPDX-License-Identifier: LGPL-2.1-or-later
#include "slotcudaallocator.h"

#include "config.h"

#ifdef HAVE_CUDA

#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudamemory.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cudamemory.h"
#include "debug.h"
#include "raii.h"

#define GST_CAT_DEFAULT gst_nv12_slot_debug

namespace nv12slot::gst {
namespace {

/// None: GStreamer then makes a copy.
GstMemory* slot_cuda_memory_share(GstMemory*, gssize, gssize) {
  return nullptr;
}

/// Blocks until the copy that fills the slot is complete.
Status wait_until_written(const SlotHold& hold) {
  const FramePtr frame = hold.frame();
  if (frame == nullptr || frame_peek(frame.get()).is_complete_at_attach()) return {};
  Device& device = hold.device();
  const Result<StreamHandle> stream = device.take_stream();
  if (!stream) return stream.error();
  Status status = frame_peek(frame.get()).wait(*stream);
  if (status) status = device.synchronize(*stream);
  device.give_stream(*stream);
  return status;
}

/// Readers that know the frame wait and fence in their streams. Who maps the memory instead knows
/// of neither: the picture must be complete, and on the GPU nobody can tell when the reading ends.
bool prepare_map(const SlotHold& hold, GstMapFlags flags) {
  if (const Status written = wait_until_written(hold); !written) {
    GST_ERROR("map: %s", written.error().message.c_str());
    return false;
  }
  if ((flags & kMapCuda) == kMapCuda) {
    const FramePtr frame = hold.frame();
    if (frame != nullptr) frame_peek(frame.get()).set_reader_without_fence();
  }
  return true;
}

#if GST_CHECK_VERSION(1, 24, 0)

GstMemoryMapFunction g_cuda_memory_map = nullptr;  // gst-cuda's

gpointer slot_cuda_memory_map(GstMemory* mem, gsize size, GstMapFlags flags) {
  const SlotHold* hold = SlotHold::find(mem);
  if (hold != nullptr && !prepare_map(*hold, flags)) return nullptr;
  return g_cuda_memory_map(mem, size, flags);
}

#else

// gst-cuda before 1.24 has no call that wraps memory, and what its allocator does with a memory
// needs a private part that cannot be made here: all of it is done by ourselves.

/// The CPU's view of a memory, while and after it was mapped for the CPU. `mutex` guards all of it:
/// a memory may be mapped by several threads at a time.
struct Staging {
  Mutex mutex;
  std::vector<std::uint8_t> bytes NV12SLOT_GUARDED_BY(mutex);  // empty until the first CPU map
  bool is_stale NV12SLOT_GUARDED_BY(mutex) = true;             // the device has newer content
  bool needs_upload NV12SLOT_GUARDED_BY(mutex) = false;        // the CPU has newer content
};

/// GStreamer hands a GstCudaMemory* around; it is the first member.
struct SlotCudaMemory {
  GstCudaMemory parent{};
  std::unique_ptr<SlotHold> hold;
  Staging staging;
};

SlotCudaMemory& slot_memory(GstMemory* memory) {
  return *reinterpret_cast<SlotCudaMemory*>(memory);
}

Nv12Planes planes_at(std::uintptr_t address, const Nv12Layout& layout) {
  return {address, address + layout.uv_offset(), layout.pitch, layout.pitch};
}

/// Copies the whole memory and waits, in a stream that is taken for the purpose: such copies are
/// rare, and the slot's own may already serve another use.
bool copy_now(const SlotCudaMemory& memory, const Nv12Planes& to, Domain to_domain,
              const Nv12Planes& from, Domain from_domain) {
  const SlotHold& hold = *memory.hold;
  const Nv12Layout& layout = hold.layout();
  Device& device = hold.device();
  Result<StreamHandle> stream = device.take_stream();
  Status status = stream ? Status() : Status(stream.error());
  if (status) {
    const FramePtr frame = hold.frame();
    if (frame) status = frame_peek(frame.get()).wait(*stream);
    if (status && layout == Nv12Layout{}) {  // plain bytes
      status =
          device.copy_bytes(to.y, to_domain, from.y, from_domain, memory.parent.info.size, *stream);
    } else if (status) {
      status = device.copy(to, to_domain, from, from_domain, layout.width, layout.height, *stream);
    }
    // Even after a failure: what was put into the stream must not run on.
    const Status done = device.synchronize(*stream);
    if (status) status = done;
    device.give_stream(*stream);
  }
  if (!status) GST_ERROR("copy: %s", status.error().message.c_str());
  return status.ok();
}

bool download(const SlotCudaMemory& memory, Staging& staging) NV12SLOT_REQUIRES(staging.mutex) {
  const SlotHold& hold = *memory.hold;
  staging.bytes.resize(memory.parent.info.size);
  const auto address = reinterpret_cast<std::uintptr_t>(staging.bytes.data());
  return copy_now(memory, planes_at(address, hold.layout()), kHostDomain, hold.planes(),
                  hold.device().domain());
}

bool upload(const SlotCudaMemory& memory, Staging& staging) NV12SLOT_REQUIRES(staging.mutex) {
  const SlotHold& hold = *memory.hold;
  const auto address = reinterpret_cast<std::uintptr_t>(staging.bytes.data());
  return copy_now(memory, hold.planes(), hold.device().domain(), planes_at(address, hold.layout()),
                  kHostDomain);
}

gpointer slot_cuda_memory_map(GstMemory* mem, gsize, GstMapFlags flags) {
  SlotCudaMemory& memory = slot_memory(mem);
  if (!prepare_map(*memory.hold, flags)) return nullptr;
  Staging& staging = memory.staging;
  MutexLock lock(staging.mutex);
  const bool writes = (flags & GST_MAP_WRITE) != 0;
  if ((flags & kMapCuda) == kMapCuda) {
    if (staging.needs_upload) {
      if (!upload(memory, staging)) return nullptr;
      staging.needs_upload = false;
    }
    if (writes) staging.is_stale = true;
    return reinterpret_cast<gpointer>(memory.hold->planes().y);
  }
  if (staging.is_stale) {
    if (!download(memory, staging)) return nullptr;
    staging.is_stale = false;
  }
  if (writes) staging.needs_upload = true;
  return staging.bytes.data();
}

/// Nothing to do: a CPU write is uploaded when a device map asks for it. It is here because the
/// parent's would look into a private part that this memory has not.
void slot_cuda_memory_unmap(GstMemory*, GstMapInfo*) {}

/// A part of a pitched picture is bytes, no picture: they go to system memory.
GstMemory* copy_part(GstMemory* mem, gsize offset, gsize size) {
  GstMapInfo from;
  if (!gst_memory_map(mem, &from, GST_MAP_READ)) return nullptr;
  MemoryPtr part;
  GstMapInfo to;
  if (offset <= from.size && size <= from.size - offset) {
    part.reset(gst_allocator_alloc(nullptr, size, nullptr));
    if (gst_memory_map(part.get(), &to, GST_MAP_WRITE)) {
      std::copy_n(from.data + offset, size, to.data);
      gst_memory_unmap(part.get(), &to);
    }
  }
  gst_memory_unmap(mem, &from);
  return part.release();
}

/// The whole is copied in memory of gst-cuda's own.
GstMemory* slot_cuda_memory_copy(GstMemory* mem, gssize offset, gssize size) {
  const gsize whole = gst_memory_get_sizes(mem, nullptr, nullptr);
  if (offset != 0 || (size != -1 && static_cast<gsize>(size) != whole)) {
    const auto start = static_cast<gsize>(offset);
    return copy_part(mem, start, size != -1 ? static_cast<gsize>(size) : whole - start);
  }
  SlotCudaMemory& memory = slot_memory(mem);
  ObjectPtr<GstAllocator> allocator(gst_allocator_find(GST_CUDA_MEMORY_TYPE_NAME));
  MemoryPtr copy(gst_cuda_allocator_alloc(GST_CUDA_ALLOCATOR_CAST(allocator.get()),
                                          memory.parent.context, &memory.parent.info));
  if (copy == nullptr) return nullptr;
  // Uploads what the CPU may have written.
  GstMapInfo from;
  if (!gst_memory_map(mem, &from, static_cast<GstMapFlags>(GST_MAP_READ | kMapCuda))) {
    return nullptr;
  }
  GstMapInfo to;
  bool copied = false;
  if (gst_memory_map(copy.get(), &to, static_cast<GstMapFlags>(GST_MAP_WRITE | kMapCuda))) {
    const GstVideoInfo& info = cuda_memory_info(copy.get());
    const auto address = reinterpret_cast<std::uintptr_t>(to.data);
    const Nv12Planes planes{address + info.offset[0], address + info.offset[1],
                            static_cast<std::size_t>(info.stride[0]),
                            static_cast<std::size_t>(info.stride[1])};
    const SlotHold& hold = *memory.hold;
    const Domain domain = hold.device().domain();
    const bool fits = hold.layout() != Nv12Layout{} || info.size >= memory.parent.info.size;
    copied = fits && copy_now(memory, planes, domain, hold.planes(), domain);
    gst_memory_unmap(copy.get(), &to);
  }
  gst_memory_unmap(mem, &from);
  return copied ? copy.release() : nullptr;
}

void slot_cuda_memory_free(GstAllocator*, GstMemory* mem) {
  SlotCudaMemory* const memory = &slot_memory(mem);
  gst_object_unref(memory->parent.context);
  delete memory;
}

#endif

}  // namespace
}  // namespace nv12slot::gst

struct GstSlotCudaAllocator {
  GstCudaAllocator parent;
};
struct GstSlotCudaAllocatorClass {
  GstCudaAllocatorClass parent_class;
};

G_DEFINE_TYPE(GstSlotCudaAllocator, gst_slot_cuda_allocator, GST_TYPE_CUDA_ALLOCATOR)

static void gst_slot_cuda_allocator_class_init([[maybe_unused]] GstSlotCudaAllocatorClass* klass) {
#if !GST_CHECK_VERSION(1, 24, 0)
  GST_ALLOCATOR_CLASS(klass)->free = nv12slot::gst::slot_cuda_memory_free;
#endif
}

static void gst_slot_cuda_allocator_init(GstSlotCudaAllocator* self) {
  GstAllocator* allocator = GST_ALLOCATOR_CAST(self);
  allocator->mem_share = nv12slot::gst::slot_cuda_memory_share;
#if GST_CHECK_VERSION(1, 24, 0)
  nv12slot::gst::g_cuda_memory_map = allocator->mem_map;
  allocator->mem_map = nv12slot::gst::slot_cuda_memory_map;
#else
  allocator->mem_map = nv12slot::gst::slot_cuda_memory_map;
  allocator->mem_unmap_full = nv12slot::gst::slot_cuda_memory_unmap;
  allocator->mem_copy = nv12slot::gst::slot_cuda_memory_copy;
#endif
}

namespace nv12slot::gst {
namespace {

/// One for the process; memories hold a reference, so it is never gone before them.
GstAllocator* slot_cuda_allocator() {
  static GstAllocator* const allocator = [] {
    gpointer object = g_object_new(gst_slot_cuda_allocator_get_type(), nullptr);
    gst_object_ref_sink(object);
    GST_OBJECT_FLAG_SET(object, GST_OBJECT_FLAG_MAY_BE_LEAKED);
    return GST_ALLOCATOR_CAST(object);
  }();
  return allocator;
}

}  // namespace

#if GST_CHECK_VERSION(1, 24, 0)

GstMemory* slot_cuda_memory_new(std::unique_ptr<SlotHold> hold, const GstVideoInfo& info,
                                GstObject* context, gpointer stream) {
  SlotHold* const borrowed = hold.get();
  GstMemory* memory = gst_cuda_allocator_alloc_wrapped(
      GST_CUDA_ALLOCATOR_CAST(slot_cuda_allocator()), GST_CUDA_CONTEXT(context),
      static_cast<GstCudaStream*>(stream), &info, borrowed->planes().y, borrowed,
      [](gpointer owned) { delete static_cast<SlotHold*>(owned); });
  if (memory == nullptr) return nullptr;
  hold.release();  // owned by the memory now
  borrowed->tie_to(memory);
  return memory;
}

#else

GstMemory* slot_cuda_memory_new(std::unique_ptr<SlotHold> hold, const GstVideoInfo& info,
                                GstObject* context, gpointer) {
  auto* memory = new SlotCudaMemory;
  memory->parent.context = GST_CUDA_CONTEXT(gst_object_ref(context));
  memory->parent.info = info;
  memory->hold = std::move(hold);
  GstMemory* base = GST_MEMORY_CAST(memory);
  gst_memory_init(base, static_cast<GstMemoryFlags>(0), slot_cuda_allocator(), nullptr, info.size,
                  0, 0, info.size);
  memory->hold->tie_to(base);
  return base;
}

#endif

}  // namespace nv12slot::gst

#else

namespace nv12slot::gst {

// Never called, as there is no slot on a device.
GstMemory* slot_cuda_memory_new(std::unique_ptr<SlotHold>, const GstVideoInfo&, GstObject*,
                                gpointer) {
  g_assert_not_reached();
}

}  // namespace nv12slot::gst

#endif
