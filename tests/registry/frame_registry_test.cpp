// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/frame_registry.h"

#include <thread>
#include <utility>

#include "registry_fixture.h"

namespace nv12slot {
namespace {

using std::chrono::milliseconds;
using FrameRegistryTest = RegistryFixture;

TEST_F(FrameRegistryTest, frame_says_what_it_was_attached_with) {
  Source source(clock_, "front door");
  const FrameRef frame = attach(source);
  EXPECT_NE(frame.id(), 0u);
  EXPECT_EQ(frame.source_name(), "front door");
  EXPECT_EQ(frame.pts(), 40u);
  EXPECT_EQ(frame.domain(), 0);
  EXPECT_EQ(frame.layout().width, 64u);
  EXPECT_TRUE(frame.is_complete_at_attach());
}

TEST_F(FrameRegistryTest, frame_of_bytes_has_their_address_and_no_layout) {
  Source source(clock_, "tensors");
  Lease bytes = std::move(pool_.acquire({.domain = 0, .bytes = 1000})).value();
  const std::uintptr_t address = bytes.planes().y;
  Result<InFlight> guard = source.begin_frame();
  ASSERT_TRUE(guard);
  FrameRef frame = registry_.attach(std::move(bytes), std::move(guard).value(), 40, {});
  EXPECT_EQ(frame.planes().y, address);
  EXPECT_EQ(frame.planes().uv, 0u);
  EXPECT_EQ(frame.layout(), Nv12Layout{});
  frame.reset();
  EXPECT_EQ(pool_.stats(0).byte_active, 0u);
}

TEST_F(FrameRegistryTest, colour_is_what_it_was_attached_with_and_else_not_known) {
  Source source(clock_, "camera");
  const FrameRef frame = registry_.attach(lease(), std::move(source.begin_frame()).value(), kNoPts,
                                          {}, {}, {.range = 1, .matrix = 6, .primaries = 5});
  EXPECT_EQ(frame.colour().range, 1);
  EXPECT_EQ(frame.colour().matrix, 6);
  EXPECT_EQ(frame.colour().transfer, 0);
  EXPECT_EQ(frame.colour().primaries, 5);
  EXPECT_EQ(attach(source).colour().matrix, 0);
}

TEST_F(FrameRegistryTest, age_of_a_sources_oldest_frame_grows_until_that_is_released) {
  Source source(clock_, "camera");
  Source other(clock_, "camera");
  const FrameRef of_other = attach(other);
  clock_.advance(milliseconds(10));
  EXPECT_EQ(registry_.oldest_age(source), Duration(0));
  FrameRef oldest = attach(source);
  clock_.advance(milliseconds(30));
  const FrameRef newer = attach(source);
  clock_.advance(milliseconds(5));
  EXPECT_EQ(registry_.oldest_age(source), milliseconds(35));
  oldest.reset();
  EXPECT_EQ(registry_.oldest_age(source), milliseconds(5));
}

TEST_F(FrameRegistryTest, frame_stays_readable_after_its_source_is_gone) {
  auto source = std::make_unique<Source>(clock_, "camera");
  const FrameRef frame = attach(*source);
  auto* bytes = reinterpret_cast<unsigned char*>(frame.planes().y);
  bytes[0] = 42;
  source.reset();
  clock_.advance(std::chrono::hours(1));
  // Nobody else is given its memory.
  for (int i = 0; i < 4; ++i) EXPECT_NE(lease().planes().y, frame.planes().y);
  EXPECT_EQ(bytes[0], 42);
  EXPECT_EQ(frame.source_name(), "camera");
}

TEST_F(FrameRegistryTest, slot_goes_back_when_the_last_reference_does) {
  Source source(clock_, "camera");
  FrameRef first = attach(source);
  FrameRef second = first;
  first.reset();
  EXPECT_EQ(pool_.stats(0).active, 1u);
  second.reset();
  EXPECT_EQ(pool_.stats(0).active, 0u);
  EXPECT_EQ(pool_.stats(0).cooling, 1u);
  EXPECT_EQ(registry_.stats().frames, 0u);
}

TEST_F(FrameRegistryTest, lookup_gives_an_owned_reference) {
  Source source(clock_, "camera");
  FrameRef frame = attach(source);
  const FrameId id = frame.id();
  FrameRef found = registry_.lookup(id);
  ASSERT_TRUE(found);
  frame.reset();
  EXPECT_EQ(pool_.stats(0).active, 1u);
  EXPECT_EQ(found.id(), id);
}

TEST_F(FrameRegistryTest, old_id_never_finds_the_frame_that_took_its_place) {
  Source source(clock_, "camera");
  FrameRef frame = attach(source);
  const FrameId old = frame.id();
  frame.reset();
  const FrameRef next = attach(source);
  EXPECT_EQ(static_cast<std::uint32_t>(next.id()), static_cast<std::uint32_t>(old));  // same place
  EXPECT_FALSE(registry_.lookup(old));
  EXPECT_FALSE(registry_.hold(old));
  EXPECT_FALSE(registry_.lookup(0));
  EXPECT_FALSE(registry_.lookup(~FrameId{0}));
  EXPECT_EQ(registry_.stats().stale_lookups, 4u);
}

TEST_F(FrameRegistryTest, reference_by_id_keeps_the_frame_and_is_given_back_once) {
  Source source(clock_, "camera");
  FrameRef frame = attach(source);
  const FrameId id = frame.id();
  EXPECT_FALSE(registry_.unhold(id));
  ASSERT_TRUE(registry_.hold(id));
  frame.reset();
  EXPECT_EQ(registry_.stats().held, 1u);
  EXPECT_TRUE(registry_.lookup(id));
  EXPECT_TRUE(registry_.unhold(id));
  EXPECT_FALSE(registry_.unhold(id));
  EXPECT_FALSE(registry_.lookup(id));
}

TEST_F(FrameRegistryTest, release_callback_fires_once_before_the_slot_goes_back) {
  Source source(clock_, "camera");
  std::vector<FrameId> released;
  FrameRef frame = attach(source, [&](FrameId id) {
    released.push_back(id);
    EXPECT_EQ(pool_.stats(0).active, 1u);
    EXPECT_FALSE(registry_.lookup(id));  // no lock is held, and the frame is going
  });
  const FrameId id = frame.id();
  frame.reset();
  EXPECT_EQ(released, std::vector<FrameId>{id});
}

TEST_F(FrameRegistryTest, what_a_release_callback_captured_dies_with_no_lock_held) {
  Source source(clock_, "camera");
  bool died = false;
  std::shared_ptr<void> captured(nullptr, [&](void*) {
    died = true;
    EXPECT_EQ(registry_.stats().frames, 0u);  // else hangs
    EXPECT_EQ(source.stats().released, 1u);
  });
  FrameRef frame = attach(source, [captured = std::move(captured)](FrameId) {});
  frame.reset();
  EXPECT_TRUE(died);
}

TEST_F(FrameRegistryTest, fences_of_readers_hold_the_slot_back) {
  Source source(clock_, "camera");
  device_->set_auto_complete(false);
  ASSERT_TRUE(pool_.set_cap(1));
  FrameRef frame = attach(source);
  frame.set_all_readers_fence();
  const StreamHandle reader = device_->take_stream().value();
  ASSERT_TRUE(frame.fence(reader));
  frame.reset();
  clock_.advance(std::chrono::hours(1));
  EXPECT_FALSE(pool_.acquire({.domain = 0, .width = 64, .height = 64}));
  device_->complete(reader);
  EXPECT_TRUE(pool_.acquire({.domain = 0, .width = 64, .height = 64}));
}

TEST_F(FrameRegistryTest, frame_with_readers_that_may_not_fence_cools) {
  Source source(clock_, "camera");
  ASSERT_TRUE(pool_.set_cap(1));
  FrameRef frame = attach(source);
  ASSERT_TRUE(frame.fence(nullptr));
  frame.reset();
  EXPECT_FALSE(pool_.acquire({.domain = 0, .width = 64, .height = 64}));
  clock_.advance(milliseconds(50));
  EXPECT_TRUE(pool_.acquire({.domain = 0, .width = 64, .height = 64}));
}

TEST_F(FrameRegistryTest, no_lock_is_held_while_a_fence_is_recorded) {
  Source source(clock_, "camera");
  const FrameRef frame = attach(source);
  bool nested = false;
  device_->set_hook([&](const FakeCall& call) {
    if (call.name != "record" || std::exchange(nested, true)) return;
    EXPECT_TRUE(frame.fence(nullptr));  // as another reader could: else hangs
  });
  EXPECT_TRUE(frame.fence(nullptr));
  EXPECT_TRUE(nested);
  device_->set_hook({});
}

TEST_F(FrameRegistryTest, reader_whose_fence_fails_leaves_the_cooldown) {
  Source source(clock_, "camera");
  ASSERT_TRUE(pool_.set_cap(1));
  FrameRef frame = attach(source);
  frame.set_all_readers_fence();
  device_->fail("record", Errc::kDeviceFailed);
  EXPECT_EQ(frame.fence(nullptr).code(), Errc::kDeviceFailed);
  frame.reset();
  EXPECT_FALSE(pool_.acquire({.domain = 0, .width = 64, .height = 64}));
  clock_.advance(milliseconds(50));
  EXPECT_TRUE(pool_.acquire({.domain = 0, .width = 64, .height = 64}));
}

TEST_F(FrameRegistryTest, reader_whose_fence_is_refused_leaves_the_cooldown) {
  Source source(clock_, "camera");
  ASSERT_TRUE(pool_.set_cap(1));
  FrameRef frame = registry_.attach(
      std::move(pool_.acquire({.domain = kHostDomain, .width = 64, .height = 64})).value(),
      std::move(source.begin_frame()).value(), kNoPts);
  frame.set_all_readers_fence();
  int stream = 0;  // of nobody knows which device
  EXPECT_EQ(frame.fence(&stream).code(), Errc::kInvalidArgument);
  frame.reset();
  EXPECT_FALSE(pool_.acquire({.domain = kHostDomain, .width = 64, .height = 64}));
  clock_.advance(milliseconds(50));
  EXPECT_TRUE(pool_.acquire({.domain = kHostDomain, .width = 64, .height = 64}));
}

TEST_F(FrameRegistryTest, readers_wait_for_a_copy_that_is_not_complete_and_so_does_reuse) {
  Source source(clock_, "camera");
  device_->set_auto_complete(false);
  ASSERT_TRUE(pool_.set_cap(1));
  Lease slot = lease();
  auto ready = std::make_unique<Fence>(std::move(Fence::record(*device_, slot.stream())).value());
  FrameRef frame = registry_.attach(std::move(slot), std::move(source.begin_frame()).value(),
                                    kNoPts, {}, std::move(ready));
  frame.set_all_readers_fence();
  EXPECT_FALSE(frame.is_complete_at_attach());
  const StreamHandle reader = device_->take_stream().value();
  ASSERT_TRUE(frame.wait(reader));
  EXPECT_EQ(device_->count("wait"), 1u);
  frame.reset();
  EXPECT_FALSE(pool_.acquire({.domain = 0, .width = 64, .height = 64}));
  device_->complete_all();
  EXPECT_TRUE(pool_.acquire({.domain = 0, .width = 64, .height = 64}));
}

TEST_F(FrameRegistryTest, nothing_is_evicted_by_default) {
  Source source(clock_, "camera");
  FrameRef frame = attach(source);
  const FrameId id = frame.id();
  ASSERT_TRUE(registry_.hold(id));
  frame.reset();
  clock_.advance(std::chrono::hours(24));
  EXPECT_EQ(registry_.evict_old(), 0u);
  EXPECT_TRUE(registry_.unhold(id));
}

TEST_F(FrameRegistryTest, eviction_takes_references_by_id_and_never_owned_ones) {
  Source source(clock_, "camera");
  registry_.set_age_limit(std::chrono::seconds(10));
  FrameRef owned = attach(source);
  FrameRef temporary = attach(source);
  const FrameId id = temporary.id();
  ASSERT_TRUE(registry_.hold(id));
  ASSERT_TRUE(registry_.hold(id));
  ASSERT_TRUE(registry_.hold(owned.id()));
  temporary.reset();
  clock_.advance(std::chrono::seconds(10));
  EXPECT_EQ(registry_.evict_old(), 0u);
  clock_.advance(Duration(1));
  EXPECT_EQ(registry_.evict_old(), 2u);
  EXPECT_FALSE(registry_.lookup(id));
  EXPECT_FALSE(registry_.unhold(id));
  EXPECT_TRUE(registry_.lookup(owned.id()));
  EXPECT_EQ(source.stats().evicted, 2u);
  EXPECT_EQ(registry_.stats().frames, 1u);
}

// late consumer                another consumer            eviction
//   hold()
//                                                           takes it
//                                hold()
//   unhold(): must not give back what the other has
TEST_F(FrameRegistryTest, evicted_holder_cannot_give_back_what_somebody_else_took_later) {
  Source source(clock_, "camera");
  registry_.set_age_limit(std::chrono::seconds(10));
  FrameRef owned = attach(source);
  const FrameId id = owned.id();
  ASSERT_TRUE(registry_.hold(id));
  clock_.advance(std::chrono::seconds(11));
  EXPECT_EQ(registry_.evict_old(), 1u);
  EXPECT_FALSE(registry_.hold(id)) << "could not be told from the one that was taken away";
  EXPECT_FALSE(registry_.unhold(id));
  EXPECT_TRUE(registry_.lookup(id));
}

FrameRegistry* g_logging_registry = nullptr;
unsigned g_evictions_said = 0;

TEST_F(FrameRegistryTest, no_lock_is_held_while_an_eviction_is_logged) {
  Source source(clock_, "camera");
  g_logging_registry = &registry_;
  g_evictions_said = 0;
  set_log_sink([](LogLevel, std::string_view line) {
    if (!line.starts_with("EVICTED")) return;
    (void)g_logging_registry->stats();  // else hangs
    ++g_evictions_said;
  });
  registry_.set_age_limit(std::chrono::seconds(10));
  FrameRef frame = attach(source);
  ASSERT_TRUE(registry_.hold(frame.id()));
  frame.reset();
  clock_.advance(std::chrono::seconds(11));
  EXPECT_EQ(registry_.evict_old(), 1u);
  EXPECT_EQ(g_evictions_said, 1u);
}

TEST_F(FrameRegistryTest, attach_evicts_by_itself) {
  Source source(clock_, "camera");
  registry_.set_age_limit(std::chrono::seconds(10));
  FrameRef leaked = attach(source);
  ASSERT_TRUE(registry_.hold(leaked.id()));
  leaked.reset();
  clock_.advance(std::chrono::seconds(11));
  FrameRef next = attach(source);
  EXPECT_EQ(registry_.stats().evicted, 1u);
}

TEST_F(FrameRegistryTest, references_may_come_and_go_on_any_thread) {
  Source source(clock_, "camera");
  ASSERT_TRUE(pool_.set_cooldown(Duration(0)));
  std::atomic<unsigned> released{0};
  for (int round = 0; round < 200; ++round) {
    FrameRef frame = attach(source, [&](FrameId) { ++released; });
    const FrameId id = frame.id();
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, copy = frame]() mutable {
        copy.reset();
        FrameRef found = registry_.lookup(id);
        if (found) {
          EXPECT_EQ(found.id(), id);
        }
        if (registry_.hold(id)) registry_.unhold(id);
      });
    }
    frame.reset();
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(released, 200u);
  EXPECT_EQ(registry_.stats().frames, 0u);
  EXPECT_EQ(source.stats().in_flight, 0u);
}

}  // namespace
}  // namespace nv12slot
