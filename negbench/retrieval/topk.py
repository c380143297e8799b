"""Exact top-k with a defined order of ties: of a table of scores, and of scores that come block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from negbench.types import Float32, Int32

if TYPE_CHECKING:
    from torch import Tensor

GROUP = 16
"""Least documents per group: in a block of 16 k or more, the maxima of k groups show which scores are too low."""

_LAST = 2**31 - 1
_NOTHING = -(2**63)


def top_k(scores: Float32, k: int) -> tuple[Int32, Float32]:
    """Return the columns and values of the ``k`` largest of each row of ``scores`` [Q, N], best first.

    Equal scores come in ascending column, at the cut too: the result is the first k of a stable sort. Rows are
    padded with -1 and NaN where N < k. Only finite scores are returned: NaN and infinities say nothing of a rank.
    """
    rows, width = scores.shape
    k_here = min(k, width)
    documents = np.full((rows, k), -1, np.int32)
    values = np.full((rows, k), np.nan, np.float32)
    if k_here == 0 or rows == 0:
        return documents, values
    clean = np.where(np.isfinite(scores), scores, -np.inf)
    columns = np.argpartition(-clean, k_here - 1, axis=1)[:, :k_here]
    cut = np.take_along_axis(clean, columns, axis=1).min(axis=1, keepdims=True)
    tied = (clean == cut).sum(axis=1) != (np.take_along_axis(clean, columns, axis=1) == cut).sum(axis=1)
    for row in np.flatnonzero(tied):  # argpartition took arbitrary ones of those that tie at the cut
        above = np.flatnonzero(clean[row] > cut[row])
        at_cut = np.flatnonzero(clean[row] == cut[row])
        columns[row] = np.concatenate([above, at_cut[: k_here - len(above)]])
    columns.sort(axis=1)
    chosen = np.take_along_axis(clean, columns, axis=1)
    order = np.argsort(-chosen, axis=1, kind="stable")
    columns, chosen = np.take_along_axis(columns, order, axis=1), np.take_along_axis(chosen, order, axis=1)
    real = np.isfinite(chosen)
    documents[:, :k_here] = np.where(real, columns, -1)
    values[:, :k_here] = np.where(real, chosen, np.nan)
    return documents, values


class Best:
    """The ``k`` best documents of each of Q queries, kept up to date while documents come by in ascending row.

    Needs 8 * Q * k bytes and gives what ``top_k`` gives of all scores at once: best first, ties in ascending row,
    -1 and NaN past the end, finite scores alone. Blocks may have any size; the results do not depend on it.
    """

    def __init__(self, queries: int, k: int, device: str = "cpu") -> None:
        import torch

        self._k = k
        self._keys = torch.full((queries, k), _NOTHING, dtype=torch.int64, device=device)
        self._floor = torch.full((queries,), -torch.inf, device=device)  # the worst score held, once k are

    def offer(self, scores: Tensor, first: int, start: int) -> None:
        """Take in ``scores`` [q, B] of the queries from ``start`` on and the documents from ``first`` on.

        Scores are float32 or bfloat16. Needs up to 36 bytes a score if every score enters, and 1 if few do.
        """
        import torch

        if scores.numel() == 0 or self._k == 0:
            return
        queries, size = scores.shape
        entering = _entering(scores, self._floor[start : start + queries, None], self._k)
        step = max(1, scores.numel() // 8)
        for some in (entering[cut : cut + step] for cut in range(0, len(entering), step)):
            values = scores.reshape(-1)[some].float()
            query = some // size
            keys = _encode(values, some - query * size + first)
            self._merge(keys.where(values < torch.inf, _NOTHING), query, start)

    def _merge(self, keys: Tensor, queries: Tensor, start: int) -> None:
        """Let ``keys`` [n] enter, each for one of the ``queries`` [n], which ascend and count from ``start``."""
        import torch

        counts = queries.bincount()
        who = counts.nonzero()[:, 0]
        counts = counts[who]
        owner = torch.arange(len(who), device=keys.device).repeat_interleave(counts)
        place = torch.arange(len(keys), device=keys.device) - (counts.cumsum(0) - counts)[owner]
        entering = torch.full((len(who), int(counts.max())), _NOTHING, device=keys.device)
        entering[owner, place] = keys
        who = who + start
        held = _highest(torch.cat([self._keys[who], entering], dim=1), self._k)
        self._keys[who] = held
        self._floor[who] = _decode(held.amin(1))[0].nan_to_num(nan=-torch.inf)

    def ranking(self) -> tuple[Int32, Float32]:
        """Return the rows [Q, k] and scores [Q, k] held, best first, padded with -1 and NaN."""
        values, rows = _decode(self._keys.sort(dim=1, descending=True).values)
        rows[values.isnan()] = -1
        return rows.int().cpu().numpy(), values.cpu().numpy()


def _entering(scores: Tensor, floor: Tensor, k: int) -> Tensor:
    """Return where in ``scores`` [q, B], laid out flat, a score is above its query's ``floor`` [q, 1].

    Some that k others of the block beat may be missing.
    """
    import torch

    width = scores.shape[1] // GROUP
    if width >= k and float((scores[:, -width:] > floor).float().mean()) > 1 / 8:
        # Too many, as in the first block. The highest scores of k groups are k scores: what is below them all is out.
        peaks = scores[:, : GROUP * width].reshape(-1, GROUP, width).amax(1).float()
        reached = _highest(peaks.where(peaks.isfinite(), -torch.inf), k).amin(1, keepdim=True)
        floor = torch.maximum(floor, _below(reached))
    return _positions(_above(scores, floor.to(scores.dtype)))


def _below(values: Tensor) -> Tensor:
    """Return numbers a little lower, in bfloat16 too; a few more documents then enter."""
    return values - values.abs() * 2.0**-7 - 2.0**-120


def _above(scores: Tensor, floor: Tensor) -> Tensor:
    import torch

    if scores.is_cuda or torch.get_num_threads() > 3:
        return scores > floor
    if scores.dtype == torch.float32:
        return torch.from_numpy(scores.numpy() > floor.numpy())  # one thread, but more than twice as fast as torch's
    bits, limit = scores.view(torch.int16).numpy(), floor.view(torch.int16).numpy()
    if (limit < 0).any():
        return scores > floor
    return torch.from_numpy(bits > limit)  # the bits of a negative number are a negative whole number, too


def _positions(marked: Tensor) -> Tensor:
    """Return where ``marked``, laid out flat, is true."""
    import torch

    if marked.is_cuda:
        return marked.reshape(-1).nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(marked.numpy()))


def _highest(values: Tensor, k: int) -> Tensor:
    """Return the ``k`` highest of each row of ``values`` [n, m], in any order; may use up ``values``."""
    if values.is_cuda:
        return values.topk(k, sorted=False).values
    values.numpy().partition(values.shape[1] - k, axis=1)  # here and below: several times as fast as torch on a CPU
    return values[:, values.shape[1] - k :]


# A score and a row as one whole number that is larger where the score is higher and, of equal scores, the row lower.
# The numbers of different rows differ, so the top k of them are the same whatever picks them.


def _encode(values: Tensor, rows: Tensor) -> Tensor:
    import torch

    bits = (values + 0.0).view(torch.int32)  # the sum turns -0.0 into 0.0, which it equals
    ordered = bits ^ ((bits >> 31) & _LAST)  # of negative floats the larger bits mean the lower number
    return (ordered.long() << 32) + (_LAST - rows)


def _decode(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return values and rows; the value of ``_NOTHING`` is NaN."""
    import torch

    ordered = (keys >> 32).int()
    return (ordered ^ ((ordered >> 31) & _LAST)).view(torch.float32), _LAST - (keys & 0xFFFFFFFF)
