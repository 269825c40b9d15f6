// Operations on whole rows of logits: the only loops over all actions.
#pragma once

#include "types.h"

namespace mcts {

// exp(x) for x <= 0 in float32 arithmetic, relative error below 3e-7; below -87 the result stays exp(-87).
float row_exp(float x);

// The same for each of `count` numbers, in place.
void row_exps(float* x, int count);

inline bool is_finite(float x) { return x - x == 0.0f; }

// True if all `count` numbers are finite.
bool all_finite(const float* numbers, int count);

// Found while copying a row.
struct CopiedRow {
  bool finite;    // all logits are
  bool excludes;  // a logit is kTaken
};
// Copies a row of `actions` logits and pads it to `padded` with kTaken.
CopiedRow copy_row(const float* from, float* to, int actions, int padded);

// The first index of the largest of `padded` logits.
int largest_logit(const float* row, int padded);

// Statistics of a row before any action is taken.
struct FirstLook {
  double weights;  // sum of row_exp(logit - largest) over the row; padding adds less than 1e-36
  float largest;   // logit
  Action action;   // the first action with it
};
FirstLook first_look(const float* row, int padded);

}  // namespace mcts
