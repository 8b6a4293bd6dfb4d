// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Driver API: initialization, devices, errors, entry points.

#include <dlfcn.h>

#include <cstdio>
#include <cstring>

#include "driver.h"

using namespace nv12slot::standin;

namespace {

constexpr int kDriverVersion = 13000;

struct ResultText {
  int result;
  const char* name;
  const char* text;
};

constexpr ResultText kResultTexts[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {205, "CUDA_ERROR_MAP_FAILED", "mapping of buffer object failed"},
    {217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED",
     "peer access is not supported between these two devices"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", "peer access is already enabled"},
    {705, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", "peer access has not been enabled"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {800, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const ResultText* find_text(CUresult result) {
  for (const ResultText& candidate : kResultTexts) {
    if (candidate.result == static_cast<int>(result)) return &candidate;
  }
  return nullptr;
}

bool valid(CUdevice device) {
  return device >= 0 && device < kDeviceCount;
}

// Those that matter have the H200's value; all others are 0.
int attribute_value(int attribute, CUdevice device) {
  switch (attribute) {
    case 1:  // MAX_THREADS_PER_BLOCK
    case 2:  // MAX_BLOCK_DIM_X
      return 1024;
    case 10:  // WARP_SIZE
      return 32;
    case 14:  // TEXTURE_ALIGNMENT
      return static_cast<int>(kTextureAlignment);
    case 51:  // TEXTURE_PITCH_ALIGNMENT
      return 32;
    case 16:  // MULTIPROCESSOR_COUNT
      return 132;
    case 33:  // PCI_BUS_ID
      return device + 1;
    case 75:  // COMPUTE_CAPABILITY_MAJOR
      return 9;
    case 19:   // CAN_MAP_HOST_MEMORY
    case 31:   // CONCURRENT_KERNELS
    case 41:   // UNIFIED_ADDRESSING
    case 78:   // STREAM_PRIORITIES_SUPPORTED
    case 83:   // MANAGED_MEMORY
    case 115:  // MEMORY_POOLS_SUPPORTED
      return 1;
    case 40:  // ASYNC_ENGINE_COUNT
      return 3;
    default:
      return 0;
  }
}

}  // namespace

extern "C" {

CUresult cuInit(unsigned flags) {
  STANDIN_ENTER(kNothing);
  if (flags != 0) return kInvalidValue;
  driver().initialized = true;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int* version) {
  STANDIN_ENTER(kNothing);
  if (version == nullptr) return kInvalidValue;
  *version = kDriverVersion;
  return CUDA_SUCCESS;
}

// Whatever comes of it, there is an answer: FFmpeg reads it without asking whether it failed.
CUresult cuGetErrorName(CUresult error, const char** name) {
  *name = nullptr;
  STANDIN_ENTER(kNothing);
  const ResultText* text = find_text(error);
  *name = text == nullptr ? nullptr : text->name;
  return text == nullptr ? kInvalidValue : CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char** string) {
  *string = nullptr;
  STANDIN_ENTER(kNothing);
  const ResultText* text = find_text(error);
  *string = text == nullptr ? nullptr : text->text;
  return text == nullptr ? kInvalidValue : CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* count) {
  STANDIN_ENTER(kInitialized);
  *count = kDeviceCount;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  STANDIN_ENTER(kInitialized);
  if (!valid(ordinal)) return kInvalidDevice;
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  std::snprintf(name, static_cast<size_t>(length), "nv12slot stand-in %d", device);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  std::memset(uuid->bytes, 0x5a, sizeof(uuid->bytes));
  uuid->bytes[15] = static_cast<char>(device);
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) {
  return cuDeviceGetUuid(uuid, device);
}

CUresult cuDeviceGetPCIBusId(char* text, int length, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  std::snprintf(text, static_cast<size_t>(length), "0000:%02x:00.0", device + 1);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetByPCIBusId(CUdevice* device, const char* text) {
  STANDIN_ENTER(kInitialized);
  unsigned domain = 0;
  unsigned bus = 0;
  if (std::sscanf(text, "%x:%x", &domain, &bus) != 2) return kInvalidValue;
  if (!valid(static_cast<int>(bus) - 1)) return kInvalidDevice;
  *device = static_cast<int>(bus) - 1;
  return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  *bytes = driver().memory.limit();
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  *value = attribute_value(static_cast<int>(attribute), device);
  return CUDA_SUCCESS;
}

CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  *major = 9;
  *minor = 0;
  return CUDA_SUCCESS;
}

CUresult cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device) || !valid(peer)) return kInvalidDevice;
  *can = device != peer && driver().peer_access;
  return CUDA_SUCCESS;
}

CUresult cuGetProcAddress(const char* symbol, void** function, int version, uint64_t) {
  STANDIN_ENTER(kNothing);
  Dl_info self = {};
  dladdr(reinterpret_cast<void*>(&cuInit), &self);
  void* library = dlopen(self.dli_fname, RTLD_NOLOAD | RTLD_LAZY);
  const std::string name = symbol;
  const char* const suffixes[] = {version >= 13000 && name == "cuCtxCreate" ? "_v4" : "_v2", ""};
  *function = nullptr;
  for (const char* suffix : suffixes) {
    if (*function == nullptr) *function = dlsym(library, (name + suffix).c_str());
  }
  dlclose(library);
  return *function == nullptr ? kNotFound : CUDA_SUCCESS;
}

CUresult cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t flags,
                             int* status) {
  const CUresult result = cuGetProcAddress(symbol, function, version, flags);
  if (status != nullptr) *status = result == CUDA_SUCCESS ? 0 : 1;
  return result;
}

// The undocumented tables that cudart asks for.
CUresult cuGetExportTable(const void** table, const CUuuid*) {
  STANDIN_ENTER(kNothing);
  *table = nullptr;
  return kNotFound;
}

}  // extern "C"
