// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Driver API: copies and memsets.
//
// Stream order and host synchronization follow the driver: an asynchronous copy from pageable
// memory has read it when the call returns, one to pageable memory is complete then; a synchronous
// copy runs on the legacy stream and waits for its end unless both sides are device memory.

#include <cstring>
#include <memory>
#include <vector>

#include "calls.h"
#include "driver.h"

using namespace nv12slot::standin;

namespace {

struct Side {
  Range range;
  bool pageable;
  bool device;
};

struct Copy {
  Side source;
  Side target;
};

Side make_side(uintptr_t address, size_t width, size_t height, size_t pitch, bool known_host,
               bool write) {
  const Allocation* allocation = driver().memory.find(address);
  const bool device = allocation == nullptr ? !known_host
                                            : allocation->kind == MemoryKind::kDevice ||
                                                  allocation->kind == MemoryKind::kManaged;
  // Freed page-locked memory stays with those that are checked.
  const bool pageable = known_host && allocation == nullptr && !driver().memory.was_freed(address);
  return {{address, width, height, pitch, write ? 1 : 0}, pageable, device};
}

void copy_rows(const Range& target, const Range& source) {
  for (size_t row = 0; row < target.rows; row++) {
    std::memmove(reinterpret_cast<void*>(target.address + row * target.pitch),
                 reinterpret_cast<const void*>(source.address + row * source.pitch),
                 target.row_bytes);
  }
}

CUresult find_target(const Entry& entry, CUstream handle, std::shared_ptr<Stream>* stream) {
  *stream = find_stream(entry, handle);
  return *stream == nullptr || (*stream)->context != entry.context ? kInvalidHandle : CUDA_SUCCESS;
}

CUresult submit(Entry& entry, CUstream handle, Operation operation, bool wait) {
  std::shared_ptr<Stream> stream;
  if (const auto result = find_target(entry, handle, &stream); result != CUDA_SUCCESS) {
    return result;
  }
  operation.name = entry.call;
  operation.fault = take_operation_fault(entry.call);
  operation.timed = true;
  uint64_t sequence = 0;
  const CUresult result = enqueue(stream, std::move(operation), &sequence);
  if (result != CUDA_SUCCESS || !wait) return result;
  wait_for(entry.lock, {stream, sequence});
  return entry.context->error;
}

CUresult copy(Entry& entry, CUstream stream, Copy what, bool synchronous,
              Access access = Access::kCopied) {
  if (what.target.range.row_bytes == 0 || what.target.range.rows == 0) return CUDA_SUCCESS;
  Operation operation;
  operation.access = access;
  operation.bytes = what.target.range.row_bytes * what.target.range.rows;
  if (!what.source.pageable) operation.ranges.push_back(what.source.range);
  if (!what.target.pageable) operation.ranges.push_back(what.target.range);
  Range source = what.source.range;
  std::shared_ptr<std::vector<uint8_t>> staged;
  if (what.source.pageable && !synchronous && !what.target.pageable) {
    staged = std::make_shared<std::vector<uint8_t>>(operation.bytes);
    const Range staging{reinterpret_cast<uintptr_t>(staged->data()), source.row_bytes, source.rows,
                        source.row_bytes, 1};
    copy_rows(staging, source);
    source = staging;
  }
  operation.run = [staged, source, target = what.target.range] { copy_rows(target, source); };
  const bool on_device = what.source.device && what.target.device;
  return submit(entry, stream, std::move(operation),
                what.target.pageable || (synchronous && !on_device));
}

CUresult copy_linear(Entry& entry, CUstream stream, uintptr_t target, bool target_host,
                     uintptr_t source, bool source_host, size_t size, bool synchronous,
                     Access access = Access::kCopied) {
  if (size != 0 && (target == 0 || source == 0)) return kInvalidValue;
  return copy(entry, stream,
              {make_side(source, size, 1, size, source_host, false),
               make_side(target, size, 1, size, target_host, true)},
              synchronous, access);
}

constexpr int kUnifiedMemory = 4;  // CU_MEMORYTYPE_UNIFIED

CUresult side_of(const CUDA_MEMCPY2D& copy, bool target, Side* side) {
  const int type = static_cast<int>(target ? copy.dstMemoryType : copy.srcMemoryType);
  const void* host = target ? copy.dstHost : copy.srcHost;
  const CUdeviceptr device = target ? copy.dstDevice : copy.srcDevice;
  const size_t x = target ? copy.dstXInBytes : copy.srcXInBytes;
  const size_t y = target ? copy.dstY : copy.srcY;
  size_t pitch = target ? copy.dstPitch : copy.srcPitch;
  if (pitch == 0) pitch = x + copy.WidthInBytes;
  if (pitch < x + copy.WidthInBytes) return kInvalidValue;
  uintptr_t base = 0;
  bool known_host = false;
  if (type == CU_MEMORYTYPE_HOST) {
    base = reinterpret_cast<uintptr_t>(host);
    known_host = true;
  } else if (type == CU_MEMORYTYPE_DEVICE || type == kUnifiedMemory) {
    base = static_cast<uintptr_t>(device);
    known_host = type == kUnifiedMemory && driver().memory.find(base) == nullptr;
  } else {
    return kInvalidValue;
  }
  if (base == 0) return kInvalidValue;
  *side =
      make_side(base + y * pitch + x, copy.WidthInBytes, copy.Height, pitch, known_host, target);
  return CUDA_SUCCESS;
}

CUresult copy_2d(Entry& entry, const CUDA_MEMCPY2D* description, CUstream stream,
                 bool synchronous) {
  if (description == nullptr) return kInvalidValue;
  if (description->WidthInBytes == 0 || description->Height == 0) return CUDA_SUCCESS;
  Copy what;
  if (const auto result = side_of(*description, false, &what.source); result != CUDA_SUCCESS) {
    return result;
  }
  if (const auto result = side_of(*description, true, &what.target); result != CUDA_SUCCESS) {
    return result;
  }
  return copy(entry, stream, what, synchronous);
}

template <typename Value>
CUresult set_memory(Entry& entry, CUstream stream, CUdeviceptr target, size_t pitch, Value value,
                    size_t width, size_t height) {
  if (width == 0 || height == 0) return CUDA_SUCCESS;
  if (target == 0 || target % sizeof(Value) != 0) return kInvalidValue;
  if (height > 1 && pitch < width * sizeof(Value)) return kInvalidValue;
  Operation operation;
  const Range range{static_cast<uintptr_t>(target), width * sizeof(Value), height, pitch, 1};
  operation.ranges.push_back(range);
  operation.bytes = range.row_bytes * height;
  operation.run = [range, value, width] {
    for (size_t row = 0; row < range.rows; row++) {
      auto* out = reinterpret_cast<Value*>(range.address + row * range.pitch);
      std::fill(out, out + width, value);
    }
  };
  return submit(entry, stream, std::move(operation), false);
}

uintptr_t to_address(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}
uintptr_t to_address(CUdeviceptr pointer) {
  return static_cast<uintptr_t>(pointer);
}

// With unified addresses cuMemcpy takes any memory.
bool unknown(CUdeviceptr pointer) {
  return driver().memory.find(to_address(pointer)) == nullptr &&
         !driver().memory.was_freed(to_address(pointer));
}

}  // namespace

