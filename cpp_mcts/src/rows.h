// Work on whole rows of logits: the only loops whose length is the number of actions.
#pragma once

#include "types.h"

namespace mcts {

// exp(x) for x <= 0 in float32 arithmetic, relative error below 3e-7; below -87 the answer stays exp(-87).
float row_exp(float x);

// Copies a row of `actions` logits and fills up to `padded` with kTaken. False if one is not finite.
bool copy_row(const float* from, float* to, int actions, int padded);

// True if all `count` numbers are finite.
bool all_finite(const float* numbers, int count);

// The first index of the largest of `padded` logits.
int largest_logit(const float* row, int padded);

// Sum of row_exp(logit - largest) over the row; padding adds less than 1e-36.
double weight_sum(const float* row, int padded, float largest);

}  // namespace mcts
