// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A model, in Promela, of a slot's life and of the frames in it: one camera fills slots and attaches frames; consumers
// on other threads find frames by id, read them on a GPU and give them back; references by id are evicted; the source
// is closed. tests/model searches every interleaving with spin.
//
//   here                 models
//   acquire              SlotPool::acquire, DomainPool::settle_by_time, settle_by_fences
//   release              Lease::release, DomainPool::release
//   attach               FrameRegistry::attach
//   find_and_reference   Table::find and try_reference, of FrameRegistry::lookup and hold
//   unhold, eviction     FrameRegistry::unhold, evict_old
//   drop, call_back      FrameRegistry::drop, SourceState::call_back, ~FrameRecord, ~InFlight
//   close, closer        Source::close; Source::refuse and wait_until_idle
//   device               the GPU, which ends what it was given when it likes; a fence may fail
//   clock                Clock. A cooldown ends after the kernels that nobody fenced: its length promises that, and
//                        nothing can check it
//
// A step is what a thread does under a mutex, or one atomic operation. Only the steps of lookup stand apart although
// a mutex is held, because drop() counts down without it. How a thread waits for a slot: pool/model/acquire.pml.
//
// Three scopes, small enough to be searched whole in seconds:
//   (none)                one slot, in which one frame follows another; the device and the clock; the closer
//   HELD_BY_ID            one slot; references by id, and their eviction in place of the closer
//   CLOSED_BY_CALLBACKS   two slots; the closer, and callbacks that close the source too
// In the last two copies and reads are done at once.
//
// What always holds is asserted. That everything ends, with each slot FREE or QUARANTINED, is what `last` waits for:
// a state without a next step before that is an error, and so is a cycle. Each FAULT_... breaks one rule, and tests/model
// wants every one found.

#define SLOTS 2
#define FRAMES 2
#define READERS 2
// Who may call back: a reader by its number, and these. The closer is outside of any callback.
#define CAMERA 2
#define EVICTION 3
#define CLOSER 4
#define NONE 255
#if !defined(HELD_BY_ID) && !defined(CLOSED_BY_CALLBACKS)
#define WITH_DEVICE
#endif

mtype = { FREE, ACTIVE, COOLING, QUARANTINED };

typedef Slot {
  mtype state = FREE;
  byte content;  // the frame last written there
  // While COOLING
  bool needs_cooldown, cooled;
  bool fences[READERS];
  bool fence_of_copy;
};
Slot slots[SLOTS];

// A frame's record lives while the frame has its slot, and goes by the slot's number here; so does its place in the
// table. Its id is the frame's number.
typedef Record {
  bool alive, in_table;
  byte id, references, held_by_id;
  bool was_evicted;
  bool all_readers_fence;
  bool fences[READERS];
};
Record records[SLOTS];
bool table_locked;
byte published;  // the newest id

byte users[SLOTS];        // threads that rely on a reference
byte users_by_id[SLOTS];  // of these, on one by id, which may be evicted once they are done

bool refusing, closed, close_returned;  // the source
byte in_flight;
bool calling_back[CLOSER + 1], closing[CLOSER + 1];

byte kernel[READERS] = NONE;  // the slot that the reader's kernel reads
bool fenced[READERS];         // its kernel has a fence
bool copying[SLOTS];          // the copy that fills it is under way
bool failed;

byte ended;
bool finished;

// ---- The pool ----------------------------------------------------------------------------------------------------

#define PENDING(s) ((slots[s].fences[0] && kernel[0] == s) || (slots[s].fences[1] && kernel[1] == s) || \
  (slots[s].fence_of_copy && copying[s]))
#ifdef FAULT_NO_FENCE_CHECK
#define FENCES_COMPLETE(s) true
#else
#define FENCES_COMPLETE(s) !PENDING(s)
#endif
#define HAS_COOLED(s) (slots[s].state == COOLING && (slots[s].cooled || !slots[s].needs_cooldown) && FENCES_COMPLETE(s))
#define CAN_BE_HAD(s) (slots[s].state == FREE || HAS_COOLED(s))

