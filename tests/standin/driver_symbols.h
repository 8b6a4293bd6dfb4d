// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver calls that the stand-in's own tests make, found by name as every user of the driver
// does.

#ifndef NV12SLOT_TESTS_STANDIN_DRIVER_SYMBOLS_H_
#define NV12SLOT_TESTS_STANDIN_DRIVER_SYMBOLS_H_

#include <dlfcn.h>
#include <ffnvcodec/dynlink_cuda.h>
// dynlink_nvcuvid.h needs the types of dynlink_cuda.h.
#include <ffnvcodec/dynlink_nvcuvid.h>
#include <gtest/gtest.h>

#include "results.h"
#include "standin_control.h"

namespace nv12slot::standin {

template <typename... Arguments>
class Symbol {
 public:
  Symbol(const char* library, const char* name)
      : function_(reinterpret_cast<Function*>(dlsym(dlopen(library, RTLD_NOW), name))) {}
  CUresult operator()(Arguments... arguments) const { return function_(arguments...); }

 private:
  using Function = CUresult(Arguments...);
  Function* function_;
};

#define STANDIN_DRIVER(variable, name, ...)   \
  inline const Symbol<__VA_ARGS__> variable { \
    "libcuda.so.1", name                      \
  }
#define STANDIN_NVCUVID(variable, name, ...)  \
  inline const Symbol<__VA_ARGS__> variable { \
    "libnvcuvid.so.1", name                   \
  }

STANDIN_DRIVER(init, "cuInit", unsigned);
STANDIN_DRIVER(retain_primary, "cuDevicePrimaryCtxRetain", CUcontext*, CUdevice);
STANDIN_DRIVER(release_primary, "cuDevicePrimaryCtxRelease_v2", CUdevice);
STANDIN_DRIVER(primary_state, "cuDevicePrimaryCtxGetState", CUdevice, unsigned*, int*);
STANDIN_DRIVER(create_context, "cuCtxCreate_v2", CUcontext*, unsigned, CUdevice);
STANDIN_DRIVER(destroy_context, "cuCtxDestroy_v2", CUcontext);
STANDIN_DRIVER(push_context, "cuCtxPushCurrent_v2", CUcontext);
STANDIN_DRIVER(pop_context, "cuCtxPopCurrent_v2", CUcontext*);
STANDIN_DRIVER(set_context, "cuCtxSetCurrent", CUcontext);
STANDIN_DRIVER(get_context, "cuCtxGetCurrent", CUcontext*);
STANDIN_DRIVER(synchronize_context, "cuCtxSynchronize");
STANDIN_DRIVER(enable_peer, "cuCtxEnablePeerAccess", CUcontext, unsigned);
STANDIN_DRIVER(allocate, "cuMemAlloc_v2", CUdeviceptr*, size_t);
STANDIN_DRIVER(allocate_pitch, "cuMemAllocPitch_v2", CUdeviceptr*, size_t*, size_t, size_t,
               unsigned);
STANDIN_DRIVER(free_memory, "cuMemFree_v2", CUdeviceptr);
STANDIN_DRIVER(allocate_host, "cuMemAllocHost_v2", void**, size_t);
STANDIN_DRIVER(free_host, "cuMemFreeHost", void*);
STANDIN_DRIVER(allocate_async, "cuMemAllocAsync", CUdeviceptr*, size_t, CUstream);
STANDIN_DRIVER(create_pool, "cuMemPoolCreate", void**, const void*);
STANDIN_DRIVER(destroy_pool, "cuMemPoolDestroy", void*);
STANDIN_DRIVER(set_pool_access, "cuMemPoolSetAccess", void*, const void*, size_t);
STANDIN_DRIVER(get_pool_access, "cuMemPoolGetAccess", int*, void*, const void*);
STANDIN_DRIVER(default_pool, "cuDeviceGetDefaultMemPool", void**, CUdevice);
STANDIN_DRIVER(allocate_from_pool, "cuMemAllocFromPoolAsync", CUdeviceptr*, size_t, void*,
               CUstream);
STANDIN_DRIVER(can_access_peer, "cuDeviceCanAccessPeer", int*, CUdevice, CUdevice);
STANDIN_DRIVER(pointer_attribute, "cuPointerGetAttribute", void*, int, CUdeviceptr);
STANDIN_DRIVER(copy_between_async, "cuMemcpyPeerAsync", CUdeviceptr, CUcontext, CUdeviceptr,
               CUcontext, size_t, CUstream);
STANDIN_DRIVER(free_async, "cuMemFreeAsync", CUdeviceptr, CUstream);
STANDIN_DRIVER(copy_2d, "cuMemcpy2D_v2", const CUDA_MEMCPY2D*);
STANDIN_DRIVER(copy_2d_async, "cuMemcpy2DAsync_v2", const CUDA_MEMCPY2D*, CUstream);
STANDIN_DRIVER(copy_to_device, "cuMemcpyHtoD_v2", CUdeviceptr, const void*, size_t);
STANDIN_DRIVER(copy_to_device_async, "cuMemcpyHtoDAsync_v2", CUdeviceptr, const void*, size_t,
               CUstream);
STANDIN_DRIVER(copy_to_host, "cuMemcpyDtoH_v2", void*, CUdeviceptr, size_t);
STANDIN_DRIVER(copy_to_host_async, "cuMemcpyDtoHAsync_v2", void*, CUdeviceptr, size_t, CUstream);
STANDIN_DRIVER(copy_on_device, "cuMemcpyDtoD_v2", CUdeviceptr, CUdeviceptr, size_t);
STANDIN_DRIVER(copy_on_device_async, "cuMemcpyDtoDAsync_v2", CUdeviceptr, CUdeviceptr, size_t,
               CUstream);
STANDIN_DRIVER(fill_async, "cuMemsetD8Async", CUdeviceptr, unsigned char, size_t, CUstream);
STANDIN_DRIVER(create_stream, "cuStreamCreate", CUstream*, unsigned);
STANDIN_DRIVER(destroy_stream, "cuStreamDestroy_v2", CUstream);
STANDIN_DRIVER(query_stream, "cuStreamQuery", CUstream);
STANDIN_DRIVER(synchronize, "cuStreamSynchronize", CUstream);
STANDIN_DRIVER(wait_event, "cuStreamWaitEvent", CUstream, CUevent, unsigned);
STANDIN_DRIVER(launch_host, "cuLaunchHostFunc", CUstream, void (*)(void*), void*);
STANDIN_DRIVER(create_event, "cuEventCreate", CUevent*, unsigned);
STANDIN_DRIVER(destroy_event, "cuEventDestroy_v2", CUevent);
STANDIN_DRIVER(record_event, "cuEventRecord", CUevent, CUstream);
STANDIN_DRIVER(query_event, "cuEventQuery", CUevent);
STANDIN_DRIVER(synchronize_event, "cuEventSynchronize", CUevent);
STANDIN_DRIVER(elapsed_time, "cuEventElapsedTime", float*, CUevent, CUevent);
STANDIN_DRIVER(load_module, "cuModuleLoadData", CUmodule*, const void*);
STANDIN_DRIVER(unload_module, "cuModuleUnload", CUmodule);
STANDIN_DRIVER(get_function, "cuModuleGetFunction", CUfunction*, CUmodule, const char*);
STANDIN_DRIVER(launch, "cuLaunchKernel", CUfunction, unsigned, unsigned, unsigned, unsigned,
               unsigned, unsigned, unsigned, CUstream, void**, void**);

STANDIN_NVCUVID(create_decoder, "cuvidCreateDecoder", CUvideodecoder*, CUVIDDECODECREATEINFO*);
STANDIN_NVCUVID(destroy_decoder, "cuvidDestroyDecoder", CUvideodecoder);
STANDIN_NVCUVID(decode_picture, "cuvidDecodePicture", CUvideodecoder, CUVIDPICPARAMS*);
STANDIN_NVCUVID(decode_status, "cuvidGetDecodeStatus", CUvideodecoder, int, CUVIDGETDECODESTATUS*);
STANDIN_NVCUVID(reconfigure_decoder, "cuvidReconfigureDecoder", CUvideodecoder,
                CUVIDRECONFIGUREDECODERINFO*);
STANDIN_NVCUVID(map_frame, "cuvidMapVideoFrame64", CUvideodecoder, int, unsigned long long*,
                unsigned*, CUVIDPROCPARAMS*);
STANDIN_NVCUVID(unmap_frame, "cuvidUnmapVideoFrame64", CUvideodecoder, unsigned long long);

// A test with device 0's primary context current and a fresh stand-in; checks that it left nothing.
class StandinTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(control().present()) << "libcuda.so.1 is not the stand-in; set LD_LIBRARY_PATH";
    control().reset();
    ASSERT_EQ(init(0), CUDA_SUCCESS);
    ASSERT_EQ(retain_primary(&context_, 0), CUDA_SUCCESS);
    ASSERT_EQ(push_context(context_), CUDA_SUCCESS);
  }

  void TearDown() override {
    if (!control().present()) return;
    control().reset();
    CUcontext popped = nullptr;
    EXPECT_EQ(pop_context(&popped), CUDA_SUCCESS);
    EXPECT_EQ(popped, context_);
    EXPECT_EQ(release_primary(0), CUDA_SUCCESS);
    EXPECT_EQ(control().bytes_allocated(-1), 0u);
    EXPECT_EQ(control().live_streams(-1), 0u);
  }

  static CUdeviceptr memory(size_t size) {
    CUdeviceptr pointer = 0;
    EXPECT_EQ(allocate(&pointer, size), CUDA_SUCCESS);
    return pointer;
  }

  static CUstream stream(unsigned flags = CU_STREAM_NON_BLOCKING) {
    CUstream made = nullptr;
    EXPECT_EQ(create_stream(&made, flags), CUDA_SUCCESS);
    return made;
  }

  static CUevent event() {
    CUevent made = nullptr;
    EXPECT_EQ(create_event(&made, CU_EVENT_DISABLE_TIMING), CUDA_SUCCESS);
    return made;
  }

  // Lets other threads get as far as nothing holds them: a stand-in that does not wait where it
  // must has gone on after this.
  static void let_others_run() {
    const CUstream busy = stream();
    for (int i = 0; i < 100; i++) {
      EXPECT_EQ(launch_host(
                    busy, [](void*) {}, nullptr),
                CUDA_SUCCESS);
      EXPECT_EQ(synchronize(busy), CUDA_SUCCESS);
    }
    EXPECT_EQ(destroy_stream(busy), CUDA_SUCCESS);
  }

  // What the host sees; a real device's memory it could not.
  static uint8_t byte_at(CUdeviceptr pointer) { return *reinterpret_cast<uint8_t*>(pointer); }

  CUcontext context_ = nullptr;
};

}  // namespace nv12slot::standin

#endif  // NV12SLOT_TESTS_STANDIN_DRIVER_SYMBOLS_H_
