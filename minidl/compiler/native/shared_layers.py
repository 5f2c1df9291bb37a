"""Instructions for a batch that several processes share: messages and BatchNorm."""

import numpy as np

from ...errors import StateError
from ...nn._shared_batch import Summing
from ..program import Buffer
from .jit import instruction_set as isa
from .layers import Layers
from .table import Code, address, halves


class SharedLayers(Layers):
    """Assembles the instructions of a program that other processes execute as well."""

    def __init__(self, largest: int) -> None:
        super().__init__(largest)
        self._failed = np.zeros(1, np.int64)  # MPI's error, if a message has failed

    def check_messages(self) -> None:
        """Raise `StateError` if a sum over processes has failed."""
        if self._failed[0]:
            raise StateError(f"MPI_Allreduce has failed: error {self._failed[0]}")

    def _all_reduce(self, out: Buffer, *inside: Buffer, by: Summing) -> Code:
        failed, slices = address(self._failed), by.slices(out.array)
        if slices is None:
            vector, size = self._at(out), out.bytes // 4
            return [isa.AllReduce(*by.direct(), vector=vector, size=size, failed=failed)]
        self._keep_alive += [slices.meeting, slices.vectors]
        self._at(out)  # float32
        here = address(slices.meeting)
        meet = isa.AllReduce(*by.direct(), vector=here, size=1, failed=failed)
        vectors, processes = address(slices.vectors), len(slices.vectors)
        return [meet, isa.SumSlices(processes, vectors, slices.first, slices.last), meet]

    # What travels behind the gradients

    def _enclose(self, tail: Buffer, loss: Buffer, right: Buffer, share: float) -> Code:
        return [isa.Enclose(tail=self._at(tail), share=self._constant(share))]

    def _totals(self, loss: Buffer, right: Buffer, message: Buffer, tail: Buffer) -> Code:
        return [isa.Totals(tail=self._at(tail))]

    # BatchNorm, synchronised

    def _shared_norm_parts(self, x_hat: Buffer, parts: Buffer, x: Buffer, process: int) -> Code:
        rows, width = x.shape

        def part(first: int, last: int) -> isa.SharedNormParts:
            return isa.SharedNormParts(
                rows=rows,
                width=last - first,
                stride=width,
                processes=parts.shape[0],
                x=self._at(x, first),
                x_hat=self._at(x_hat, first),
                parts=self._at(parts, first),
                own=self._at(parts, 2 * process * width + first),
            )

        return [halves(width, rows * width, part)]

    def _shared_norm(
        self,
        y: Buffer,
        x_hat: Buffer,
        inverse: Buffer,
        mean: Buffer,
        squares: Buffer,
        _: Buffer,
        parts: Buffer,
        gamma: Buffer,
        beta: Buffer,
        eps: float,
        process: int,
        rows: list[int],
    ) -> Code:
        own, width = x_hat.shape
        total = sum(rows)
        shares = [number for count in rows for number in (count / total, count)]
        numbers = np.array([total, eps, *shares], np.float32)
        self.keep(numbers)

        def part(first: int, last: int) -> isa.SharedNorm:
            return isa.SharedNorm(
                rows=own,
                width=last - first,
                stride=width,
                processes=len(rows),
                numbers=address(numbers),
                x_hat=self._at(x_hat, first),
                parts=self._at(parts, first),
                own=self._at(parts, 2 * process * width + first),
                y=self._at(y, first),
                gamma=self._at(gamma, first),
                beta=self._at(beta, first),
                inverse=self._at(inverse, first),
                mean=self._at(mean, first),
                squares=self._at(squares, first),
            )

        return [halves(width, own * width, part)]

    def _stack(self, out: Buffer, *parts: Buffer) -> Code:
        size = parts[0].bytes // 4
        return [
            isa.Copy(size=size, source=self._at(p), target=self._at(out, k * size), plus_zero=False)
            for k, p in enumerate(parts)
        ]

    def _shared_norm_back(
        self,
        dx: Buffer,
        g: Buffer,
        x_hat: Buffer,
        inverse: Buffer,
        gamma: Buffer,
        sums: Buffer,
        total: int,
    ) -> Code:
        width = g.shape[1]
        d_gamma, d_beta = self._at(sums), self._at(sums, width)
        return self._norm_back(dx, g, x_hat, inverse, gamma, d_gamma, d_beta, total)
