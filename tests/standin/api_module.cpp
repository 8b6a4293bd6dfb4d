// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Driver API: modules and kernel launches. Any image loads; a function exists when the stand-in has
// a kernel of that name.

#include <cstring>
#include <memory>
#include <vector>

#include "calls.h"
#include "driver.h"
#include "kernels.h"

using namespace nv12slot::standin;

namespace {

CUresult load(Entry& entry, CUmodule* handle, const void* image) {
  if (handle == nullptr || image == nullptr) return kInvalidValue;
  auto module = std::make_shared<Module>();
  module->context = entry.context;
  *handle = driver().new_handle<CUmodule>();
  driver().modules[*handle] = std::move(module);
  spend(entry.lock, 1000);  // not measured: it takes milliseconds, while other threads go on
  return CUDA_SUCCESS;
}

// A launch with parameters of its own, because the caller's end with the call.
struct Launch {
  standin_launch launch{};
  std::vector<std::vector<uint8_t>> values;
  std::vector<void*> pointers;
};

std::shared_ptr<Launch> copy_launch(const Kernel& kernel, void** parameters) {
  auto copy = std::make_shared<Launch>();
  for (size_t i = 0; i < kernel.parameter_sizes.size(); i++) {
    const auto* from = static_cast<const uint8_t*>(parameters[i]);
    copy->values.emplace_back(from, from + kernel.parameter_sizes[i]);
    copy->pointers.push_back(copy->values.back().data());
  }
  copy->launch.parameters = copy->pointers.data();
  return copy;
}

}  // namespace

extern "C" {

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  STANDIN_ENTER(kSound);
  return load(entry, module, image);
}

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, void*, void**) {
  STANDIN_ENTER(kSound);
  return load(entry, module, image);
}

CUresult cuModuleLoadFatBinary(CUmodule* module, const void* image) {
  STANDIN_ENTER(kSound);
  return load(entry, module, image);
}

CUresult cuModuleUnload(CUmodule module) {
  STANDIN_ENTER(kSound);
  return driver().modules.erase(module) != 0 ? CUDA_SUCCESS : kInvalidHandle;
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  STANDIN_ENTER(kSound);
  if (driver().modules.count(module) == 0) return kInvalidHandle;
  if (kernels().count(name) == 0) return kNotFound;
  *function = driver().new_handle<CUfunction>();
  driver().functions[*function] = name;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr*, size_t*, CUmodule module, const char*) {
  STANDIN_ENTER(kSound);
  return driver().modules.count(module) == 0 ? kInvalidHandle : kNotFound;
}
CUresult cuModuleGetGlobal(CUdeviceptr* pointer, size_t* size, CUmodule module, const char* name) {
  return cuModuleGetGlobal_v2(pointer, size, module, name);
}

CUresult cuFuncLoad(CUfunction function) {
  STANDIN_ENTER(kSound);
  return driver().functions.count(function) == 0 ? kInvalidHandle : CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int* value, int, CUfunction function) {
  STANDIN_ENTER(kSound);
  if (driver().functions.count(function) == 0) return kInvalidHandle;
  *value = 1024;
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, int, int) {
  STANDIN_ENTER(kSound);
  return driver().functions.count(function) == 0 ? kInvalidHandle : CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned,
                        CUstream handle, void** parameters, void**) {
  STANDIN_ENTER(kSound);
  const auto name = driver().functions.find(function);
  if (name == driver().functions.end()) return kInvalidHandle;
  const auto stream = find_stream(entry, handle);
  if (stream == nullptr || stream->context != entry.context) return kInvalidHandle;
  const unsigned dimensions[] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
  for (const unsigned dimension : dimensions) {
    if (dimension == 0) return kInvalidValue;
  }
  if (uint64_t{block_x} * block_y * block_z > 1024 || parameters == nullptr) return kInvalidValue;

  const Kernel& kernel = kernels().at(name->second);
  const auto launch = copy_launch(kernel, parameters);
  std::memcpy(launch->launch.grid, dimensions, sizeof(launch->launch.grid));
  std::memcpy(launch->launch.block, dimensions + 3, sizeof(launch->launch.block));
  Operation operation;
  operation.name = name->second;
  operation.fault = take_operation_fault(entry.call);
  operation.access = Access::kDirect;
  operation.timed = true;
  operation.ranges.resize(kMaxKernelRanges);
  operation.ranges.resize(kernel.ranges(&launch->launch, operation.ranges.data()));
  for (const Range& range : operation.ranges) operation.bytes += range.row_bytes * range.rows;
  operation.run = [launch, run = kernel.run] { run(&launch->launch); };
  return enqueue(stream, std::move(operation));
}

}  // extern "C"
