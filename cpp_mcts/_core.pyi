import numpy as np
from numpy.typing import NDArray

def considered_visits(considered: int, simulations: int) -> NDArray[np.int32]:
    """Sequential halving as a table, i32[S]: the visits an action must have to be tried by each simulation.

    Danihelka et al. 2022, Algorithm 1.
    """

def memory_needed(trees: int, actions: int, simulations: int, **settings: float | str | bool) -> int:
    """Bytes that a `Search` with these arguments reserves (its `memory_bytes`), without making it.

    At most 2**64 - 1. Raises as `Search` does for its settings.
    """

def limits() -> dict[str, tuple[float, float]]:
    """Lowest and highest value of every setting that is a number, both allowed; whole ones for a whole number.

    Within them, and with `high - low` no less than `least_span(low, high)`, no finite float32 numbers of a network can
    make a score overflow.
    """

def choices() -> dict[str, tuple[str | bool, ...]]:
    """All values of every setting that isn't a number."""

def memory_limit(system: str = "") -> int:
    """Bytes this process may have: the machine's, or a control group's that allows fewer.

    system: the folder that `proc` and `sys` are in.
    """

def least_span(low: float, high: float) -> float:
    """The least `high - low` that a search accepts: 1e-30, and a millionth of the larger of the two."""

class BadNumbers(ValueError):
    """Network outputs that no search can use. The search is then void and needs a `reset`."""

class Search:
    """A batch of tree searches in lockstep: `reset`, then S times `select` and `expand`, then `result`.

    Between two simulations `advance` does an `expand` and the next `select` in one call, and sooner.

    Letters: B trees, A actions, S simulations, M leaves. A reward is seen by the player who moved, a value by
    the player to move; a discount is +g if the same player moves next, -g if the other one does, 0 at the end.
    Arrays are C-contiguous and of the exact dtype and shape; outputs are written in place. The GIL is released,
    unless B * A is so small (at most 64) that releasing it would take longer than the call.

    Every call raises TypeError for a wrong dtype or an object that was never made, ValueError for a wrong shape,
    RuntimeError for a call out of order or from a second thread; nothing has changed then, and the right call may
    follow. A refused row (BadNumbers: logits, values or rewards that are not finite, discounts outside of [-1, 1], no
    possible action, results beyond float32; ValueError: a root without a legal action) makes the search void, whichever
    call it was: `active_trees`, `leaves` and `simulations_done` are 0, what was written means nothing, and every call
    but `reset` is a RuntimeError.
    """

    def __init__(self, trees: int, actions: int, simulations: int, **settings: float | str | bool) -> None:
        """Reserves all memory for at most `trees` trees of `simulations` simulations over `actions` actions.

        settings: a value for every name of `limits` and of `choices`, the three sizes left out. There are no defaults
        here; `muzero.config.SearchConfig` has them, and says what each setting means.

        Raises TypeError for a setting that is missing, unknown or of a wrong type, ValueError for a value that `limits`
        and `choices` don't have or `high - low` below `least_span`, RuntimeError if the system gives fewer threads.
        Raises MemoryError, with the bytes needed and the bytes there are, if `memory_needed` is more than the machine
        or the process's control group has; nothing is reserved then.
        """

    def reset(
        self,
        logits: NDArray[np.float32],
        value: NDArray[np.float32],
        legal: NDArray[np.uint8] | NDArray[np.bool_],
        seeds: NDArray[np.uint64],
        simulations: int | None = None,
    ) -> None:
        """Starts a search of B trees: logits [B,A], value [B], legal [B,A], seeds [B]; S defaults to the capacity.

        A tree's noise comes from its own seed alone, so a batch equals B single searches.
        """

    def select(self, tree: NDArray[np.int32], slot: NDArray[np.int32], action: NDArray[np.int32]) -> int:
        """Walks each tree once and returns M, the number of leaves that need the network.

        Writes one row for each into the first M of tree, slot and action [B]. tree: which tree. slot: of the latent
        of the leaf's parent (0: the root's). action: to take from there. The new latent belongs into slot
        `simulations_done` + 1. A tree whose walk ends at a known terminal makes no leaf.
        """

    def expand(
        self,
        reward: NDArray[np.float32],
        discount: NDArray[np.float32],
        logits: NDArray[np.float32],
        value: NDArray[np.float32],
    ) -> None:
        """Takes the network's answers, rows as `select` wrote them: reward, discount, value [M] and logits [M,A].

        A logit of np.finfo(np.float32).min says that the action is impossible there: it is never tried, and counts for
        nothing. A position that isn't the end (discount 0) needs at least one that is possible.
        """

    def advance(
        self,
        reward: NDArray[np.float32],
        discount: NDArray[np.float32],
        logits: NDArray[np.float32],
        value: NDArray[np.float32],
        tree: NDArray[np.int32],
        slot: NDArray[np.int32],
        action: NDArray[np.int32],
    ) -> int:
        """`expand` and then `select`: takes the answers to the last leaves, writes the next ones and returns M.

        The results are the same to the last bit. Needs a leaf that waits, as `expand` does (after M = 0 call `select`),
        and a simulation to go on with: RuntimeError at the last one, whose answers only `expand` takes. All arrays are
        checked before anything is done.
        """

    def result(
        self,
        visits: NDArray[np.int32],
        policy: NDArray[np.float32],
        q: NDArray[np.float32],
        value: NDArray[np.float32],
        action: NDArray[np.int32],
    ) -> None:
        """Writes visits, policy (0 for illegal actions), q [B,A], value and the chosen action [B].

        pUCT: policy = shares of the visits, value = the root's mean, q of an unvisited action = that mean.
        Gumbel: policy = softmax(logits + sigma(q)) without noise, q completed, value = the policy's mean q.
        """

    def principal_variation(self, tree: int, max_length: int = 16) -> NDArray[np.int32]:
        """The chosen action of one tree, then the most visited ones, i32[<= max_length]."""

    def nodes(self, tree: int) -> dict[str, NDArray[np.generic]]:
        """The nodes of one tree as the search has left them, columns [n] in the order of creation, the root first.

        parent i32: row of the parent, and action i32: taken there; both -1 for the root. visits i32: of the node, the
        network's own evaluation included. value f64: mean return for the player to move; raw_value f32: the network's.
        Of the edge into the node, 0 for the root: prior f32, reward f32 and q f64 for the player to move at the parent,
        discount f32, signed. Under pUCT a root's priors have the noise in them.
        """

    @property
    def trees(self) -> int:
        """Capacity: the largest B."""
    @property
    def actions(self) -> int:
        """A."""
    @property
    def capacity(self) -> int:
        """The largest S."""
    @property
    def active_trees(self) -> int:
        """B of the last reset."""
    @property
    def simulations(self) -> int:
        """S of the last reset."""
    @property
    def simulations_done(self) -> int:
        """Simulations finished since the reset."""
    @property
    def leaves(self) -> int:
        """M of the last select, 0 once they are expanded."""
    @property
    def edges_visited(self) -> int:
        """Edges traversed since the reset in all trees: the sum of the depths of all simulations."""
    @property
    def memory_bytes(self) -> int:
        """Bytes reserved; constant, as a search allocates nothing."""
