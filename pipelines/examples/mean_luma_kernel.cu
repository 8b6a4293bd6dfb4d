// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mean_luma_kernel.h"

namespace {

constexpr unsigned kThreads = 256;

// A block for each row.
__global__ void add_rows(const uint8_t* plane, size_t stride, unsigned width,
                         unsigned long long* sum) {
  const uint8_t* row = plane + blockIdx.x * stride;
  unsigned long long own = 0;
  for (unsigned x = threadIdx.x; x < width; x += blockDim.x) own += row[x];
  atomicAdd(sum, own);
}

class CudaLumaKernel : public LumaKernel {
 public:
  ~CudaLumaKernel() override {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
    cudaFree(sum_);
  }

  // The runtime uses the device's primary context, in which the slots are.
  bool start(int device) {
    return cudaSetDevice(device) == cudaSuccess &&
           cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) == cudaSuccess &&
           cudaMalloc(&sum_, sizeof *sum_) == cudaSuccess &&
           cudaMemset(sum_, 0, sizeof *sum_) == cudaSuccess &&
           cudaDeviceSynchronize() == cudaSuccess;
  }

  void* stream() const override { return stream_; }

  bool add(std::uint64_t plane, std::size_t stride, unsigned width, unsigned height) override {
    add_rows<<<height, kThreads, 0, stream_>>>(reinterpret_cast<const uint8_t*>(plane), stride,
                                               width, sum_);
    return cudaGetLastError() == cudaSuccess;
  }

  std::uint64_t sum() override {
    unsigned long long sum = 0;
    cudaMemcpyAsync(&sum, sum_, sizeof sum, cudaMemcpyDeviceToHost, stream_);
    cudaStreamSynchronize(stream_);
    return sum;
  }

 private:
  cudaStream_t stream_ = nullptr;
  unsigned long long* sum_ = nullptr;
};

}  // namespace

std::unique_ptr<LumaKernel> LumaKernel::open(int device) {
  auto kernel = std::make_unique<CudaLumaKernel>();
  if (!kernel->start(device)) return nullptr;
  return kernel;
}
