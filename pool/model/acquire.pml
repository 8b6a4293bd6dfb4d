// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A model, in Promela, of threads that wait for slots of one domain: pictures and bytes, a cap of one slot of each, a
// quota of one slot that two of the threads share. tests/model searches every interleaving with spin. Nobody has a
// deadline here, so whoever is forgotten sleeps for ever, which the search finds.
//
//   here                   models
//   user                   a caller: DomainPool::acquire with kBlock, then release
//   look                   DomainPool::try_acquire
//   settle_by_time, ask    DomainPool::settle_by_time, and settle_by_fences with the one slot there can be to ask
//   make                   DomainPool::make_slot; what it has no memory for is given up
//   make_free, notify      DomainPool::make_free, make_quarantined, notify
//   fall_asleep            DomainPool::next_change and Clock::wait_until
//   statistics             DomainPool::stats, which asks fences too; here of pictures, for which two others wait
//   device, clock          the GPU, which ends what it was given when it likes; a cooldown that passes
//
// The mutex is the code's: dropped where the code drops it. A thread that looks every millisecond does so here when
// there is news, for looks that find what they found before change nothing. frame.pml in registry/model says what is
// between a slot's acquire and its release.
//
// Each FAULT_... breaks one rule, and tests/model wants every one found.

#define KINDS 2  // pictures, bytes: the number of the slot too
#define USERS 3
#define ROUNDS 1

mtype = { ABSENT, MAKING, FREE, ACTIVE, TIMED, FENCED, ASKED, QUARANTINED };

mtype state[KINDS] = ABSENT;
bool charged[KINDS];  // to the quota
bool cooled[KINDS], complete[KINDS];
byte used;  // of the quota
bool locked;
bool failed, refused;  // a fence, an allocation: once

byte waiting;
bool asleep[USERS], polls[USERS], news[USERS];
bool until_cooled[USERS * KINDS];

byte ended;
bool finished;

#define LOCK atomic { !locked -> locked = true }
#define UNLOCK locked = false

inline tell() {
  news[0] = asleep[0];
  news[1] = asleep[1];
  news[2] = asleep[2]
}

inline wake() {
  asleep[0] = false;
  asleep[1] = false;
  asleep[2] = false
}

inline notify() {
  if
  :: waiting > 0 -> wake()
  :: else
  fi
}

inline refund(k) {
  if
  :: charged[k] -> charged[k] = false; used--
  :: else
  fi
}

inline make_free(k) {
  notify();
  refund(k);
  state[k] = FREE;
  cooled[k] = false;
  complete[k] = false;
  tell()
}

inline make_quarantined(k) {
#ifndef FAULT_QUARANTINE_WAKES_NOBODY
  notify();
#endif
  refund(k);
  state[k] = QUARANTINED;
  complete[k] = false;
  tell()
}

inline settle_by_time(k) {
  d_step {
    if
    :: state[k] == TIMED && cooled[k] -> make_free(k)
    :: else
    fi
  }
}

inline charge() {
  d_step {
    if
    :: !has_charged && used == 0 -> used++; has_charged = true
    :: else
    fi
  }
}

// With the mutex held, which is dropped around the query.
inline ask(k) {
  if
  :: state[k] == FENCED ->
    state[k] = ASKED;
    UNLOCK;
    atomic {
      if
      :: complete[k] -> verdict = FREE
      :: complete[k] && !failed -> failed = true; verdict = QUARANTINED
      :: !complete[k] -> verdict = FENCED
      fi
    }
    LOCK;
    d_step {
      was_freed = verdict == FREE;
      if
      :: verdict == FREE -> make_free(k)
      :: verdict == FENCED && complete[k] -> state[k] = FENCED; tell()  // since the query
      :: verdict == FENCED && !complete[k] -> state[k] = FENCED
      :: verdict == QUARANTINED -> make_quarantined(k)
      fi
    }
    verdict = ABSENT
  :: else -> was_freed = false
  fi
}

// What a caller whose quota is used up does for each kind: what cools there may be what the quota counts.
inline charge_what_cooled(k) {
  if
  :: !has_charged ->
    settle_by_time(k);
    charge();
    if
    :: !has_charged ->
      ask(k);
#ifndef FAULT_QUOTA_IS_LEFT_AFTER_A_FAILED_FENCE
      charge()
#else
      if
      :: was_freed -> charge()
      :: else
      fi
#endif
    :: else
    fi
  :: else
  fi
}

// `has` says whether the slot is the caller's now; `gives_up`, that there was no memory. With the mutex held.
inline look() {
  settle_by_time(kind);
  if
  :: with_quota ->
    charge();
    charge_what_cooled(kind);
#ifndef FAULT_OTHER_KINDS_COOL_UNSEEN
    charge_what_cooled(1 - kind)
#endif
  :: else
  fi;
  no_quota = with_quota && !has_charged;
  if
  :: !no_quota ->
    if
    :: state[kind] != FREE -> ask(kind)
    :: else
    fi;
    if
    :: state[kind] == FREE -> has = true
    :: state[kind] == ABSENT -> make()
    :: else
    fi;
    d_step {
      if
      :: has -> state[kind] = ACTIVE; charged[kind] = has_charged
      :: !has && has_charged -> used--; has_charged = false
      :: else
      fi;
    }
  :: else
  fi
}

