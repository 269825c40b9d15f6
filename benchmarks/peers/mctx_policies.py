"""The policies of mctx, compiled by JAX for one CPU thread.

The stub is part of the compiled program, as a network would be, so its time is in mctx's: it is one row of a table
for each tree, looked up by a hash of the actions so far, which stands for the latent. (The others are told the row by
the number of the simulation, which a JAX program can't see; a hash makes the rows of a tree just as independent.)
That is a copy of A + 3 numbers, far less than the step that stores them in the tree.

Counted: the call until its outputs are ready. Not counted: compilation.

Counted edges: every simulation adds one node (no node is terminal, no depth limit), and its walk is as long as that
node lies deep. The parents of all nodes are part of the program's output; they are a state of its loop anyway.

mctx has no bounds of Q over the whole tree; its pUCT keeps its own default, the bounds of parent and siblings.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import mctx
import numpy as np

from muzero.bench.stub import ANSWERS
from peers.contestant import (
    C_BASE,
    C_INIT,
    C_SCALE,
    C_VISIT,
    MAX_CONSIDERED,
    Contestant,
    Shape,
    Spent,
    depths,
)
from peers.own import make_stub


def step(table: Any, _rng: Any, action: Any, latent: Any) -> tuple[Any, Any]:
    """The stub: action [B], latent u32[B] -> answers [B] or [B,A], latent u32[B]."""
    reward, discount, logits, value = table
    mixed = (latent ^ (action.astype(jnp.uint32) + jnp.uint32(1))) * jnp.uint32(0x9E3779B1)
    latent = mixed ^ (mixed >> 15)
    row = (latent % len(reward)).astype(jnp.int32)
    answer = mctx.RecurrentFnOutput(
        reward=reward[row], discount=discount[row], prior_logits=logits[row], value=value[row]
    )
    return answer, latent


def policy(name: str, simulations: int) -> Any:
    """The policy of that name with the settings of this comparison and no noise."""
    if name == "mctx-muzero":
        return partial(
            mctx.muzero_policy,
            num_simulations=simulations,
            dirichlet_fraction=0.0,
            pb_c_base=C_BASE,
            pb_c_init=C_INIT,
        )
    rescale = partial(mctx.qtransform_completed_by_mix_value, value_scale=C_SCALE, maxvisit_init=C_VISIT)
    return partial(
        mctx.gumbel_muzero_policy,
        num_simulations=simulations,
        max_num_considered_actions=MAX_CONSIDERED,
        gumbel_scale=0.0,
        qtransform=rescale,
    )


class Mctx:
    def __init__(self, name: str, shape: Shape) -> None:
        stub = make_stub(shape)
        chosen = policy(name, shape.simulations)
        rows = ANSWERS + shape.trees
        tables = (stub.reward, stub.discount, stub.logits.reshape(rows, shape.actions), stub.value)
        self._table = jax.device_put(tables)
        self._shape = shape

        def program(table: Any, key: Any, row: Any) -> tuple[Any, ...]:
            latent = row.astype(jnp.uint32)
            root = mctx.RootFnOutput(prior_logits=table[2][row], value=table[3][row], embedding=latent)
            done = chosen(params=table, rng_key=key, root=root, recurrent_fn=step)
            tree = done.search_tree
            return done.action, done.action_weights, tree.node_values[:, 0], tree.parents

        self._program = jax.jit(program).lower(self._table, *self._inputs(0)).compile()

    def search(self, number: int) -> Spent:
        inputs = jax.block_until_ready(self._inputs(number))
        start = time.process_time()
        *_, parents = jax.block_until_ready(self._program(self._table, *inputs))
        spent = time.process_time() - start
        edges = int(depths(np.asarray(parents)).sum())
        return Spent(spent, self._shape.trees * self._shape.simulations, edges)

    def _inputs(self, number: int) -> tuple[Any, Any]:
        """A random key, which no noise uses, and the roots' rows i32[B]."""
        first = number % ANSWERS
        return jax.random.PRNGKey(number), jnp.arange(first, first + self._shape.trees, dtype=jnp.int32)


def make(name: str, shape: Shape) -> Contestant:
    return Mctx(name, shape)
