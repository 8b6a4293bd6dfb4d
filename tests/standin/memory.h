// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory of the stand-in's devices and page-locked host memory: who owns which addresses. Device
// memory is plain process memory, so that the CPU can run kernels on it.

#ifndef NV12SLOT_TESTS_STANDIN_MEMORY_H_
#define NV12SLOT_TESTS_STANDIN_MEMORY_H_

#include <ffnvcodec/dynlink_cuda.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace nv12slot::standin {

enum class MemoryKind {
  kDevice,
  kManaged,
  kDecoder,     // output surfaces, which only NVDEC frees
  kHost,        // page-locked by the driver
  kRegistered,  // the caller's, page-locked
};

// A CUmemoryPool. Pools hold nothing back here: what they differ by is who may use their memory.
struct MemoryPool {
  int device = 0;
  std::map<int, int> access;  // by other device: CUmemAccess_flags, 1 to read, 3 to write as well

  bool allows(int user, bool write) const {
    const auto found = access.find(user);
    return user == device || (found != access.end() && found->second >= (write ? 3 : 1));
  }
};

struct Allocation {
  uintptr_t base = 0;
  size_t size = 0;
  int device = 0;
  CUcontext context = nullptr;
  MemoryKind kind = MemoryKind::kDevice;
  bool freeing = false;  // cuMemFreeAsync() is enqueued
  uint64_t id = 0;
  std::shared_ptr<MemoryPool> pool = {};  // what it came from, if from one
};

// Guarded by the driver's mutex.
class Memory {
 public:
  static constexpr uint8_t kPoison = 0xdb;

  // Null when the device's limit or the process's memory is used up.
  Allocation* allocate(size_t size, int device, CUcontext context, MemoryKind kind);
  // Takes over memory of the caller's (cuMemHostRegister).
  Allocation* adopt(void* address, size_t size, CUcontext context);
  // Poisons and forgets. The addresses are not given out again soon.
  void free(uintptr_t base);
  void free_of_context(CUcontext context);

  // The allocation that holds the address; null for freed and unknown ones.
  Allocation* find(uintptr_t address);
  bool was_freed(uintptr_t address) const;

  // Counts memory that has no addresses (a decoder's surfaces). False when it does not fit.
  bool charge(int device, uint64_t bytes);
  void discharge(int device, uint64_t bytes);

  uint64_t used(int device) const;
  uint64_t limit() const { return limit_; }
  void set_limit(uint64_t bytes) { limit_ = bytes; }
  uint64_t live(int device) const;
  uint64_t live_host() const;

 private:
  struct Freed {
    uintptr_t base;
    size_t size;
  };

  std::map<uintptr_t, Allocation> allocations_;
  std::deque<Freed> freed_;
  size_t freed_bytes_ = 0;
  std::map<int, uint64_t> used_;
  uint64_t limit_ = uint64_t{4} << 30;
  uint64_t next_id_ = 1;
};

}  // namespace nv12slot::standin

#endif  // NV12SLOT_TESTS_STANDIN_MEMORY_H_