// Waits for a slot; NONE where there never will be one.
inline acquire(s) {
  atomic {
    if
    :: CAN_BE_HAD(0) -> s = 0
    :: CAN_BE_HAD(1) -> s = 1
#ifdef WITH_DEVICE
    :: slots[0].state == QUARANTINED -> s = NONE
#endif
    fi;
    if
    :: s == NONE
    :: else ->
      assert(users[s] == 0 && !records[s].alive && !records[s].in_table);
      assert(!copying[s] && kernel[0] != s && kernel[1] != s);
      slots[s].state = ACTIVE;
      slots[s].cooled = false;
      slots[s].needs_cooldown = false;
      slots[s].fence_of_copy = false;
      slots[s].fences[0] = false;
      slots[s].fences[1] = false
    fi
  }
}

inline release(s) {
  atomic {
    assert(slots[s].state == ACTIVE);
    slots[s].content = 0;
    slots[s].state = (slots[s].needs_cooldown || slots[s].fence_of_copy || slots[s].fences[0] || slots[s].fences[1] ->
      COOLING : FREE);
#ifdef FAULT_FREE_AT_RELEASE
    slots[s].state = FREE
#endif
  }
}

// ---- The source --------------------------------------------------------------------------------------------------

// Whether `me`, in close(), waits for the callback of t: not for its own, and, from a callback, for none that is in
// close() too and would wait for this one.
#ifdef FAULT_CLOSERS_WAIT_FOR_EACH_OTHER
#define WAITS_FOR(me, t) (t != me && calling_back[t])
#else
#define WAITS_FOR(me, t) (t != me && calling_back[t] && !(calling_back[me] && closing[t]))
#endif

inline close(me) {
  atomic { refusing = true; closed = true; closing[me] = true };
#ifndef FAULT_CLOSE_WAITS_FOR_NOBODY
  !WAITS_FOR(me, 0) && !WAITS_FOR(me, 1) && !WAITS_FOR(me, CAMERA) && !WAITS_FOR(me, EVICTION);
#endif
  closing[me] = false
}

inline call_back(me) {
  atomic {
    may_call = !closed;
#ifndef FAULT_CALLBACK_IS_NOT_COUNTED
    calling_back[me] = may_call
#endif
  }
  if
  :: may_call ->
    assert(!close_returned);  // the callback begins
#ifdef CLOSED_BY_CALLBACKS
    if
    :: true
    :: close(me)
    fi;
#endif
    assert(!close_returned);  // and ends
    atomic { calling_back[me] = false; may_call = false }
  :: else
  fi
}

// ---- The registry ------------------------------------------------------------------------------------------------

inline attach(s, n) {
  atomic {
    !table_locked;
    records[s].alive = true;
    records[s].in_table = true;
    records[s].id = n;
    records[s].references = 1;
    records[s].all_readers_fence = true;
    published = n
  }
}

inline take_out_of_table(s) {
  atomic { !table_locked; records[s].in_table = false }
}

// A reference is gone, and with the last one the frame.
inline drop(s, me) {
  atomic {
    assert(records[s].references > 0);
    records[s].references--;
    is_last = records[s].references == 0
  }
  if
  :: is_last ->
    is_last = false;
#ifndef FAULT_FOUND_AFTER_ITS_END
    take_out_of_table(s);
#endif
    call_back(me);
    atomic {  // nobody else has the record any more
      slots[s].needs_cooldown = !records[s].all_readers_fence;
#ifdef FAULT_NO_COOLDOWN
      slots[s].needs_cooldown = false;
#endif
      slots[s].fences[0] = records[s].fences[0];
      slots[s].fences[1] = records[s].fences[1];
#ifndef FAULT_COPY_IS_NOT_FENCED
      slots[s].fence_of_copy = true;
#endif
      records[s].alive = false;
      records[s].all_readers_fence = false;
      records[s].fences[0] = false;
      records[s].fences[1] = false;
      records[s].was_evicted = false;
#ifndef FAULT_IDLE_BEFORE_THE_SLOT_IS_BACK
#ifndef FAULT_FOUND_AFTER_ITS_END
      release(s)
#endif
#endif
    }
#ifdef FAULT_FOUND_AFTER_ITS_END
    take_out_of_table(s);
    release(s);
#endif
    in_flight--;
#ifdef FAULT_IDLE_BEFORE_THE_SLOT_IS_BACK
    release(s)
#endif
  :: else
  fi
}

