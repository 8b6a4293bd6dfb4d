// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Driver API: allocation, pointer attributes, stream-ordered allocation.

#include <cstring>

#include "calls.h"
#include "driver.h"

using namespace nv12slot::standin;

namespace {

uintptr_t address_of(CUdeviceptr pointer) {
  return static_cast<uintptr_t>(pointer);
}

CUresult allocate(Entry& entry, CUdeviceptr* pointer, size_t size, MemoryKind kind) {
  if (pointer == nullptr || size == 0) return kInvalidValue;
  const bool busy = loaded(entry.context->device);
  const Allocation* allocation =
      driver().memory.allocate(size, entry.context->device, entry.context->handle, kind);
  if (allocation == nullptr) return kOutOfMemory;
  *pointer = allocation->base;
  spend(entry.lock, busy ? 163 : 31);
  return CUDA_SUCCESS;
}

CUresult allocate_host(Entry& entry, void** pointer, size_t size) {
  CUdeviceptr address = 0;
  if (pointer == nullptr) return kInvalidValue;
  const CUresult result = allocate(entry, &address, size, MemoryKind::kHost);
  if (result == CUDA_SUCCESS) *pointer = reinterpret_cast<void*>(address_of(address));
  return result;
}

// Waits for what uses the memory, as the driver does; with the cost model for all of the device.
CUresult free_memory(Entry& entry, uintptr_t base, bool host) {
  if (base == 0) return host ? kInvalidValue : CUDA_SUCCESS;
  const Allocation* allocation = driver().memory.find(base);
  const bool is_host = allocation != nullptr && allocation->kind == MemoryKind::kHost;
  if (allocation == nullptr || allocation->base != base || is_host != host ||
      allocation->kind == MemoryKind::kDecoder || allocation->kind == MemoryKind::kRegistered) {
    return kInvalidValue;
  }
  const int device = entry.context->device;
  const bool busy = loaded(device);
  wait_for_memory(entry.lock, base, allocation->size);
  if (driver().cost_model) wait_for_device(entry.lock, device);
  // While waiting, another thread may have freed it.
  if (driver().memory.find(base) == nullptr) return kInvalidValue;
  driver().memory.free(base);
  spend(entry.lock, busy ? 18773 : 28);
  return CUDA_SUCCESS;
}

std::shared_ptr<MemoryPool> find_pool(void* handle) {
  const auto found = driver().pools.find(handle);
  return found == driver().pools.end() ? nullptr : found->second;
}

CUresult allocate_async(Entry& entry, CUdeviceptr* pointer, size_t size, void* handle,
                        CUstream stream) {
  const auto pool = find_pool(handle);
  if (pool == nullptr || pointer == nullptr || size == 0) return kInvalidValue;
  if (find_stream(entry, stream) == nullptr) return kInvalidHandle;
  const bool busy = loaded(pool->device);
  // The memory is there at once; only its use is ordered by the stream. It is where the pool is.
  const CUcontext context = pool->device == entry.context->device
                                ? entry.context->handle
                                : driver().primary[pool->device]->handle;
  Allocation* allocation =
      driver().memory.allocate(size, pool->device, context, MemoryKind::kDevice);
  if (allocation == nullptr) return kOutOfMemory;
  allocation->pool = pool;
  *pointer = allocation->base;
  spend(entry.lock, busy ? 163 : 31);
  return CUDA_SUCCESS;
}

// The driver's structures that nv-codec-headers do not declare.
struct MemLocation {
  int type;  // 1: a device
  int id;
};
struct MemPoolProps {  // its beginning
  int alloc_type;
  int handle_types;
  MemLocation location;
};
struct MemAccessDesc {
  MemLocation location;
  int flags;  // 0: none, 1: read, 3: read and write
};

bool is_device(const MemLocation& location) {
  return location.type == 1 && location.id >= 0 && location.id < kDeviceCount;
}

// A device without a way to the pool's is refused, as it is by the driver once the pool has memory
// (before that it may fail later).
CUresult check_access(const MemoryPool& pool, const MemAccessDesc& desc) {
  if (!is_device(desc.location)) return kInvalidDevice;
  if (desc.flags != 0 && desc.flags != 1 && desc.flags != 3) return kInvalidValue;
  const bool own = desc.location.id == pool.device;
  if (own && desc.flags != 3) return kInvalidValue;  // cannot be taken away
  return own || driver().peer_access ? CUDA_SUCCESS : kInvalidDevice;
}

CUresult pointer_attribute(void* data, int attribute, const Allocation& allocation) {
  const bool host =
      allocation.kind == MemoryKind::kHost || allocation.kind == MemoryKind::kRegistered;
  const auto put = [&](auto value) {
    std::memcpy(data, &value, sizeof(value));
    return CUDA_SUCCESS;
  };
  switch (attribute) {
    case 1:  // CONTEXT
      return put(allocation.context);
    case 2:  // MEMORY_TYPE
      return put(static_cast<unsigned>(host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE));
    case 7:  // BUFFER_ID
      return put(static_cast<unsigned long long>(allocation.id));
    case 8:  // IS_MANAGED
      return put(static_cast<unsigned>(allocation.kind == MemoryKind::kManaged));
    case 9:  // DEVICE_ORDINAL
      return put(allocation.device);
    case 11:  // RANGE_START_ADDR
      return put(static_cast<CUdeviceptr>(allocation.base));
    case 12:  // RANGE_SIZE
      return put(allocation.size);
    case 13:  // MAPPED
      return put(1u);
    default:
      return kInvalidValue;
  }
}

}  // namespace

