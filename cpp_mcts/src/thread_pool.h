// A thread pool that distributes the trees of one call. A tree belongs to one thread for the whole call, so a
// search needs no locks, and results don't depend on which thread it is or how many there are.
#pragma once

#ifdef __linux__
#include <sched.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace mcts {

// Every thread has its own share of the chunks, the same in every call, so that a tree stays in one core's
// cache; a thread that has finished steals chunks from the far end of the others' shares. So a worker that
// wakes up late, or not at all, doesn't delay the call.
//
// A call takes some microseconds, and waking a sleeping thread takes as long or longer. So a waiting thread
// spins for a short while before going to sleep, unless there are fewer cores than threads.
class ThreadPool {
 public:
  // The calling thread is one of the `threads`.
  explicit ThreadPool(int threads)
      : owner_(getpid()), patience_(cores() < threads ? kNoPatience : kPatience), shares_(threads) {
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
    } catch (const std::system_error&) {
      const std::string got = std::to_string(workers_.size() + 1);
      end();
      throw std::runtime_error("threads: expected " + std::to_string(threads) + ", got " + got +
                               " from the system: ask for fewer");
    }
  }

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  ~ThreadPool() {
    // In a forked child the threads don't exist, and a new thread may have the id of one of them: neither
    // join nor detach them, but leak the handles.
    if (getpid() != owner_) {
      new std::vector<std::thread>(std::move(workers_));
      return;
    }
    end();
  }

  int threads() const { return static_cast<int>(shares_.size()); }

  // Calls f(thread, begin, end) on chunks of at most `most` of [0, count) and waits for all. f must not
  // throw.
  template <class F>
  void parallel_for(int count, int most, const F& f) {
    if (workers_.empty() || count <= 1) {
      f(0, 0, count);
      return;
    }
    if (getpid() != owner_) {
      throw std::runtime_error(
          "a Search with threads > 1 can't be used in a forked process: make a new one there");
    }
    const int grain = std::min(most, (count + threads() - 1) / threads());
    count_ = count;
    grain_ = grain;
    context_ = &f;
    call_ = [](const void* context, int thread, int begin, int end) {
      (*static_cast<const F*>(context))(thread, begin, end);
    };
    open((count + grain - 1) / grain);
    wake();
    run_chunks(0);
    await(unfinished_, [](int left) { return left == 0; });
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kPatience{20}, kNoPatience{0};
  static constexpr int kLine = 64;  // cache line: separates what different threads write

  // The chunks of a share not yet taken: the first in the upper half, the end in the lower half.
  struct alignas(kLine) Share {
    std::atomic<std::uint64_t> open{0};
  };

  // Cores that this process may use.
  static int cores() {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    return static_cast<int>(std::thread::hardware_concurrency());
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  // Waits until `what` has a value that is `right` and returns it. Writes before its store are then visible.
  template <class T, class Right>
  T await(const std::atomic<T>& what, const Right& right) const {
    T seen = what.load(std::memory_order_acquire);
    if (right(seen)) return seen;
    for (const auto end = Clock::now() + patience_; Clock::now() < end;) {
      for (int i = 0; i < 8; ++i) {
        pause();
        seen = what.load(std::memory_order_acquire);
        if (right(seen)) return seen;
      }
    }
    while (!right(seen)) {
      what.wait(seen, std::memory_order_acquire);
      seen = what.load(std::memory_order_acquire);
    }
    return seen;
  }

  // All workers leave.
  void end() {
    stop_.store(true, std::memory_order_relaxed);
    wake();
    for (std::thread& worker : workers_) worker.join();
  }

  void open(int chunks) {
    unfinished_.store(chunks, std::memory_order_relaxed);
    for (std::uint64_t i = 0, n = shares_.size(); i < n; ++i) {
      const std::uint64_t first = chunks * i / n, end = chunks * (i + 1) / n;
      shares_[i].open.store(first << 32 | end, std::memory_order_release);
    }
  }

  void wake() {
    calls_.fetch_add(1, std::memory_order_release);
    calls_.notify_all();
  }

  // Takes a chunk of a share, from the front or the end. False: none is left.
  static bool take(Share& share, bool front, int& chunk) {
    std::uint64_t open = share.open.load(std::memory_order_acquire);
    for (;;) {
      const std::uint64_t first = open >> 32, end = open & 0xffffffffu;
      if (first >= end) return false;
      const std::uint64_t rest = front ? (first + 1) << 32 | end : first << 32 | (end - 1);
      if (share.open.compare_exchange_weak(open, rest, std::memory_order_acquire)) {
        chunk = static_cast<int>(front ? first : end - 1);
        return true;
      }
    }
  }

  // A chunk that can be taken belongs to the current call, which can't end before the chunk is finished.
  void run_chunks(int thread) {
    int finished = 0;
    for (int i = 0; i < threads(); ++i) {
      Share& share = shares_[(thread + i) % threads()];
      for (int chunk; take(share, i == 0, chunk); ++finished) {
        const int begin = chunk * grain_;
        call_(context_, thread, begin, std::min(begin + grain_, count_));
      }
    }
    if (finished == 0) return;
    if (unfinished_.fetch_sub(finished, std::memory_order_acq_rel) == finished) unfinished_.notify_one();
  }

  void work(int thread) {
    for (std::uint32_t seen = 0;;) {
      seen = await(calls_, [seen](std::uint32_t calls) { return calls != seen; });
      if (stop_.load(std::memory_order_relaxed)) return;
      run_chunks(thread);
    }
  }

  const pid_t owner_;
  const std::chrono::microseconds patience_;
  std::vector<Share> shares_;  // one per thread
  // Written by the calling thread before the shares are opened, read by the thread that has taken a chunk.
  int count_ = 0, grain_ = 1;
  const void* context_ = nullptr;
  void (*call_)(const void*, int, int, int) = nullptr;
  std::atomic<bool> stop_{false};
  alignas(kLine) std::atomic<std::uint32_t> calls_{0};  // a change starts a call
  alignas(kLine) std::atomic<int> unfinished_{0};       // chunks of the call
  alignas(kLine) std::vector<std::thread> workers_;
};

}  // namespace mcts