#define IS_FRAME(s, n) (records[s].in_table && records[s].id == n)
#ifdef FAULT_ID_IS_THE_PLACE_ALONE
#define FINDS(s, n) (records[s].in_table && s == 0)
#else
#define FINDS(s, n) IS_FRAME(s, n)
#endif

// s: where frame n is, with one more reference; or NONE.
inline find_and_reference(n, s, by_id) {
#ifndef FAULT_LOOKUP_WITHOUT_LOCK
  atomic { !table_locked; table_locked = true };
#endif
  atomic {
    s = (FINDS(0, n) -> 0 : (FINDS(1, n) -> 1 : NONE));
    if
    :: s != NONE ->
      assert(records[s].alive);  // else its memory is gone
      seen = records[s].references
    :: else
    fi;
    if
    :: s != NONE && by_id && records[s].was_evicted -> s = NONE
    :: else
    fi
  }
  do
  :: s == NONE -> break
#ifndef FAULT_REFERENCE_FROM_ZERO
  :: s != NONE && seen == 0 -> s = NONE
#endif
  :: else ->
    atomic {
      if
#ifdef FAULT_REFERENCE_FROM_ZERO
      :: true ->
#else
      :: records[s].references == seen ->
#endif
        records[s].references++;
        records[s].held_by_id = records[s].held_by_id + by_id;
        users[s]++;
        users_by_id[s] = users_by_id[s] + by_id;
        break
#ifndef FAULT_REFERENCE_FROM_ZERO
      :: else -> seen = records[s].references
#endif
      fi
    }
  od;
#ifndef FAULT_LOOKUP_WITHOUT_LOCK
  table_locked = false
#endif
}

// Leaves s NONE where the reference by id was evicted.
inline unhold(n, s) {
  atomic {
    !table_locked;
    if
    :: IS_FRAME(s, n) && records[s].held_by_id > 0 -> records[s].held_by_id--
    :: else -> s = NONE
    fi
  }
}

// ---- Threads -----------------------------------------------------------------------------------------------------

active proctype camera() {
  byte s, n;
  bool is_last, may_call;
#ifndef CLOSED_BY_CALLBACKS
  slots[1].state = QUARANTINED;
#endif
  do
  :: n < FRAMES ->
    atomic {  // Source::begin_frame
      if
      :: refusing -> break
      :: else -> in_flight++
      fi
    }
    acquire(s);
#ifdef WITH_DEVICE
    if
    :: s == NONE -> in_flight--; break
    :: else
    fi;
#endif
    atomic {
      n++;
      slots[s].content = n;
#ifdef WITH_DEVICE
      copying[s] = true
#endif
    }
    attach(s, n);
    drop(s, CAMERA)
  :: else -> break
  od;
  atomic { s = 0; ended++ }
}

#define IS_READABLE(s, n) (records[s].alive && slots[s].state == ACTIVE && slots[s].content == n)

