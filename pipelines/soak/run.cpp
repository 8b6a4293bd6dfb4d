// SPDX-License-Identifier: LGPL-2.1-or-later
#include "run.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <glib-unix.h>
#include <malloc.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <thread>

#include "camera_uri.h"
#include "config.h"
#include "context_thread.h"
#include "counters.h"
#include "fault_runner.h"
#include "memory.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/process.h"
#include "place.h"
#include "progress.h"
#include "reader.h"
#include "record_file.h"
#include "server_process.h"

namespace soak {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr unsigned kTickMs = 50;
constexpr unsigned kSaveMs = 15000;
constexpr unsigned kClips = 4;
constexpr unsigned kUnknownFps = 30;  // of cameras that are not simulated
constexpr Seconds kLongestFlip = 5;   // a camera that sends little takes its time
constexpr double kLongestWarmUp = 2;  // times what was asked for
// Points of the charts; more only make the report large.
constexpr double kSamples = 600;

class Run final : public FaultTarget {
 public:
  Run(const Options& options, const std::string& folder);
  ~Run() override;
  int operator()();

 private:
  void make_server(const std::string& folder);
  void make_readers();
  void make_places();
  void make_faults();
  void every(unsigned interval_ms, void (Run::*what)());

  // On timers.
  void tick();
  void sample();
  void show();
  void save();
  void end_early();

  void begin(const Fault& fault) override;
  std::optional<Seconds> lift(const Fault& fault, Seconds begun) override;
  std::optional<Seconds> recovered(int camera) override;

  [[nodiscard]] Seconds now() const {
    return std::chrono::duration<double>(Clock::now() - begin_).count();
  }
  [[nodiscard]] unsigned fps() const {
    return options_.uris.empty() ? static_cast<unsigned>(options_.fps)
                                 : std::max(kUnknownFps, static_cast<unsigned>(options_.fps));
  }
  [[nodiscard]] unsigned extra() const { return std::max(4U, fps() / 2); }
  Place& place(int camera) { return *places_.at(static_cast<std::size_t>(camera)); }
  [[nodiscard]] bool is_warmed_up(Seconds time) const;
  void recreate(unsigned camera);
  [[nodiscard]] Counters counters();
  [[nodiscard]] ProcessSample process_sample() const;
  [[nodiscard]] ReaderRecord readers() const;
  void update_record();
  void finish();

