"""Rows of different lengths, of whole or other numbers, in a tenth of the memory that tuples of tuples take."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, get_args, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

Number = TypeVar("Number", int, float)


class Rows(Sequence[tuple[Number, ...]]):
    """n rows one after another: `values` are all of them, shape (m,), and `widths` how many each row has, shape (n,).

    As the field of a model it is validated as a tuple of tuples of its numbers would be, and is the same as JSON.
    """

    __slots__ = ("_ends", "values", "widths")

    def __init__(self, rows: Sequence[Sequence[Number]]) -> None:
        self.widths = np.array([len(row) for row in rows], dtype=np.intp)
        self.values = np.array([value for row in rows for value in row])
        self._ends = np.cumsum(self.widths)

    def padded(self, width: int) -> NDArray[Any]:
        """Each row with zeros behind, shape (n, width). Raises ValueError where one is longer."""
        if len(self) and int(self.widths.max()) > width:
            raise ValueError(f"a row has more than {width} numbers")
        padded = np.zeros((len(self), width), dtype=self.values.dtype)
        padded[np.arange(width) < self.widths[:, None]] = self.values
        return padded

    def __len__(self) -> int:
        return len(self.widths)

    @overload
    def __getitem__(self, index: int) -> tuple[Number, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows[Number]": ...
    def __getitem__(self, index: int | slice) -> "tuple[Number, ...] | Rows[Number]":
        if isinstance(index, slice):
            return Rows([self[one] for one in range(*index.indices(len(self)))])
        end = int(self._ends[index])
        return tuple(self.values[end - int(self.widths[index]) : end].tolist())

    def __iter__(self) -> Iterator[tuple[Number, ...]]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # equal to tuples, which have another

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (number,) = get_args(source)
        # a type made of an argument, which is known when this runs and not when types are checked
        tuples = handler.generate_schema(tuple[tuple[number, ...], ...])  # type: ignore[valid-type]
        rows = core_schema.no_info_after_validator_function(cls, tuples)
        return core_schema.json_or_python_schema(
            json_schema=rows,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), rows], mode="left_to_right"),
            serialization=core_schema.plain_serializer_function_ser_schema(list),
        )