active [READERS] proctype reader() {
  byte s = NONE, n, seen;
  bool is_last, may_call, by_id;
  atomic {  // wants the newest frame, or the one before, which may be gone
    if
    :: published > 0 -> n = published
    :: published > 1 -> n = published - 1
    :: ended > 0 -> n = 1
    fi;
#ifdef HELD_BY_ID
    if
    :: by_id = false
    :: by_id = true
    fi
#endif
  }
  find_and_reference(n, s, by_id);
  if
  :: s != NONE ->
    atomic {  // wait(), a kernel, and its fence unless there can be none
      assert(IS_READABLE(s, n));
#ifdef WITH_DEVICE
      kernel[_pid - 1] = s;
      if
      :: fenced[_pid - 1] = true; records[s].fences[_pid - 1] = true
      :: records[s].all_readers_fence = false
      fi
#endif
    }
    atomic {
      assert(IS_READABLE(s, n));
      users[s]--;
      users_by_id[s] = users_by_id[s] - by_id
    }
#ifdef HELD_BY_ID
    if
    :: by_id -> unhold(n, s)
    :: else
    fi;
#endif
    if
    :: s != NONE -> drop(s, _pid - 1)
#ifdef HELD_BY_ID
    :: else
#endif
    fi
  :: else
  fi;
  atomic { s = NONE; n = 0; seen = 0; by_id = false; ended++ }
}

#ifdef HELD_BY_ID
active proctype eviction() {
  byte s, held;
  bool is_last, may_call;
  do
  :: s < 1 ->
    atomic {
      !table_locked;
      if
      :: records[s].in_table && users_by_id[s] == 0 && records[s].held_by_id > 0 ->
        held = records[s].held_by_id;
        records[s].held_by_id = 0;
#ifndef FAULT_HELD_AFTER_EVICTION
        records[s].was_evicted = true
#endif
      :: else
      fi
    }
    do
    :: held > 0 -> drop(s, EVICTION); held--
    :: else -> break
    od;
    s++
  :: else -> break
  od;
  atomic { s = 0; ended++ }
}
#endif

#define THREADS (READERS + 2)
#ifndef HELD_BY_ID
active proctype closer() {
  if
  :: true
  :: refusing = true;
    atomic {  // wait_until_idle()
      in_flight == 0;
      assert(slots[0].state != ACTIVE && slots[1].state != ACTIVE)
    }
  fi;
  close(CLOSER);
  atomic { close_returned = true; ended++ }
}
#endif

#ifdef WITH_DEVICE
#define ENDS(r) kernel[r] != NONE && !copying[kernel[r] % SLOTS]
#define FAILS(r) !failed && kernel[r] != NONE && fenced[r] && slots[kernel[r] % SLOTS].state == COOLING
#define COOLS(s) slots[s].state == COOLING && slots[s].needs_cooldown && !slots[s].cooled && \
  !(kernel[0] == s && !fenced[0]) && !(kernel[1] == s && !fenced[1])

active proctype device() {
  do
  :: atomic { copying[0] -> copying[0] = false }
  :: atomic { copying[1] -> copying[1] = false }
  :: atomic { ENDS(0) -> kernel[0] = NONE; fenced[0] = false }
  :: atomic { ENDS(1) -> kernel[1] = NONE; fenced[1] = false }
  :: atomic { FAILS(0) -> failed = true; slots[kernel[0]].state = QUARANTINED; kernel[0] = NONE }
  :: atomic { FAILS(1) -> failed = true; slots[kernel[1]].state = QUARANTINED; kernel[1] = NONE }
  :: finished -> break
  od
}

active proctype clock() {
  do
  :: atomic { COOLS(0) -> slots[0].cooled = true }
  :: atomic { COOLS(1) -> slots[1].cooled = true }
  :: finished -> break
  od
}
#endif

active proctype last() {
  atomic {
    ended == THREADS && (CAN_BE_HAD(0) || slots[0].state == QUARANTINED) &&
      (CAN_BE_HAD(1) || slots[1].state == QUARANTINED);
    assert(in_flight == 0 && !records[0].alive && !records[1].alive);
    finished = true
  }
}
