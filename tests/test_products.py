"""Products by oneDNN are those of torch: values and gradients, and only where they are asked for."""

import pytest
import torch
from torch.testing import assert_close

from rlft import products


@pytest.fixture(params=["as it is here", "oneDNN at once"])
def chosen(request, monkeypatch):
    """Also on a processor where MKL is no slower, and for sizes a test can afford."""
    if request.param == "oneDNN at once":
        if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
            pytest.skip("this torch has no oneDNN")
        monkeypatch.setattr(products, "mkl_is_slower", lambda: True)
        for name, value in {"_ENOUGH": 1, "_WIDE": 1, "_LEARNING": (4, 2), "_READING": (4, 2, 1)}.items():
            monkeypatch.setattr(products, name, value)
    return request.param


def numbers(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def compared(ours, theirs, inputs):
    """Values, and gradients of a loss in which every number counts."""
    assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    weight = torch.linspace(-1, 2, theirs.numel(), dtype=theirs.dtype).view(theirs.shape)
    found = torch.autograd.grad((ours * weight).sum(), inputs)
    wanted = torch.autograd.grad((theirs * weight).sum(), inputs)
    assert all(gradient.abs().max() > 0.1 for gradient in wanted)
    assert_close(found, wanted, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("shape", [(7, 5, 3), (1, 4, 4), (64, 128, 96), (77, 16, 8)])
@pytest.mark.parametrize("biased", [True, False])
def test_a_linear_layer_and_its_gradients(chosen, shape, biased):
    rows, inner, outer = shape
    x, weight, bias = numbers(rows, inner), numbers(outer, inner, seed=1), numbers(outer, seed=2)
    told = (x, weight, bias) if biased else (x, weight)
    compared(products.linear(*told), torch.nn.functional.linear(*told), told)
    with torch.no_grad():
        assert_close(products.linear(*told), torch.nn.functional.linear(*told), atol=1e-4, rtol=1e-5)


def test_a_stack_of_layers_and_their_gradients(chosen):
    x, weight, bias = numbers(3, 6, 5), numbers(3, 5, 4, seed=1), numbers(3, 1, 4, seed=2)
    compared(products.stacked(x, weight, bias), torch.baddbmm(bias, x, weight), (x, weight, bias))
    shared = numbers(6, 5)
    wide = shared.expand(3, 6, 5)
    compared(products.stacked(wide, weight, bias), torch.baddbmm(bias, wide, weight), (shared, weight, bias))


def test_a_product(chosen):
    a, b = numbers(6, 5).detach(), numbers(4, 5, seed=1).detach()
    assert_close(products.times(a, b.t()), a @ b.t())
    assert_close(products.summed(a, numbers(6, 3).detach()), a.t() @ numbers(6, 3).detach())


def test_what_needs_no_gradient_gets_none(chosen):
    x, frozen = numbers(6, 5), numbers(4, 5, seed=1).detach()
    products.linear(x, frozen).sum().backward()
    assert_close(x.grad, frozen.sum(0).expand(6, 5))
    weight = numbers(4, 5, seed=1)
    products.linear(x.detach(), weight).sum().backward()
    assert_close(weight.grad, x.detach().sum(0).expand(4, 5))


def test_what_is_not_two_rows_of_float32_is_torch_s_own(chosen):
    """Bit by bit, since it is the same call."""
    for dtype in (torch.float64, torch.bfloat16):
        x, weight = numbers(6, 5, dtype=dtype), numbers(4, 5, seed=1, dtype=dtype)
        assert torch.equal(products.linear(x, weight), torch.nn.functional.linear(x, weight))
    x, weight = numbers(2, 6, 5), numbers(4, 5, seed=1)
    assert torch.equal(products.linear(x, weight), torch.nn.functional.linear(x, weight))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert products.linear(x[0], weight).dtype == torch.bfloat16


def seen(monkeypatch):
    """What oneDNN is given: the shapes of its two inputs, of a processor where it is the faster one."""
    calls = []

    def multiplied(x, weight, bias=None):
        calls.append((*x.shape, *weight.shape))
        return torch.nn.functional.linear(x, weight, bias)

    monkeypatch.setattr(products, "mkl_is_slower", lambda: True)
    monkeypatch.setattr(products, "_onednn", multiplied)
    return calls


def test_small_products_and_small_layers_are_left_to_mkl(monkeypatch):
    calls = seen(monkeypatch)
    x, narrow, wide = (numbers(rows, 128).detach() for rows in (1024, 128, 256))
    products.linear(x, narrow)
    products.times(x, narrow.t())
    products.summed(x, x[:, :64])
    products.linear(x[:127], wide)
    assert calls == []
    products.linear(x[:128], wide)
    assert calls == [(128, 128, 256, 128)]


def test_onednn_sees_few_shapes(monkeypatch):
    """Blocks of few sizes, one size fewer while learning; the rest is torch's."""
    calls = seen(monkeypatch)
    x, y, weight = numbers(700, 256).detach(), numbers(700, 128, seed=1).detach(), numbers(128, 256, seed=2)
    sizes = set()
    for rows in range(512, 700, 3):
        calls.clear()
        with torch.no_grad():
            assert_close(products.linear(x[:rows], weight), x[:rows] @ weight.t(), atol=1e-4, rtol=1e-4)
        assert rows - 32 < sum(call[0] for call in calls) <= rows
        sizes |= {call[0] for call in calls}
    assert sizes == {256, 128, 64, 32}
    calls.clear()
    for rows in range(512, 700, 7):
        assert_close(products.linear(x[:rows], weight), x[:rows] @ weight.t(), atol=1e-4, rtol=1e-4)
        assert_close(products.summed(x[:rows], y[:rows]), x[:rows].t() @ y[:rows], atol=1e-3, rtol=1e-4)
    assert set(calls) == {(256, 256, 128, 256), (128, 256, 128, 256), (256, 256, 128, 256), (256, 128, 128, 128)}


def test_the_usual_products_can_be_asked_for(monkeypatch):
    calls = seen(monkeypatch)
    x, weight = numbers(256, 256).detach(), numbers(256, 256, seed=1)
    with products.usual():
        products.linear(x, weight).sum().backward()
        products.summed(x, x)
    assert calls == []
    products.summed(x, x)
    assert len(calls) == 1


def test_the_processor_is_asked_once_and_answers():
    assert products.mkl_is_slower() in (True, False)
    assert products.mkl_is_slower.cache_info().currsize == 1
