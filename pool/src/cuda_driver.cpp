// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda_driver.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "nv12slot/log.h"

namespace nv12slot {
namespace {

// The driver's version of a call is part of its symbol's name.
#define NV12SLOT_STRING(x) #x
#define NV12SLOT_SYMBOL(x) NV12SLOT_STRING(x)

constinit std::atomic<bool> g_exiting{false};

std::string_view base_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

/// A driver is there and does not work, which whoever goes on without one would not say.
Error refused(std::string why) {
  log(LogLevel::kWarning, "DEVICE none can be used: " + why);
  return {Errc::kNoDevice, std::move(why)};
}

Result<const CudaDriver*> load() {
  // RTLD_NOW: a driver that is incomplete says so here, not at some later call. RTLD_LOCAL:
  // everything is looked up by name, so nobody else's symbols need to change meaning. Never closed:
  // the driver has threads of its own.
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Error{Errc::kNoDevice, fmt::format("no NVIDIA driver: {}", dlerror())};
  }
  static CudaDriver driver;
#define NV12SLOT_CUDA_LOOK_UP(function)                                                       \
  driver.function =                                                                           \
      reinterpret_cast<decltype(driver.function)>(dlsym(library, NV12SLOT_SYMBOL(function))); \
  if (driver.function == nullptr) {                                                           \
    return refused("the NVIDIA driver is too old: it has no " NV12SLOT_SYMBOL(function));     \
  }
  NV12SLOT_CUDA_FUNCTIONS(NV12SLOT_CUDA_LOOK_UP)
#undef NV12SLOT_CUDA_LOOK_UP
#define NV12SLOT_CUDA_LOOK_UP(function, ...) \
  driver.function =                          \
      reinterpret_cast<decltype(driver.function)>(dlsym(library, NV12SLOT_SYMBOL(function)));
  NV12SLOT_CUDA_OPTIONAL_FUNCTIONS(NV12SLOT_CUDA_LOOK_UP)
#undef NV12SLOT_CUDA_LOOK_UP

  const CUresult result = CudaDriver::is_exiting() ? CUDA_ERROR_DEINITIALIZED : driver.cuInit(0);
  if (const Status status = driver.check(result, "cuInit(0)", __FILE__, __LINE__); !status) {
    if (status.code() == Errc::kExiting) return status.error();
    // A machine may well have the driver and no device.
    if (result == CUDA_ERROR_NO_DEVICE) return Error{Errc::kNoDevice, status.error().message};
    return refused(status.error().message);
  }
  // Handlers run in reverse order: after cuInit() this one runs before what the driver registered
  // there takes it down. A call that another thread is already in can still meet that.
  std::atexit([] { g_exiting.store(true); });
  return &driver;
}

}  // namespace

Result<const CudaDriver*> CudaDriver::get() {
  if (is_exiting()) return Error{Errc::kExiting, "exit() has begun"};
  // Not destroyed at exit: other threads may be reading it.
  static const auto& result = *new Result<const CudaDriver*>(load());
  return result;
}

bool CudaDriver::is_exiting() {
  return g_exiting.load(std::memory_order_relaxed);
}

Status CudaDriver::check(CUresult result, const char* call, const char* file, int line) const {
  if (result == CUDA_SUCCESS) return {};
  const char* name = nullptr;
  const char* text = nullptr;
  // These two read tables, so they are safe even then; but rule is rule.
  if (!is_exiting()) {
    cuGetErrorName(result, &name);
    cuGetErrorString(result, &text);
  }
  const Errc code = result == CUDA_ERROR_OUT_OF_MEMORY   ? Errc::kOutOfMemory
                    : result == CUDA_ERROR_DEINITIALIZED ? Errc::kExiting
                                                         : Errc::kDeviceFailed;
  return Error{
      code,
      fmt::format("{} at {}:{}: {} ({})", call, base_name(file), line,
                  name != nullptr ? name : fmt::format("CUDA error {}", static_cast<int>(result)),
                  text != nullptr ? text : "no text")};
}

}  // namespace nv12slot