extern "C" {

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D* copy) {
  STANDIN_ENTER(kSound);
  return copy_2d(entry, copy, nullptr, true);
}

CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D* copy) {
  STANDIN_ENTER(kSound);
  return copy_2d(entry, copy, nullptr, true);
}

CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* copy, CUstream stream) {
  STANDIN_ENTER(kSound);
  return copy_2d(entry, copy, stream, false);
}

CUresult cuMemcpy(CUdeviceptr target, CUdeviceptr source, size_t size) {
  STANDIN_ENTER(kSound);
  return copy_linear(entry, nullptr, to_address(target), unknown(target), to_address(source),
                     unknown(source), size, true);
}

CUresult cuMemcpyAsync(CUdeviceptr target, CUdeviceptr source, size_t size, CUstream stream) {
  STANDIN_ENTER(kSound);
  return copy_linear(entry, stream, to_address(target), unknown(target), to_address(source),
                     unknown(source), size, false);
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr target, const void* source, size_t size) {
  STANDIN_ENTER(kSound);
  return copy_linear(entry, nullptr, to_address(target), false, to_address(source), true, size,
                     true);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr target, const void* source, size_t size,
                              CUstream stream) {
  STANDIN_ENTER(kSound);
  return copy_linear(entry, stream, to_address(target), false, to_address(source), true, size,
                     false);
}

