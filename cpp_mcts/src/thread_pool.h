// Threads that share out the trees of one call. A tree belongs to one thread for the whole call, so a search
// has no lock, and how many threads there are doesn't change what is computed.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

namespace mcts {

class ThreadPool {
 public:
  // The calling thread is one of the `threads`.
  explicit ThreadPool(int threads) : owner_(getpid()) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  }

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  ~ThreadPool() {
    // In a forked child the threads don't exist, so there is nothing to wait for.
    if (getpid() != owner_) {
      for (std::thread& worker : workers_) worker.detach();
      return;
    }
    stop_ = true;
    wake();
    for (std::thread& worker : workers_) worker.join();
  }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls f(thread, begin, end) on equal parts of [0, count), one a thread, and waits for all. f can't throw.
  template <class F>
  void parallel_for(int count, const F& f) {
    if (workers_.empty()) {
      f(0, 0, count);
      return;
    }
    if (getpid() != owner_) {
      throw std::runtime_error(
          "a Search with threads > 1 can't be used in a forked process: make a new one there");
    }
    count_ = count;
    context_ = &f;
    call_ = [](const void* context, int thread, int begin, int end) {
      (*static_cast<const F*>(context))(thread, begin, end);
    };
    running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    wake();
    run_part(0);
    for (int left = running_.load(std::memory_order_acquire); left != 0;
         left = running_.load(std::memory_order_acquire)) {
      running_.wait(left, std::memory_order_acquire);
    }
  }

 private:
  void wake() {
    calls_.fetch_add(1, std::memory_order_release);
    calls_.notify_all();
  }

  void run_part(int thread) {
    const std::int64_t count = count_;
    const int begin = static_cast<int>(count * thread / threads());
    const int end = static_cast<int>(count * (thread + 1) / threads());
    if (begin < end) call_(context_, thread, begin, end);
  }

  void work(int thread) {
    for (std::uint32_t seen = 0;;) {
      calls_.wait(seen, std::memory_order_acquire);
      seen = calls_.load(std::memory_order_acquire);
      if (stop_) return;
      run_part(thread);
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
    }
  }

  const pid_t owner_;
  std::atomic<std::uint32_t> calls_{0};  // a change of it starts a call
  std::atomic<int> running_{0};          // workers that have not finished the call
  // Written by the calling thread before `calls_` changes, read by the workers after.
  int count_ = 0;
  const void* context_ = nullptr;
  void (*call_)(const void*, int, int, int) = nullptr;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace mcts
