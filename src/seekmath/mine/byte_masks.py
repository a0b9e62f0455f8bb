"""Sixty-four bytes of a page at once: what kernels ask of them, as the bits of one integer.

Each works on the 64 bytes from a place on, which must lie within the array; bit n of the answer is
byte n. LLVM makes of each a few vector instructions of whatever machine it compiles for.
"""

from collections.abc import Callable
from typing import Any

import numba.extending
from llvmlite import ir
from numba import types

# Seen by a type checker as the kernels see them: functions of numbers.
intrinsic: Any = numba.extending.intrinsic

WIDTH = 64
_BYTE, _WORD = ir.IntType(8), ir.IntType(64)
_BYTES = ir.VectorType(_BYTE, WIDTH)


def _constant(byte: int) -> Any:
    return ir.Constant(_BYTES, [byte] * WIDTH)


def _pointer(context: Any, builder: Any, type_: Any, array: Any, at: Any) -> Any:
    data = context.make_array(type_)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), _BYTES.as_pointer())


def _load(context: Any, builder: Any, type_: Any, array: Any, at: Any) -> Any:
    return builder.load(_pointer(context, builder, type_, array, at), align=1)


def _asked(question: Callable[[Any, Any], Any]) -> Any:
    """A function (array, place) of kernels that asks ``question`` of every byte."""

    def typed(_: Any, array: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            found = _load(context, builder, signature.args[0], given[0], given[1])
            return builder.bitcast(question(builder, found), _WORD)

        return types.int64(array, types.int64), generate

    return intrinsic(typed)


def _any(builder: Any, found: Any, values: tuple[int, ...]) -> Any:
    answer = builder.icmp_unsigned("==", found, _constant(values[0]))
    for value in values[1:]:
        answer = builder.or_(answer, builder.icmp_unsigned("==", found, _constant(value)))
    return answer


def _is_blank(builder: Any, found: Any) -> Any:
    control = builder.icmp_unsigned("<", builder.sub(found, _constant(9)), _constant(5))
    separator = builder.icmp_unsigned("<", builder.sub(found, _constant(28)), _constant(4))
    return builder.or_(_any(builder, found, (32,)), builder.or_(control, separator))


def _is_letter(builder: Any, found: Any) -> Any:
    lower = builder.sub(builder.or_(found, _constant(32)), _constant(97))
    return builder.icmp_unsigned("<", lower, _constant(26))


def _is_visible(builder: Any, found: Any) -> Any:
    above = builder.icmp_unsigned(">", found, _constant(32))
    return builder.and_(above, builder.icmp_signed(">", found, _constant(-65)))


def _is_special(builder: Any, found: Any) -> Any:
    control = builder.icmp_unsigned("<", found, _constant(33))
    # & $ \ ` [ and the first bytes of characters that are dropped, spaces or signs.
    return builder.or_(
        control, _any(builder, found, (38, 36, 92, 96, 91, 0xC2 - 256, 0xE2 - 256, 0xEE - 256))
    )


#: "<", "/", ">", "=", a space.
opens = _asked(lambda builder, found: _any(builder, found, (60,)))
slashes = _asked(lambda builder, found: _any(builder, found, (47,)))
closes = _asked(lambda builder, found: _any(builder, found, (62,)))
spaces = _asked(lambda builder, found: _any(builder, found, (32,)))
#: White space of ASCII; letters of ASCII.
blank = _asked(_is_blank)
letter = _asked(_is_letter)
#: First bytes of characters that are no spaces.
visible = _asked(_is_visible)
#: Bytes of a text that cannot be copied as they are.
special = _asked(_is_special)
#: Bytes that are no ASCII.
high = _asked(lambda builder, found: builder.icmp_signed("<", found, _constant(0)))


@intrinsic
def equal(_: Any, array: Any, at: Any, byte: Any) -> Any:
    """(array, place, byte): which of the bytes are ``byte``."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        found = _load(context, builder, signature.args[0], given[0], given[1])
        one = builder.insert_element(ir.Constant(_BYTES, ir.Undefined), given[2], ir.IntType(32)(0))
        every = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        all_ = builder.shuffle_vector(one, ir.Constant(_BYTES, ir.Undefined), every)
        return builder.bitcast(builder.icmp_unsigned("==", found, all_), _WORD)

    return types.int64(array, types.int64, types.uint8), generate


@intrinsic
def same(_: Any, array: Any, at: Any, other: Any) -> Any:
    """(array, place, other place): which bytes are the same at both."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        found = [_load(context, builder, signature.args[0], given[0], place) for place in given[1:]]
        return builder.bitcast(builder.icmp_unsigned("==", *found), _WORD)

    return types.int64(array, types.int64, types.int64), generate


@intrinsic
def copy(_: Any, target: Any, place: Any, source: Any, at: Any) -> Any:
    """(target, place, source, place): copy the bytes."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        found = _load(context, builder, signature.args[2], given[2], given[3])
        pointer = _pointer(context, builder, signature.args[0], given[0], given[1])
        builder.store(found, pointer, align=1)
        return context.get_dummy_value()

    return types.none(target, types.int64, source, types.int64), generate


@intrinsic
def word(_: Any, array: Any, at: Any) -> Any:
    """(array, place): the 8 bytes there as one integer."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], given[0], given[1])
        return builder.load(builder.bitcast(pointer, _WORD.as_pointer()), align=1)

    return types.int64(array, types.int64), generate


@intrinsic
def first(_: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set; 64 if none is."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.IntType(1)(0))

    return types.int64(types.int64), generate


@intrinsic
def ones(_: Any, bits: Any) -> Any:
    """How many bits are set."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.ctpop(given[0])

    return types.int64(types.int64), generate