CUresult cuMemcpyDtoH_v2(void* target, CUdeviceptr source, size_t size) {
  STANDIN_ENTER(kSound);
  return copy_linear(entry, nullptr, to_address(target), true, to_address(source), false, size,
                     true);
}

CUresult cuMemcpyDtoHAsync_v2(void* target, CUdeviceptr source, size_t size, CUstream stream) {
  STANDIN_ENTER(kSound);
  return copy_linear(entry, stream, to_address(target), true, to_address(source), false, size,
                     false);
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr target, CUdeviceptr source, size_t size) {
  STANDIN_ENTER(kSound);
  return copy_linear(entry, nullptr, to_address(target), false, to_address(source), false, size,
                     true);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr target, CUdeviceptr source, size_t size,
                              CUstream stream) {
  STANDIN_ENTER(kSound);
  return copy_linear(entry, stream, to_address(target), false, to_address(source), false, size,
                     false);
}

CUresult cuMemcpyPeer(CUdeviceptr target, CUcontext target_context, CUdeviceptr source,
                      CUcontext source_context, size_t size) {
  STANDIN_ENTER(kSound);
  if (!find_context(target_context) || !find_context(source_context)) return kInvalidContext;
  return copy_linear(entry, nullptr, to_address(target), false, to_address(source), false, size,
                     true, Access::kPeer);
}

CUresult cuMemcpyPeerAsync(CUdeviceptr target, CUcontext target_context, CUdeviceptr source,
                           CUcontext source_context, size_t size, CUstream stream) {
  STANDIN_ENTER(kSound);
  if (!find_context(target_context) || !find_context(source_context)) return kInvalidContext;
  return copy_linear(entry, stream, to_address(target), false, to_address(source), false, size,
                     false, Access::kPeer);
}

CUresult cuMemsetD8_v2(CUdeviceptr target, unsigned char value, size_t count) {
  STANDIN_ENTER(kSound);
  return set_memory<uint8_t>(entry, nullptr, target, count, value, count, 1);
}

CUresult cuMemsetD8Async(CUdeviceptr target, unsigned char value, size_t count, CUstream stream) {
  STANDIN_ENTER(kSound);
  return set_memory<uint8_t>(entry, stream, target, count, value, count, 1);
}

CUresult cuMemsetD2D8_v2(CUdeviceptr target, size_t pitch, unsigned char value, size_t width,
                         size_t height) {
  STANDIN_ENTER(kSound);
  return set_memory<uint8_t>(entry, nullptr, target, pitch, value, width, height);
}

CUresult cuMemsetD2D8Async(CUdeviceptr target, size_t pitch, unsigned char value, size_t width,
                           size_t height, CUstream stream) {
  STANDIN_ENTER(kSound);
  return set_memory<uint8_t>(entry, stream, target, pitch, value, width, height);
}

CUresult cuMemsetD2D16_v2(CUdeviceptr target, size_t pitch, unsigned short value, size_t width,
                          size_t height) {
  STANDIN_ENTER(kSound);
  return set_memory<uint16_t>(entry, nullptr, target, pitch, value, width, height);
}

CUresult cuMemsetD2D16Async(CUdeviceptr target, size_t pitch, unsigned short value, size_t width,
                            size_t height, CUstream stream) {
  STANDIN_ENTER(kSound);
  return set_memory<uint16_t>(entry, stream, target, pitch, value, width, height);
}

CUresult cuMemsetD2D32_v2(CUdeviceptr target, size_t pitch, unsigned value, size_t width,
                          size_t height) {
  STANDIN_ENTER(kSound);
  return set_memory<uint32_t>(entry, nullptr, target, pitch, value, width, height);
}

CUresult cuMemsetD2D32Async(CUdeviceptr target, size_t pitch, unsigned value, size_t width,
                            size_t height, CUstream stream) {
  STANDIN_ENTER(kSound);
  return set_memory<uint32_t>(entry, stream, target, pitch, value, width, height);
}

CUresult cuMemsetD32_v2(CUdeviceptr target, unsigned value, size_t count) {
  STANDIN_ENTER(kSound);
  return set_memory<uint32_t>(entry, nullptr, target, count * 4, value, count, 1);
}

CUresult cuMemsetD32Async(CUdeviceptr target, unsigned value, size_t count, CUstream stream) {
  STANDIN_ENTER(kSound);
  return set_memory<uint32_t>(entry, stream, target, count * 4, value, count, 1);
}

}  // extern "C"