extern "C" {

CUresult cuMemAlloc_v2(CUdeviceptr* pointer, size_t size) {
  STANDIN_ENTER(kSound);
  return allocate(entry, pointer, size, MemoryKind::kDevice);
}

CUresult cuMemAllocManaged(CUdeviceptr* pointer, size_t size, unsigned) {
  STANDIN_ENTER(kSound);
  return allocate(entry, pointer, size, MemoryKind::kManaged);
}

CUresult cuMemAllocPitch_v2(CUdeviceptr* pointer, size_t* pitch, size_t width, size_t height,
                            unsigned element_size) {
  STANDIN_ENTER(kSound);
  if (pitch == nullptr || width == 0 || height == 0) return kInvalidValue;
  if (element_size != 4 && element_size != 8 && element_size != 16) return kInvalidValue;
  if (width > SIZE_MAX / 2) return kOutOfMemory;
  *pitch = (width + kTextureAlignment - 1) / kTextureAlignment * kTextureAlignment;
  if (height > SIZE_MAX / *pitch) return kOutOfMemory;
  return allocate(entry, pointer, *pitch * height, MemoryKind::kDevice);
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
  STANDIN_ENTER(kSound);
  return free_memory(entry, address_of(pointer), false);
}

CUresult cuMemAllocHost_v2(void** pointer, size_t size) {
  STANDIN_ENTER(kSound);
  return allocate_host(entry, pointer, size);
}

CUresult cuMemHostAlloc(void** pointer, size_t size, unsigned) {
  STANDIN_ENTER(kSound);
  return allocate_host(entry, pointer, size);
}

CUresult cuMemFreeHost(void* pointer) {
  STANDIN_ENTER(kSound);
  return free_memory(entry, reinterpret_cast<uintptr_t>(pointer), true);
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* device, void* host, unsigned) {
  STANDIN_ENTER(kSound);
  if (driver().memory.find(reinterpret_cast<uintptr_t>(host)) == nullptr) return kInvalidValue;
  *device = reinterpret_cast<uintptr_t>(host);
  return CUDA_SUCCESS;
}

CUresult cuMemHostRegister_v2(void* pointer, size_t size, unsigned) {
  STANDIN_ENTER(kSound);
  if (pointer == nullptr || size == 0) return kInvalidValue;
  driver().memory.adopt(pointer, size, entry.context->handle);
  return CUDA_SUCCESS;
}

CUresult cuMemHostUnregister(void* pointer) {
  STANDIN_ENTER(kSound);
  const auto base = reinterpret_cast<uintptr_t>(pointer);
  const Allocation* allocation = driver().memory.find(base);
  if (allocation == nullptr || allocation->kind != MemoryKind::kRegistered) return kInvalidValue;
  wait_for_memory(entry.lock, base, allocation->size);
  driver().memory.free(base);
  return CUDA_SUCCESS;
}

CUresult cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
  STANDIN_ENTER(kSound);
  const uint64_t used = driver().memory.used(entry.context->device);
  const uint64_t limit = driver().memory.limit();
  *total = limit;
  *free_bytes = used < limit ? limit - used : 0;
  return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* size, CUdeviceptr pointer) {
  STANDIN_ENTER(kSound);
  const Allocation* allocation = driver().memory.find(address_of(pointer));
  if (allocation == nullptr) return kNotFound;
  if (base != nullptr) *base = allocation->base;
  if (size != nullptr) *size = allocation->size;
  return CUDA_SUCCESS;
}

CUresult cuPointerGetAttribute(void* data, int attribute, CUdeviceptr pointer) {
  STANDIN_ENTER(kSound);
  const Allocation* allocation = driver().memory.find(address_of(pointer));
  if (allocation == nullptr || data == nullptr) return kInvalidValue;
  if (attribute == 3 || attribute == 4) {  // DEVICE_POINTER, HOST_POINTER: the same address
    if (attribute == 4 && allocation->kind == MemoryKind::kDevice) return kInvalidValue;
    std::memcpy(data, &pointer, sizeof(pointer));
    return CUDA_SUCCESS;
  }
  return pointer_attribute(data, attribute, *allocation);
}