inline make() {
  state[kind] = MAKING;
  UNLOCK;
  if
  :: has = true
  :: !refused -> atomic { refused = true; gives_up = true }
  fi;
  LOCK;
  d_step {
    if
    :: !has ->
      state[kind] = ABSENT;
      tell();
#ifndef FAULT_ROOM_UNDER_THE_CAP_IS_NOT_TOLD
      notify()
#endif
    :: else
    fi
  }
}

#ifdef FAULT_ASKED_IS_NOT_LOOKED_FOR
#define MAY_COOL_UNTOLD(k) (state[k] == FENCED)
#else
#define MAY_COOL_UNTOLD(k) (state[k] == FENCED || state[k] == ASKED)
#endif
#ifdef FAULT_OTHER_KINDS_COOL_UNSEEN
#define WATCHES(k) (k == kind)
#else
#define WATCHES(k) (k == kind || no_quota)
#endif

// With the mutex held, which is dropped meanwhile.
inline fall_asleep() {
  d_step {
    polls[me] = (WATCHES(0) && MAY_COOL_UNTOLD(0)) || (WATCHES(1) && MAY_COOL_UNTOLD(1));
    until_cooled[me * KINDS] = WATCHES(0) && state[0] == TIMED;
    until_cooled[me * KINDS + 1] = WATCHES(1) && state[1] == TIMED;
    // What has cooled since it was looked at is not waited for.
    asleep[me] = !(until_cooled[me * KINDS] && cooled[0]) && !(until_cooled[me * KINDS + 1] && cooled[1]);
    news[me] = (state[0] == FENCED && complete[0]) || (state[1] == FENCED && complete[1]);
    waiting++
  }
  UNLOCK;
  // Where its slot is gone for good, a deadline ends the wait.
  !asleep[me] || (polls[me] && news[me]) || state[kind] == QUARANTINED;
  LOCK;
  d_step {
    asleep[me] = false;
    polls[me] = false;
    news[me] = false;
    until_cooled[me * KINDS] = false;
    until_cooled[me * KINDS + 1] = false;
    waiting--
  }
}

inline release() {
  LOCK;
  assert(state[kind] == ACTIVE);
  atomic {
    if
    :: make_free(kind)
    :: state[kind] = TIMED; tell();
    :: state[kind] = FENCED; tell();
    :: !failed -> failed = true; make_quarantined(kind)  // Lease::quarantine
    fi;
#ifndef FAULT_RELEASE_WAKES_NOBODY
    if
    :: state[kind] == TIMED || state[kind] == FENCED -> notify()
    :: else
    fi
#endif
  }
  UNLOCK
}

proctype user(byte me; byte kind; bool with_quota) {
  byte round;
  bool has, has_charged, no_quota, gives_up, was_freed;
  mtype verdict = ABSENT;
  do
  :: round < ROUNDS ->
    LOCK;
    do
    :: state[kind] == QUARANTINED -> break  // for good: the deadline will end this
    :: else ->
      look();
      if
      :: has || gives_up -> break
      :: else -> fall_asleep()
      fi
    od;
    UNLOCK;
    if
    :: has -> release()
    :: else
    fi;
    atomic { has = false; has_charged = false; no_quota = false; gives_up = false; was_freed = false; round++ }
  :: else -> break
  od;
  ended++
}

proctype statistics() {
  bool was_freed;
  mtype verdict = ABSENT;
  LOCK;
  settle_by_time(0);
  ask(0);
  UNLOCK;
  ended++
}

// What ends while a thread has the mutex might as well end after: nothing is asked under it, and a time that is over is
// not waited for.
#define COMPLETES(k) (state[k] == FENCED || state[k] == ASKED) && !complete[k]

active proctype device() {
  do
  :: atomic { !locked && COMPLETES(0) -> complete[0] = true; tell() }
  :: atomic { !locked && COMPLETES(1) -> complete[1] = true; tell() }
  :: finished -> break
  od
}

inline cool(k) {
  cooled[k] = true;
  asleep[0] = asleep[0] && !until_cooled[k];
  asleep[1] = asleep[1] && !until_cooled[KINDS + k];
  asleep[2] = asleep[2] && !until_cooled[2 * KINDS + k]
}

active proctype clock() {
  do
  :: atomic { !locked && state[0] == TIMED && !cooled[0] -> cool(0) }
  :: atomic { !locked && state[1] == TIMED && !cooled[1] -> cool(1) }
  :: finished -> break
  od
}

#define IS_SETTLED(k) \
  (state[k] != ACTIVE && state[k] != MAKING && state[k] != ASKED && (state[k] != TIMED || cooled[k]) && \
   (state[k] != FENCED || complete[k]))

init {
  atomic {
    run user(0, 0, true);
    run user(1, 1, true);
    run user(2, 0, false);
    run statistics()
  }
  atomic {
    ended == USERS + 1 && IS_SETTLED(0) && IS_SETTLED(1);
    assert(used == charged[0] + charged[1]);
    finished = true
  }
}
