// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who called what how often, and which calls are to fail.

#ifndef NV12SLOT_TESTS_STANDIN_CALLS_H_
#define NV12SLOT_TESTS_STANDIN_CALLS_H_

#include <ffnvcodec/dynlink_cuda.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nv12slot::standin {

// The name without version suffix; valid for ever.
const char* call_name(int call);
void count_call(int call);

// All of these lock for themselves.
uint64_t calls_of(const char* name);
uint64_t calls_of(const char* name, int thread);
std::vector<int> callers_of(const char* name);
std::map<std::string, uint64_t> all_calls();
void reset_calls();

struct Fault {
  CUresult result = CUDA_SUCCESS;
  int skip = 0;
  int count = 0;  // < 0: for ever
};
// A null name means any call.
void set_fault(const char* name, Fault fault);
uint64_t faults_of(const char* name);
void spare_thread(int thread);
void set_operation_fault(const char* name, Fault fault);
// CUDA_SUCCESS unless this call is to fail.
CUresult take_fault(const char* name);
// The same for the operation that it enqueues.
CUresult take_operation_fault(const char* name);
void reset_faults();

}  // namespace nv12slot::standin

#endif  // NV12SLOT_TESTS_STANDIN_CALLS_H_
