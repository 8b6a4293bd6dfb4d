// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Control interface of the stand-in driver: what a test asks of it and tells it, beside the
 * driver API itself.
 *
 * The functions are exported by the stand-in's libcuda.so.1 and by nothing else. Tests find them
 * through standin_control.h, which says so when the loaded driver is a real one. Every function may
 * be called from any thread, with or without a current context, before cuInit() and after exit()
 * began; none counts as a driver call.
 *
 * A call is named without its version suffix ("cuMemAlloc" for cuMemAlloc_v2). A result is the
 * numeric value of a CUresult. A device is its ordinal; -1 means all of them.
 *
 * Environment, read at the first driver call:
 *   NV12SLOT_STANDIN_COST=1        cost model on
 *   NV12SLOT_STANDIN_MEMORY_MB=n   memory of each device (default 4096)
 *   NV12SLOT_STANDIN_DELAY_US=n    latency of each copy, memset and kernel
 *   NV12SLOT_STANDIN_REPORT=file   at exit, append "name value" lines: counters, hazards, leftovers
 */
#ifndef NV12SLOT_TESTS_STANDIN_STANDIN_H_
#define NV12SLOT_TESTS_STANDIN_STANDIN_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- state ------------------------------------------------------------------------------------ */

/* Forgets counters, faults, hazards, delays, cost model, memory limit, capture and the setting of
 * peer access, clears sticky errors and opens every gate. Objects and memory stay as they are. */
void standin_reset(void);

/* -- counters --------------------------------------------------------------------------------- */

/* Calls of `name` since the last reset, by every thread; NULL counts all calls. */
uint64_t standin_calls(const char* name);
/* The same by one thread. `thread` is a kernel thread id, as gettid() returns it. */
uint64_t standin_thread_calls(const char* name, int thread);
/* Writes the ids of the threads that called `name` into `threads` (at most `capacity`) and returns
 * how many there are. */
size_t standin_callers(const char* name, int* threads, size_t capacity);
/* Calls after exit() began; each was answered CUDA_ERROR_DEINITIALIZED. */
uint64_t standin_calls_after_exit(void);

/* What is alive now. */
uint64_t standin_bytes_allocated(int device);
uint64_t standin_live_allocations(int device);
uint64_t standin_live_host_allocations(void);
uint64_t standin_live_contexts(int device);
uint64_t standin_live_streams(int device);
uint64_t standin_live_events(int device);
uint64_t standin_live_decoders(int device);
/* Operations that are enqueued and not complete. */
uint64_t standin_pending_operations(int device);

/* -- faults ----------------------------------------------------------------------------------- */

/* Lets `skip` calls of `name` (NULL: of any) pass, then answers `count` calls with `result` and
 * without any other effect; count < 0 means until the reset. Replaces an earlier fault of the same
 * call; count 0 takes it away. */
void standin_fail(const char* name, int result, int skip, int count);
/* Calls of `name` (NULL: of any) that were answered so since the last reset. */
uint64_t standin_faults(const char* name);
/* The calls of one thread (an id as gettid() returns it) are not concerned, until the reset: what a
 * camera does that nothing happens to. */
void standin_spare(int thread);
/* The same for the operation which the call enqueues: the call succeeds, the operation does nothing
 * when its turn comes, and `result` then sticks to its context. */
void standin_fail_operation(const char* name, int result, int skip, int count);
/* Makes `result` the sticky error of the device's primary context (`context` NULL) or of one
 * context. 0 clears it. */
void standin_stick(int device, void* context, int result);
/* What cuvidGetDecodeStatus() reports for decoded pictures (a cuvidDecodeStatus; default success)
 */
void standin_set_decode_status(int status);

/* Whether the devices can access each other's memory (default 1). Access that was given stays. */
void standin_set_peer_access(int on);

/* While on, some thread captures a CUDA graph in global mode: calls that may wait or allocate are
 * answered CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, and spoil the capture, unless their thread is in
 * relaxed mode. */
void standin_set_capturing(int on);
/* Calls that spoiled the capture. */
uint64_t standin_spoiled_captures(void);

/* -- time ------------------------------------------------------------------------------------- */

/* Time an operation that moves bytes takes: latency_us + bytes / bytes_per_us (0: unlimited). */
void standin_set_delay(uint64_t latency_us, uint64_t bytes_per_us);
/* Makes driver calls as slow as measured on an H200 and lets cuMemFree, cuMemFreeHost and decoder
 * destruction wait for all work of the device, as the driver does. */
void standin_set_cost_model(int on);
/* Memory of each device; what is allocated beyond it stays allocated. */
void standin_set_memory_limit(uint64_t bytes);

/* A gate is an operation that completes when it is opened. `stream` is a CUstream, NULL for the
 * legacy stream of the current context. Returns an id, 0 when the stream is not valid. */
uint64_t standin_close_gate(void* stream);
/* Waits until the gate's operation is the running one of its stream. */
void standin_wait_for_gate(uint64_t gate);
void standin_open_gate(uint64_t gate);

/* -- hazards ---------------------------------------------------------------------------------- */

/* Accesses that nothing orders: a write to memory that a pending operation reads or writes, a read
 * of memory that a pending operation writes, any operation on freed or foreign memory. Pending:
 * enqueued, not complete, and not ordered before the access by its stream, an event wait or the
 * legacy stream. */
uint64_t standin_hazards(void);
/* The text of the last hazard, or "". Valid until the calling thread's next call. */
const char* standin_last_hazard(void);

/* -- kernels ---------------------------------------------------------------------------------- */

/* A rectangle of memory: `rows` rows of `row_bytes` bytes, `pitch` bytes apart. */
typedef struct standin_range {
  uintptr_t address;
  size_t row_bytes;
  size_t rows;
  size_t pitch;
  int write; /* 0: read, 1: written */
} standin_range;

typedef struct standin_launch {
  unsigned grid[3];
  unsigned block[3];
  void** parameters; /* as given to cuLaunchKernel(), copied at the launch */
} standin_launch;

typedef struct standin_kernel {
  const char* name;
  const size_t* parameter_sizes;
  size_t parameter_count;
  /* Runs the kernel on the CPU, on the stream's thread. */
  void (*run)(const standin_launch* launch);
  /* Writes what the launch reads and writes into `ranges` (room for 16) and returns how many. */
  size_t (*ranges)(const standin_launch* launch, standin_range* ranges);
} standin_kernel;

/* Adds a kernel that every module then has, or replaces the one of that name. The strings and
 * arrays are copied. */
void standin_register_kernel(const standin_kernel* kernel);

/* -- decoded pictures ------------------------------------------------------------------------- */

/* The `picture`-th picture (from 0) that a decoder was given has these samples; 16-bit formats hold
 * them in the high byte, and two bits more in the low one. `x` of chroma counts samples (U and V
 * alternate). */
static inline uint8_t standin_luma(uint32_t picture, uint32_t x, uint32_t y) {
  return (uint8_t)(x + 2u * y + 5u * picture + 1u);
}
static inline uint8_t standin_chroma(uint32_t picture, uint32_t x, uint32_t y) {
  return (uint8_t)(3u * x + y + 7u * picture + 2u);
}

/* The low byte of 16-bit formats, in both planes. */
static inline uint8_t standin_fraction(uint32_t picture, uint32_t x, uint32_t y) {
  return (uint8_t)((x + 3u * y + picture) << 6);
}

#ifdef __cplusplus
}
#endif

#endif /* NV12SLOT_TESTS_STANDIN_STANDIN_H_ */