// Unlike the single query this one succeeds for unknown pointers, with values of 0.
CUresult cuPointerGetAttributes(unsigned count, const int* attributes, void** data,
                                CUdeviceptr pointer) {
  STANDIN_ENTER(kSound);
  const Allocation* allocation = driver().memory.find(address_of(pointer));
  for (unsigned i = 0; i < count; i++) {
    if (allocation == nullptr) {
      std::memset(data[i], 0, sizeof(unsigned));
    } else if (const auto result = pointer_attribute(data[i], attributes[i], *allocation);
               result != CUDA_SUCCESS) {
      return result;
    }
  }
  return CUDA_SUCCESS;
}

CUresult cuMemAllocAsync(CUdeviceptr* pointer, size_t size, CUstream stream) {
  STANDIN_ENTER(kSound);
  void* pool = driver().primary[entry.context->device].get();
  return allocate_async(entry, pointer, size, pool, stream);
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr* pointer, size_t size, void* pool, CUstream stream) {
  STANDIN_ENTER(kSound);
  return allocate_async(entry, pointer, size, pool, stream);
}

CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream handle) {
  STANDIN_ENTER(kSound);
  const auto stream = find_stream(entry, handle);
  if (stream == nullptr) return kInvalidHandle;
  Allocation* allocation = driver().memory.find(address_of(pointer));
  if (allocation == nullptr || allocation->base != address_of(pointer) || allocation->freeing) {
    return kInvalidValue;
  }
  Operation operation;
  operation.name = entry.call;
  operation.fault = take_operation_fault(entry.call);
  operation.access = Access::kPeer;
  // Freeing is the last write: whoever still uses the memory has to come before.
  operation.ranges.push_back({allocation->base, allocation->size, 1, allocation->size, 1});
  operation.run_locked = [base = allocation->base](std::unique_lock<std::mutex>&) {
    if (driver().memory.find(base) != nullptr) driver().memory.free(base);
  };
  const CUresult result = enqueue(stream, std::move(operation));
  allocation = driver().memory.find(address_of(pointer));
  if (result == CUDA_SUCCESS && allocation != nullptr) allocation->freeing = true;
  return result;
}

CUresult cuMemPoolCreate(void** pool, const void* properties) {
  STANDIN_ENTER(kSound);
  if (pool == nullptr || properties == nullptr) return kInvalidValue;
  const MemLocation location = static_cast<const MemPoolProps*>(properties)->location;
  if (!is_device(location)) return kInvalidValue;
  *pool = driver().new_handle<void*>();
  driver().pools[*pool] = std::make_shared<MemoryPool>(MemoryPool{location.id, {}});
  return CUDA_SUCCESS;
}

// What was allocated stays, and stays accessible, until it is freed.
CUresult cuMemPoolDestroy(void* pool) {
  STANDIN_ENTER(kSound);
  for (const auto& primary : driver().primary) {
    if (pool == primary.get()) return kInvalidValue;  // a default pool
  }
  return driver().pools.erase(pool) != 0 ? CUDA_SUCCESS : kInvalidValue;
}

// For everything in the pool, now and later.
CUresult cuMemPoolSetAccess(void* handle, const void* map, size_t count) {
  STANDIN_ENTER(kSound);
  const auto pool = find_pool(handle);
  if (pool == nullptr || (map == nullptr && count != 0)) return kInvalidValue;
  const auto* descs = static_cast<const MemAccessDesc*>(map);
  for (size_t i = 0; i < count; i++) {
    if (const auto result = check_access(*pool, descs[i]); result != CUDA_SUCCESS) return result;
  }
  for (size_t i = 0; i < count; i++) pool->access[descs[i].location.id] = descs[i].flags;
  return CUDA_SUCCESS;
}

CUresult cuMemPoolGetAccess(int* flags, void* handle, const void* location) {
  STANDIN_ENTER(kSound);
  const auto pool = find_pool(handle);
  if (pool == nullptr || flags == nullptr || location == nullptr) return kInvalidValue;
  const auto& asked = *static_cast<const MemLocation*>(location);
  if (!is_device(asked)) return kInvalidDevice;
  *flags = pool->allows(asked.id, true) ? 3 : pool->allows(asked.id, false) ? 1 : 0;
  return CUDA_SUCCESS;
}

CUresult cuMemPoolSetAttribute(void*, int, void*) {
  STANDIN_ENTER(kSound);
  return CUDA_SUCCESS;
}

CUresult cuMemPoolGetAttribute(void*, int, void* value) {
  STANDIN_ENTER(kSound);
  std::memset(value, 0, sizeof(uint64_t));
  return CUDA_SUCCESS;
}

CUresult cuMemPoolTrimTo(void*, size_t) {
  STANDIN_ENTER(kSound);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetDefaultMemPool(void** pool, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  if (device < 0 || device >= kDeviceCount) return kInvalidDevice;
  *pool = driver().primary[device].get();
  return CUDA_SUCCESS;
}

}  // extern "C"
