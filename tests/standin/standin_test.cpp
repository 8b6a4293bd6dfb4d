// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The stand-in driver: contexts, memory, faults, counters, kernels, the end of the process.

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "driver_symbols.h"

namespace nv12slot::standin {
namespace {

TEST_F(StandinTest, primary_context_has_one_handle_and_dies_with_its_last_reference) {
  CUcontext again = nullptr;
  ASSERT_EQ(retain_primary(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, context_);
  unsigned flags = 0;
  int active = 0;
  ASSERT_EQ(primary_state(1, &flags, &active), CUDA_SUCCESS);
  EXPECT_EQ(active, 0);
  ASSERT_EQ(release_primary(0), CUDA_SUCCESS);
  memory(100);
  ASSERT_EQ(release_primary(0), CUDA_SUCCESS);
  EXPECT_EQ(control().live_allocations(0), 0u);
  EXPECT_EQ(synchronize_context(), kContextIsDestroyed);
  ASSERT_EQ(retain_primary(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, context_);
  EXPECT_EQ(synchronize_context(), CUDA_SUCCESS);
}

TEST_F(StandinTest, calls_without_current_context_are_refused) {
  std::thread([] {
    CUdeviceptr pointer = 0;
    EXPECT_EQ(allocate(&pointer, 1), kInvalidContext);
    EXPECT_EQ(pop_context(nullptr), kInvalidContext);
  }).join();
}

TEST_F(StandinTest, context_stack_is_per_thread_and_nested) {
  CUcontext own = nullptr;
  ASSERT_EQ(create_context(&own, 0, 1), CUDA_SUCCESS);
  CUcontext current = nullptr;
  ASSERT_EQ(get_context(&current), CUDA_SUCCESS);
  EXPECT_EQ(current, own);
  EXPECT_NE(own, context_);
  std::thread([] {
    CUcontext other = reinterpret_cast<CUcontext>(uintptr_t{1});
    EXPECT_EQ(get_context(&other), CUDA_SUCCESS);
    EXPECT_EQ(other, nullptr);
  }).join();
  ASSERT_EQ(destroy_context(own), CUDA_SUCCESS);
  ASSERT_EQ(get_context(&current), CUDA_SUCCESS);
  EXPECT_EQ(current, context_);
  EXPECT_EQ(push_context(own), kInvalidContext);
}

TEST_F(StandinTest, stream_of_another_context_cannot_be_used) {
  const CUstream here = stream();
  const CUdeviceptr pointer = memory(16);
  CUcontext own = nullptr;
  ASSERT_EQ(create_context(&own, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(fill_async(pointer, 0, 16, here), kInvalidHandle);
  CUevent foreign = event();
  EXPECT_EQ(record_event(foreign, here), kInvalidHandle);
  ASSERT_EQ(destroy_context(own), CUDA_SUCCESS);
  EXPECT_EQ(record_event(foreign, here), kInvalidHandle);
}

TEST_F(StandinTest, pitch_is_a_multiple_of_512) {
  CUdeviceptr pointer = 0;
  size_t pitch = 0;
  ASSERT_EQ(allocate_pitch(&pointer, &pitch, 1921, 10, 16), CUDA_SUCCESS);
  EXPECT_EQ(pitch, 2048u);
  EXPECT_EQ(pointer % 512, 0u);
  EXPECT_EQ(allocate_pitch(&pointer, &pitch, 1, 1, 3), kInvalidValue);
}

TEST_F(StandinTest, memory_is_limited_per_device) {
  control().set_memory_limit(1 << 20);
  CUdeviceptr pointer = 0;
  EXPECT_EQ(allocate(&pointer, (1 << 20) + 1), kOutOfMemory);
  const CUdeviceptr all = memory(1 << 20);
  EXPECT_EQ(allocate(&pointer, 1), kOutOfMemory);
  CUcontext other = nullptr;
  ASSERT_EQ(create_context(&other, 0, 1), CUDA_SUCCESS);
  EXPECT_EQ(allocate(&pointer, 1 << 20), CUDA_SUCCESS);
  EXPECT_EQ(control().bytes_allocated(1), 1u << 20);
  ASSERT_EQ(destroy_context(other), CUDA_SUCCESS);
  ASSERT_EQ(free_memory(all), CUDA_SUCCESS);
  EXPECT_EQ(allocate(&pointer, 1 << 20), CUDA_SUCCESS);
}

TEST_F(StandinTest, freed_memory_is_poisoned) {
  const CUdeviceptr pointer = memory(4096);
  ASSERT_EQ(fill_async(pointer, 1, 4096, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(free_memory(pointer), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer), 0xdb);
  EXPECT_EQ(byte_at(pointer + 4095), 0xdb);
  EXPECT_EQ(free_memory(pointer), kInvalidValue);
}

TEST_F(StandinTest, use_of_freed_memory_breaks_the_context_for_good) {
  const CUdeviceptr freed = memory(64);
  const CUdeviceptr valid = memory(64);
  ASSERT_EQ(free_memory(freed), CUDA_SUCCESS);
  EXPECT_EQ(copy_on_device(valid, freed, 64), kIllegalAddress);
  EXPECT_EQ(control().hazards(), 1u);
  EXPECT_NE(std::string(control().last_hazard()).find("which is freed"), std::string::npos);
  CUdeviceptr pointer = 0;
  EXPECT_EQ(allocate(&pointer, 1), kIllegalAddress);
  EXPECT_EQ(synchronize_context(), kIllegalAddress);
  CUcontext other = nullptr;
  ASSERT_EQ(create_context(&other, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(allocate(&pointer, 1), CUDA_SUCCESS);
  ASSERT_EQ(destroy_context(other), CUDA_SUCCESS);
}

TEST_F(StandinTest, access_past_the_end_is_illegal) {
  const CUdeviceptr pointer = memory(64);
  EXPECT_EQ(fill_async(pointer + 1, 0, 64, nullptr), kIllegalAddress);
}

TEST_F(StandinTest, freeing_waits_for_the_users_of_the_memory_only) {
  const CUdeviceptr used = memory(64);
  const CUdeviceptr unused = memory(64);
  const CUstream busy = stream();
  StreamGate gate(busy);
  ASSERT_EQ(fill_async(used, 1, 64, busy), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(unused), CUDA_SUCCESS);
  EXPECT_EQ(query_stream(busy), kNotReady);
  std::thread opener([&] { gate.open(); });
  EXPECT_EQ(free_memory(used), CUDA_SUCCESS);
  EXPECT_EQ(query_stream(busy), CUDA_SUCCESS);
  opener.join();
}

TEST_F(StandinTest, cost_model_lets_a_free_wait_for_the_device) {
  control().set_cost_model(1);
  const CUdeviceptr unused = memory(64);
  const CUstream busy = stream();
  StreamGate gate(busy);
  std::atomic<bool> freed{false};
  std::thread freeing([&] {
    EXPECT_EQ(set_context(context_), CUDA_SUCCESS);
    EXPECT_EQ(free_memory(unused), CUDA_SUCCESS);
    freed = true;
  });
  while (control().calls("cuMemFree") == 0) std::this_thread::yield();
  let_others_run();
  EXPECT_FALSE(freed);
  const auto opened = std::chrono::steady_clock::now();
  gate.open();
  freeing.join();
  EXPECT_GE(std::chrono::steady_clock::now() - opened, std::chrono::microseconds(18700));
}

TEST_F(StandinTest, cost_model_is_off_by_default) {
  const CUdeviceptr unused = memory(64);
  const CUstream busy = stream();
  StreamGate gate(busy);
  EXPECT_EQ(free_memory(unused), CUDA_SUCCESS);
  EXPECT_EQ(query_stream(busy), kNotReady);
}

TEST_F(StandinTest, fault_hits_the_chosen_calls_only) {
  control().fail("cuMemAlloc", 2, 1, 2);
  CUdeviceptr pointer = 0;
  EXPECT_EQ(allocate(&pointer, 1), CUDA_SUCCESS);
  EXPECT_EQ(allocate(&pointer, 1), kOutOfMemory);
  EXPECT_EQ(allocate(&pointer, 1), kOutOfMemory);
  EXPECT_EQ(allocate(&pointer, 1), CUDA_SUCCESS);
  control().fail("cuMemAlloc_v2", 2, 0, -1);
  for (int i = 0; i < 5; i++) EXPECT_EQ(allocate(&pointer, 1), kOutOfMemory);
  EXPECT_EQ(control().calls("cuMemAlloc"), 9u);
}

TEST_F(StandinTest, fault_of_any_call_counts_calls_of_every_name) {
  CUdeviceptr pointer = 0;
  CUcontext current = nullptr;
  control().fail(nullptr, 2, 1, 1);
  EXPECT_EQ(get_context(&current), CUDA_SUCCESS);
  EXPECT_EQ(allocate(&pointer, 1), kOutOfMemory);
  EXPECT_EQ(allocate(&pointer, 1), CUDA_SUCCESS);
  EXPECT_EQ(control().faults("cuMemAlloc"), 1u);
  EXPECT_EQ(control().faults("cuCtxGetCurrent"), 0u);
  EXPECT_EQ(control().faults(nullptr), 1u);
}

TEST_F(StandinTest, calls_of_a_spared_thread_do_not_fail_and_use_no_fault_up) {
  control().fail("cuCtxGetCurrent", 2, 0, 1);
  std::thread([] {
    control().spare(gettid());
    CUcontext current = nullptr;
    EXPECT_EQ(get_context(&current), CUDA_SUCCESS);
  }).join();
  EXPECT_EQ(control().faults(nullptr), 0u);
  CUcontext current = nullptr;
  EXPECT_EQ(get_context(&current), kOutOfMemory);
  EXPECT_EQ(control().faults("cuCtxGetCurrent"), 1u);
}

TEST_F(StandinTest, failed_operation_is_reported_later_and_sticks) {
  const CUstream queue = stream();
  const CUevent done = event();
  const CUdeviceptr pointer = memory(1);
  control().fail_operation("cuMemsetD8Async", 719, 0, 1);
  StreamGate gate(queue);
  EXPECT_EQ(fill_async(pointer, 3, 1, queue), CUDA_SUCCESS);
  EXPECT_EQ(record_event(done, queue), CUDA_SUCCESS);
  gate.open();
  EXPECT_EQ(static_cast<int>(synchronize_event(done)), 719);
  EXPECT_EQ(static_cast<int>(query_event(done)), 719);
  EXPECT_EQ(static_cast<int>(synchronize(queue)), 719);
  EXPECT_EQ(byte_at(pointer), 0);
}

TEST_F(StandinTest, sticky_error_on_demand) {
  control().stick(0, nullptr, 700);
  EXPECT_EQ(synchronize_context(), kIllegalAddress);
  control().stick(0, nullptr, 0);
  EXPECT_EQ(synchronize_context(), CUDA_SUCCESS);
}

TEST_F(StandinTest, calls_are_counted_by_thread) {
  memory(1);
  int other = 0;
  std::thread([&] {
    other = gettid();
    ASSERT_EQ(set_context(context_), CUDA_SUCCESS);
    memory(1);
    memory(1);
  }).join();
  EXPECT_EQ(control().calls("cuMemAlloc"), 3u);
  EXPECT_EQ(control().thread_calls("cuMemAlloc", gettid()), 1u);
  EXPECT_EQ(control().thread_calls("cuMemAlloc", other), 2u);
  std::array<int, 4> threads{};
  EXPECT_EQ(control().callers("cuCtxSetCurrent", threads.data(), threads.size()), 1u);
  EXPECT_EQ(threads[0], other);
}

TEST_F(StandinTest, kernel_copies_nv12_by_its_name) {
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  ASSERT_EQ(load_module(&module, "any image"), CUDA_SUCCESS);
  EXPECT_EQ(get_function(&function, module, "no_such_kernel"), kNotFound);
  ASSERT_EQ(get_function(&function, module, "nv12slot_copy_nv12"), CUDA_SUCCESS);
  const CUdeviceptr source = memory(96);
  const CUdeviceptr target = memory(96);
  std::array<uint8_t, 96> bytes;
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(i + 1);
  ASSERT_EQ(copy_to_device(source, bytes.data(), bytes.size()), CUDA_SUCCESS);
  CUdeviceptr source_uv = source + 64;
  CUdeviceptr target_uv = target + 64;
  CUdeviceptr source_y = source;
  CUdeviceptr target_y = target;
  size_t pitch = 16;
  uint32_t width = 8;
  uint32_t height = 4;
  void* parameters[] = {&source_y, &pitch,     &source_uv, &pitch, &target_y,
                        &pitch,    &target_uv, &pitch,     &width, &height};
  const CUstream queue = stream();
  ASSERT_EQ(launch(function, 1, 1, 1, 32, 1, 1, 0, queue, parameters, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(synchronize(queue), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(target + 7), 8);
  EXPECT_EQ(byte_at(target + 8), 0);
  EXPECT_EQ(byte_at(target + 48), 49);
  EXPECT_EQ(byte_at(target + 64), 65);
  EXPECT_EQ(byte_at(target + 80), 81);
  EXPECT_EQ(launch(function, 0, 1, 1, 32, 1, 1, 0, queue, parameters, nullptr), kInvalidValue);
  target_uv = target + 96 - 16;
  EXPECT_EQ(launch(function, 1, 1, 1, 32, 1, 1, 0, queue, parameters, nullptr), kIllegalAddress);
  EXPECT_EQ(unload_module(module), kIllegalAddress);
}

TEST_F(StandinTest, kernel_needs_peer_access_to_memory_of_another_context) {
  const size_t sizes[] = {sizeof(CUdeviceptr)};
  standin_kernel kernel = {};
  kernel.name = "write_one";
  kernel.parameter_sizes = sizes;
  kernel.parameter_count = 1;
  kernel.run = [](const standin_launch* started) {
    **static_cast<uint8_t**>(started->parameters[0]) = 1;
  };
  kernel.ranges = [](const standin_launch* started, standin_range* ranges) -> size_t {
    ranges[0] = {*static_cast<uintptr_t*>(started->parameters[0]), 1, 1, 1, 1};
    return 1;
  };
  control().register_kernel(&kernel);
  CUdeviceptr pointer = memory(1);
  CUcontext other = nullptr;
  ASSERT_EQ(create_context(&other, 0, 1), CUDA_SUCCESS);
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  ASSERT_EQ(load_module(&module, "image"), CUDA_SUCCESS);
  ASSERT_EQ(get_function(&function, module, "write_one"), CUDA_SUCCESS);
  void* parameters[] = {&pointer};
  ASSERT_EQ(enable_peer(context_, 0), CUDA_SUCCESS);
  EXPECT_EQ(launch(function, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(synchronize_context(), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer), 1);
  ASSERT_EQ(destroy_context(other), CUDA_SUCCESS);

  ASSERT_EQ(create_context(&other, 0, 1), CUDA_SUCCESS);
  ASSERT_EQ(load_module(&module, "image"), CUDA_SUCCESS);
  ASSERT_EQ(get_function(&function, module, "write_one"), CUDA_SUCCESS);
  EXPECT_EQ(launch(function, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr), kIllegalAddress);
  ASSERT_EQ(destroy_context(other), CUDA_SUCCESS);
}

// In a process of its own: exits with 42 when the call in the atexit() handler was refused, and
// leaves a report.
TEST(StandinExitTest, calls_after_exit_began_are_refused_and_reported) {
  ASSERT_TRUE(control().present());
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  const std::string report = ::testing::TempDir() + "standin_report.txt";
  std::remove(report.c_str());
  EXPECT_EXIT(
      {
        setenv("NV12SLOT_STANDIN_REPORT", report.c_str(), 1);
        init(0);
        std::atexit([] {
          if (init(0) != kDeinitialized) _exit(1);
        });
        std::exit(42);
      },
      ::testing::ExitedWithCode(42), "");
  std::ifstream file(report);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(text.find("cuInit 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("calls_after_exit 1\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace nv12slot::standin