  const Options& options_;
  RecordWriter writer_;
  const int device_;
  const Clock::time_point begin_ = Clock::now();
  Record record_;
  Progress progress_;
  std::vector<SourcePtr> sources_;
  Ref<GMainLoop> loop_{g_main_loop_new(nullptr, FALSE)};
  ContextThread proxies_;
  std::unique_ptr<ServerProcess> server_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<std::unique_ptr<Place>> places_;  // after what their threads use
  std::unique_ptr<FaultRunner> faults_;
  std::optional<std::size_t> faults_left_;  // that did not come although they were due
  std::minstd_rand random_;
  // Of the killed server.
  std::optional<Seconds> restart_at_;
  // Of each camera's fault but that and flips.
  std::vector<Seconds> lifted_;
  bool is_warm_ = false;
  std::exception_ptr failure_;  // of a timer
};

std::string describe_machine(int device) {
  utsname name{};
  uname(&name);
  std::string text = fmt::format("{} {}, {} cores", name.sysname, name.machine,
                                 std::thread::hardware_concurrency());
  text +=
      fmt::format(", GStreamer {}.{}.{}", GST_VERSION_MAJOR, GST_VERSION_MINOR, GST_VERSION_MICRO);
  return text + (device >= 0 ? fmt::format(", CUDA device {}", device) : ", no CUDA device");
}

Run::Run(const Options& options, const std::string& folder)
    : options_(options),
      writer_(folder),
      device_(options.device.value_or(nv12slot::cuda_device_count() > 0 ? 0 : -1)),
      random_(options.seed),
      lifted_(options.cameras()) {
  const Ref<GstElementFactory> factory{gst_element_factory_find("nv12slotsrc")};
  const Ref<GstPluginFeature> loaded{
      factory != nullptr ? gst_plugin_feature_load(GST_PLUGIN_FEATURE(factory.get())) : nullptr};
  if (loaded == nullptr) {
    throw std::runtime_error(
        "no element nv12slotsrc; set GST_PLUGIN_PATH to the folder of libgstnv12slot.so, built "
        "with FFmpeg's libraries");
  }
  watch_log();
  nv12slot::SlotPool& pool = *nv12slot::Process::get().pool;
  if (options.pool_cooldown_ms) {
    const auto status = pool.set_cooldown(std::chrono::duration_cast<nv12slot::Duration>(
        std::chrono::duration<double, std::milli>(*options.pool_cooldown_ms)));
    if (!status) throw std::runtime_error(status.error().message);
  }
  // What readers keep, and what cools or is under way in between.
  const unsigned needed =
      options.cameras() * (options.hold + extra() + options.readers + 4 + fps() / 10);
  const unsigned cap = options.pool_cap != 0 ? options.pool_cap
                                             : std::clamp(needed, 64U, nv12slot::SlotPool::kMaxCap);
  if (const auto status = pool.set_cap(cap); !status) {
    throw std::runtime_error(status.error().message);
  }

  record_.version = PACKAGE_VERSION;
  record_.command = options.command;
  record_.machine = describe_machine(device_);
  record_.begun_at = fmt::format("{:%Y-%m-%d %H:%M:%S %z}", fmt::localtime(std::time(nullptr)));
  record_.seed = options.seed;
  record_.device = device_;
  record_.warm_up = options.warm_up;
  record_.interval = std::max(0.5, options.seconds / kSamples);
  record_.limits = options.limits;
  if (device_ >= 0 && record_.limits.path.empty() && !options.expects_any_path) {
    record_.limits.path = "nvdec";
  }

  make_server(folder);
  make_readers();
  make_places();
  make_faults();
}

Run::~Run() {
  // Their threads use the readers and each other's proxies.
  places_.clear();
  readers_.clear();
}

void Run::make_server(const std::string& folder) {
  if (options_.simulate == 0) return;
  ClipSettings clips{folder,         std::min(options_.simulate, kClips),
                     options_.width, options_.height,
                     options_.fps,   options_.clips};
  progress_.note(clips.files.empty()
                     ? fmt::format("making {} simulated cameras, {}x{} at {} fps",
                                   options_.simulate, clips.width, clips.height, clips.fps)
                     : fmt::format("{} simulated cameras play {} at {} fps", options_.simulate,
                                   fmt::join(clips.files, ", "), clips.fps));
  server_ = std::make_unique<ServerProcess>(options_.simulate, clips);
}

void Run::make_readers() {
  ReaderSettings settings;
  for (unsigned i = 0; i < options_.cameras(); ++i)
    settings.cameras.push_back(fmt::format("cam{}", i));
  settings.hold = options_.hold;
  settings.extra = extra();
  settings.late = milliseconds(options_.late_ms);
  settings.kernel = milliseconds(options_.kernel_ms);
  for (unsigned i = 0; i < options_.readers; ++i) {
    settings.seed = options_.seed * 16 + i + 1;
    readers_.push_back(std::make_unique<Reader>(settings));
  }
}

void Run::make_places() {
  for (unsigned i = 0; i < options_.cameras(); ++i) {
    CameraSetup setup;
    setup.name = fmt::format("cam{}", i);
    setup.device = device_;
    // Half of the cameras each way. On the host there is nothing to fence.
    setup.reader_promises = device_ >= 0 && i % 2 == 1;
    setup.properties = options_.properties;
    const std::string uri = i < options_.simulate
                                ? fmt::format("rtsp://127.0.0.1:{}/cam{}", server_->port(), i)
                                : options_.uris[i - options_.simulate];
    setup.uri = uri;
    std::unique_ptr<Proxy> proxy;
    if (const std::optional<CameraUri> parts = read_camera_uri(uri)) {
      proxy = std::make_unique<Proxy>(proxies_, parts->host, parts->port, options_.seed + i);
      setup.uri = parts->through(proxy->port());
    }
    const bool is_promised = setup.reader_promises;
    places_.push_back(std::make_unique<Place>(
        std::move(setup), std::move(proxy), options_.limits.gap_ms / 1000, [this] { return now(); },
        [this, i, is_promised](GstBuffer* buffer) {
          for (const auto& reader : readers_) reader->submit(i, buffer, is_promised);
        }));
  }
}

void Run::make_faults() {
  ScheduleSettings schedule;
  const bool have_proxies = std::all_of(
      places_.begin(), places_.end(), [](const auto& place) { return place->proxy() != nullptr; });
  std::string left_out;
  for (const FaultKind kind : options_.faults) {
    const bool is_possible = kind == FaultKind::kRecreate ||
                             (kind == FaultKind::kKill ? options_.simulate > 0 : have_proxies);
    if (is_possible) {
      schedule.kinds.push_back(kind);
    } else {
      left_out += fmt::format("{}{}", left_out.empty() ? "" : ", ", to_string(kind));
    }
  }
  if (!left_out.empty()) {
    progress_.note(fmt::format(
        "without the faults {}: kill is for --simulate, and those of connections are for cameras "
        "that are all rtsp://",
        left_out));
  }
  schedule.seed = options_.seed;
  schedule.cameras = options_.cameras();
  schedule.begin = options_.warm_up;
  schedule.end = options_.seconds;
  schedule.every = options_.fault_every;
  faults_ = std::make_unique<FaultRunner>(make_schedule(schedule), options_.cameras(),
                                          options_.limits.recovery, *this);
}

void Run::every(unsigned interval_ms, void (Run::*what)()) {
  struct Call {
    Run* run;
    void (Run::*what)();
  };
  GSource* source = g_timeout_source_new(interval_ms);
  g_source_set_callback(
      source,
      [](gpointer data) -> gboolean {
        const auto* call = static_cast<Call*>(data);
        // No exception crosses GLib's frames.
        try {
          (call->run->*call->what)();
        } catch (...) {
          call->run->failure_ = std::current_exception();
          g_main_loop_quit(call->run->loop_.get());
          return G_SOURCE_REMOVE;
        }
        return G_SOURCE_CONTINUE;
      },
      new Call{this, what}, [](gpointer data) { delete static_cast<Call*>(data); });
  g_source_attach(source, nullptr);
  sources_.emplace_back(source);
}

int Run::operator()() {
  for (const int signal : {SIGINT, SIGTERM}) {
    GSource* source = g_unix_signal_source_new(signal);
    g_source_set_callback(
        source,
        [](gpointer run) -> gboolean {
          static_cast<Run*>(run)->end_early();
          return G_SOURCE_CONTINUE;
        },
        this, nullptr);
    g_source_attach(source, nullptr);
    sources_.emplace_back(source);
  }
  for (const auto& place : places_) place->start();
  every(kTickMs, &Run::tick);
  every(static_cast<unsigned>(1000 * record_.interval), &Run::sample);
  every(progress_.interval_ms(), &Run::show);
  every(kSaveMs, &Run::save);
  save();
  g_main_loop_run(loop_.get());
  sources_.clear();
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  finish();
  return 0;
}

void Run::tick() {
  const Seconds time = now();
  if (!is_warm_ && is_warmed_up(time)) {
    is_warm_ = true;
    record_.warm_up = time;
    record_.warm = counters();
    for (const auto& reader : readers_) reader->end_warm_up();
    for (const auto& place : places_) place->health().start_counting(time);
  }
  if (is_warm_) faults_->tick(time);
  for (const auto& place : places_) {
    if (const std::string error = place->take_error(); !error.empty()) {
      progress_.note(fmt::format("{} ended with an error: {}", place->name(), error));
    }
  }
  if (time < options_.seconds) return;
  // Faults that are due still come, for a while, and what is broken gets time to recover.
  if (time > options_.seconds + 2 * options_.limits.recovery && !faults_left_) {
    faults_left_ = faults_->left();
    faults_->stop_scheduling();
  }
  if (!faults_->has_open() && faults_->left() == 0) g_main_loop_quit(loop_.get());
}

bool Run::is_warmed_up(Seconds time) const {
  if (time < options_.warm_up) return false;
  // On a slow machine readers may not have as many frames yet as the pool is to have slots for. A
  // camera that gives none is not waited for without end.
  const std::uint64_t wanted = options_.hold + extra() + options_.readers + fps() / 2;
  return time >= kLongestWarmUp * options_.warm_up ||
         std::all_of(places_.begin(), places_.end(),
                     [&](const auto& place) { return place->frames() >= wanted; });
}

void Run::end_early() {
  record_.exit.early = true;
  g_main_loop_quit(loop_.get());
}

void Run::begin(const Fault& fault) {
  if (fault.kind == FaultKind::kKill) {
    for (unsigned i = 0; i < options_.simulate; ++i) {
      Place& hit = *places_[i];
      hit.health().begin_fault(now(), hit.connection() + 1);
    }
    server_->kill();
    restart_at_ = now() + 0.5 + static_cast<double>(random_() % 2000) / 1000;
    return;
  }
  Place& hit = place(fault.camera);
  // Changed bytes need not end the connection; all else does.
  const bool is_same = fault.kind == FaultKind::kFlip;
  hit.health().begin_fault(now(), hit.connection() + (is_same ? 0 : 1));
  switch (fault.kind) {
    case FaultKind::kCut:
      hit.proxy()->cut();
      break;
    case FaultKind::kReset:
      hit.proxy()->reset();
      break;
    case FaultKind::kStall:
      hit.proxy()->stall();
      break;
    case FaultKind::kFlip:
      hit.proxy()->flip();
      return;
    case FaultKind::kRecreate:
      recreate(static_cast<unsigned>(fault.camera));
      break;
    case FaultKind::kKill:
      break;
  }
  lifted_[static_cast<std::size_t>(fault.camera)] = now();
  hit.health().lift_fault(now());
}

void Run::recreate(unsigned camera) {
  places_[camera]->stop();
  for (const auto& reader : readers_) reader->camera_destroyed(camera);
  places_[camera]->start();
}

std::optional<Seconds> Run::lift(const Fault& fault, Seconds begun) {
  if (fault.kind == FaultKind::kKill) {
    if (restart_at_ && now() >= *restart_at_) {
      restart_at_.reset();
      server_->start();
    }
    if (restart_at_ || !server_->is_up()) return std::nullopt;
    const Seconds time = now();
    for (unsigned i = 0; i < options_.simulate; ++i) places_[i]->health().lift_fault(time);
    return time;
  }
  if (fault.kind != FaultKind::kFlip) return lifted_[static_cast<std::size_t>(fault.camera)];
  Place& hit = place(fault.camera);
  if (hit.proxy()->is_flipping() && now() - begun < kLongestFlip) return std::nullopt;
  hit.health().lift_fault(now());
  return now();
}

std::optional<Seconds> Run::recovered(int camera) {
  return place(camera).health().recovered();
}

ProcessSample Run::process_sample() const {
  ProcessSample sample;
  sample.at = now();
  const nv12slot::SlotPool& pool = *nv12slot::Process::get().pool;
  for (const nv12slot::Domain domain : pool.domains()) {
    const nv12slot::PoolStats stats = pool.stats(domain);
    sample.free += stats.free;
    sample.active += stats.active;
    sample.cooling += stats.cooling;
    sample.quarantined += stats.quarantined;
  }
  sample.resident_mib = resident_mib();
  if (device_ >= 0) sample.device_mib = device_memory_mib(device_).value_or(-1);
  return sample;
}

Counters Run::counters() {
  Counters counters = process_counters();
  for (const auto& place : places_) {
    const CameraCounts counts = place->counts();
    counters.decoders_opened += counts.decoders_opened;
    counters.decoders_reused += counts.decoders_reused;
  }
  return counters;
}

ReaderRecord Run::readers() const {
  ReaderRecord sum;
  for (const auto& reader : readers_) {
    const ReaderRecord one = reader->record();
    sum.checked += one.checked;
    sum.changed += one.changed;
    sum.late_checked += one.late_checked;
    sum.late_changed += one.late_changed;
    sum.late_unjudged += one.late_unjudged;
    sum.skipped += one.skipped;
    sum.without_slot += one.without_slot;
    sum.outlived += one.outlived;
    if (sum.first_fault.empty()) sum.first_fault = one.first_fault;
  }
  return sum;
}

void Run::sample() {
  std::vector<CameraSample> cameras;
  for (const auto& place : places_) cameras.push_back(place->sample());
  writer_.add(process_sample(), cameras);
}

void Run::show() {
  std::vector<CameraProgress> cameras;
  for (int i = 0; i < static_cast<int>(places_.size()); ++i) {
    const CameraCounts counts = place(i).counts();
    CameraProgress camera;
    camera.name = place(i).name();
    camera.status = counts.status;
    camera.path = counts.path;
    camera.frames = place(i).frames();
    camera.reconnects = counts.reconnects;
    for (const auto& reader : readers_) camera.held += reader->held(static_cast<unsigned>(i));
    if (faults_->is_open(i)) {
      const auto& all = faults_->records();
      const auto last = std::find_if(all.rbegin(), all.rend(), [&](const FaultRecord& fault) {
        return fault.camera == i || fault.camera == kAllCameras;
      });
      if (last != all.rend()) camera.fault = last->kind;
    }
    cameras.push_back(std::move(camera));
  }
  RunProgress run;
  run.now = now();
  run.length = options_.seconds;
  run.is_warming_up = !is_warm_;
  run.process = process_sample();
  run.faults = faults_->records().size();
  run.recovered = static_cast<std::size_t>(
      std::count_if(faults_->records().begin(), faults_->records().end(),
                    [](const FaultRecord& fault) { return fault.recovered.has_value(); }));
  run.faults_left = faults_->left();
  run.readers = readers();
  progress_.update(cameras, run);
}

void Run::update_record() {
  record_.length = now();
  record_.cameras.clear();
  for (const auto& place : places_) record_.cameras.push_back(place->record());
  record_.faults_left = faults_left_.value_or(faults_->left());
  record_.readers = readers();
  record_.end = counters();
  if (!is_warm_) record_.warm = record_.end;
}

void Run::save() {
  update_record();
  writer_.save(record_, faults_->records());
}

void Run::finish() {
  for (const auto& place : places_) place->health().finish(now());
  show();
  sample();
  // Readers are the last to let go.
  for (unsigned i = 0; i < places_.size(); ++i) {
    places_[i]->stop();
    for (const auto& reader : readers_) reader->camera_destroyed(i);
  }
  for (const auto& reader : readers_) reader->finish();
  ProcessSample last = process_sample();
  for (int i = 0; i < 40 && last.active > 0; ++i) {
    std::this_thread::sleep_for(milliseconds(50));
    last = process_sample();
  }
  record_.exit.finished = true;
  record_.exit.active = last.active;
  save();
}

}  // namespace

int run(const Options& options, const std::string& folder) {
  // Memory is looked at for what is leaked. With an arena of the heap for every thread it would
  // creep for hours by what is merely strewn over them, as threads come and go with the cameras.
  mallopt(M_ARENA_MAX, 2);
  gst_init(nullptr, nullptr);
  Run soak(options, folder);
  return soak();
}

}  // namespace soak
