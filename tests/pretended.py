"""A device that is not there: tensors that say they are on it, and compute on the CPU. Not a GPU, and no faster.

Inside `Pretended()` the device `pretended` exists. As on a GPU, tensors of two devices do not meet (but for a number,
and for places to index with), and whatever the host has to wait for is written down: numbers and tensors that it reads,
and shapes that depend on numbers.
"""

import math
from collections import Counter

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "pretended"


class _Nobody(_DummyBackendModule):
    """What torch is told of the device: that there is none, so that other tests of the process do not meet it."""

    def is_available(self):
        return False

    def device_count(self):
        return 0


_setup_privateuseone_for_python_backend(NAME, _Nobody())
DEVICE = torch.device(NAME, 0)
aten = torch.ops.aten

# What makes an accelerator's queue run empty because the host wants to know.
_WAITING = {aten._local_scalar_dense, aten.nonzero, aten.equal, aten._unique2, aten.unique_consecutive, aten.unique_dim}
# What may be given tensors of two devices: copies between them, and places on the host to index with.
_BETWEEN = {aten.copy_, aten._to_copy, aten.index, aten.index_put_, aten.index_put, aten.set_}


class There(torch.Tensor):
    """A tensor on the pretended device; `held` is what it holds."""

    @staticmethod
    def __new__(cls, held):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
            requires_grad=False,
        )
        made.held = held
        return made

    def __repr__(self):
        return f"There({self.held})"

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise AssertionError("a tensor of the pretended device outside of Pretended()")


class _Above(TorchFunctionMode):
    """What torch does not leave to the device: lists of numbers, and which kernel takes attention, which is computed by
    its formula."""

    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.Tensor.tolist and isinstance(args[0], There):
            self.waits["tolist"] += 1
            return args[0].held.tolist()
        if function in (torch.Tensor.untyped_storage, torch.Tensor.data_ptr) and isinstance(args[0], There):
            return function(args[0].held)  # who asks wants to know which tensors lie in one place
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            return function(*args, **{**kwargs, "device": "cpu"}).to(kwargs["device"])
        if function is torch.Tensor.new_tensor and isinstance(args[0], There):
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to(kwargs.get("device", DEVICE))
        if function is torch.nn.functional.scaled_dot_product_attention and args[0].device == DEVICE:
            return _attention(*args, **kwargs)
        return function(*args, **kwargs)


def _attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    if enable_gqa:
        k, v = (part.repeat_interleave(q.shape[-3] // part.shape[-3], -3) for part in (k, v))
    scores = q @ k.transpose(-1, -2) * (scale or 1 / math.sqrt(q.shape[-1]))
    if is_causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
        scores = scores.masked_fill(~seen, -math.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return scores.softmax(-1) @ v


class Pretended(TorchDispatchMode):
    """Inside, the device exists. `waits` counts what the host waited for, by name."""

    def __init__(self):
        super().__init__()
        self.waits = Counter()
        self.above = _Above(self.waits)

    def __enter__(self):
        self.above.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        return self.above.__exit__(*error)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        flat, spec = tree_flatten((args, kwargs))
        here = [one for one in flat if isinstance(one, torch.Tensor) and not isinstance(one, There)]
        there = [one for one in flat if isinstance(one, There)]
        told = kwargs.get("device")
        wanted = torch.device(told) if told is not None else None
        packet = function.overloadpacket
        if there and packet not in _BETWEEN and any(one.dim() for one in here):
            raise RuntimeError(f"{function}: tensors on the CPU and on {NAME}")
        if there and packet is aten.copy_ and not isinstance(args[0], There):
            self.waits["copy_ to the host"] += 1
        if there and wanted is not None and wanted.type == "cpu":
            self.waits["to the host"] += 1
        if there and packet in _WAITING:
            self.waits[packet.__name__] += 1
        on = wanted.type == NAME if wanted is not None else bool(there)
        if (
            on
            and packet in (aten.index, aten.index_put, aten.index_put_)
            and any(isinstance(i, There) and i.dtype == torch.bool for i in args[1])
        ):
            self.waits["index with a mask"] += 1
        if wanted is not None:
            kwargs["device"] = "cpu"
            flat, spec = tree_flatten((args, kwargs))
        bare = [one.held if isinstance(one, There) else one for one in flat]
        taken, named = tree_unflatten(bare, spec)
        if wanted is not None and packet is aten._to_copy and on != bool(there):
            taken = (taken[0].clone(), *taken[1:])  # another device has a copy of its own
        made = function(*taken, **named)
        if not on:
            return made
        own = {id(one.held): one for one in there}  # what was changed in place stays itself
        return tree_map(
            lambda one: (
                own.get(id(one), There(one))
                if isinstance(one, torch.Tensor) and id(one) not in own
                else own.get(id(one), one)
                if isinstance(one, torch.Tensor)
                else one
            ),
            made,
        )
