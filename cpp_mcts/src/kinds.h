// Instantiates the search for each algorithm and scale: maps the settings to types.
#pragma once

#include <cstdint>
#include <memory>

#include "roots/gumbel.h"
#include "roots/puct.h"
#include "scale.h"
#include "search.h"
#include "search_base.h"
#include "types.h"

namespace mcts {

// The search with the root and the scale of the settings, as a type.
template <class T>
struct Kind {
  using Search = T;
};

template <template <class> class Root, class F>
auto with_scale(const Settings& s, const F& f) {
  switch (s.scale) {
    case ScaleKind::kFixed:
      return f(Kind<BatchSearch<Root<FixedScale>, FixedScale>>{});
    case ScaleKind::kMinMax:
      return f(Kind<BatchSearch<Root<MinMaxScale>, MinMaxScale>>{});
    case ScaleKind::kSiblings:
      break;
  }
  return f(Kind<BatchSearch<Root<SiblingsScale>, SiblingsScale>>{});
}

template <class F>
auto with_kind(const Settings& s, const F& f) {
  return s.algorithm == Algorithm::kGumbel ? with_scale<GumbelRoot>(s, f) : with_scale<PuctRoot>(s, f);
}

inline std::unique_ptr<SearchBase> make(const Settings& s) {
  return with_kind(s, [&s](auto kind) -> std::unique_ptr<SearchBase> {
    return std::make_unique<typename decltype(kind)::Search>(s);
  });
}

inline std::uint64_t bytes_of(const Settings& s) {
  return with_kind(s, [&s](auto kind) { return decltype(kind)::Search::bytes(s); });
}

}  // namespace mcts
