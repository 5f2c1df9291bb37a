"""Files of models and of runs: what is in them, who can read them, and which are refused."""

import importlib.util
import json
import os
import time

import numpy as np
import pytest
from fuzz_checkpoints import fuzz, signed, with_header
from safetensors.numpy import load_file, save_file

import minidl
from minidl import nn
from minidl.errors import DataError, StateError, WriteError
from minidl.system.durable import write_durably
from minidl.train.saving.archive import VERSION, read_archive, write_archive


def network():
    return nn.Sequential(nn.Dense(4, 3), nn.BatchNorm(3), nn.ReLU(), nn.Dense(3, 2))


@pytest.fixture
def file(tmp_path):
    minidl.seed(0)
    minidl.save(tmp_path / "m.safetensors", network(), epoch=3)
    return tmp_path / "m.safetensors"


def header_of(path):
    data = path.read_bytes()
    return data, data[8 : 8 + int.from_bytes(data[:8], "little")].decode().rstrip()


def rewrite(path, change):
    """Give `path` another header, and the checksum that goes with it."""
    data, header = header_of(path)
    path.write_bytes(signed(with_header(data, change(header))))


def test_arrays_of_every_kind_come_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {kind: rng.normal(size=(3, 2)).astype(kind) for kind in ("f2", "f4", "f8", "i1", "i8", "u4", "?")}
    arrays |= {"scalar": np.float32(1.5).reshape(()), "empty": np.zeros((0, 5)), "strided": np.arange(12.0)[::-2]}
    content = {
        "big": 2**127,
        "tiny": 5e-324,
        "none": None,
        "text": 'a "quoted" é\n',
        "list": [1, [2.5]],
        "inf": float("inf"),
    }
    write_archive(tmp_path / "x", "test", arrays, content)
    got, told = read_archive(tmp_path / "x", "test")
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in got.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()
    }
    assert {name: told[name] for name in content} == content
    assert (told["format"], told["version"], told["minidl"]) == ("minidl-test", VERSION, minidl.__version__)


def test_a_file_with_much_to_tell_is_read_in_no_time(tmp_path):
    rows = [{"epoch": i, "loss": 1 / (i + 1), "lr": 0.001 * 0.99**i, "seconds": i / 7} for i in range(4000)]
    write_archive(tmp_path / "x", "test", {"a": np.ones(100_000)}, {"history": rows})
    start = time.perf_counter()
    assert read_archive(tmp_path / "x", "test")[1]["history"] == rows
    assert time.perf_counter() - start < 20  # some 0.2: it took minutes when each string was looked at from each quote


@pytest.mark.parametrize(
    "rows", [[{"a": 1}] * 20_000, [[]] * 50_000, [1] * 100_000, [{"epoch": 1, "loss": 0.1}] * 9000]
)
def test_what_was_written_can_be_read_however_much_it_is(rows, tmp_path):
    write_archive(tmp_path / "x", "test", {"a": np.ones(3)}, {"history": rows})
    arrays, content = read_archive(tmp_path / "x", "test")
    assert content["history"] == rows
    assert arrays["a"].tolist() == load_file(tmp_path / "x")["a"].tolist() == [1, 1, 1]


def test_plain_safetensors_reads_the_weights_under_the_names_of_state_dict(file):
    state = network().state_dict()
    assert {name: array.shape for name, array in load_file(file).items()} == {n: a.shape for n, a in state.items()}


def test_weights_written_by_plain_safetensors_can_be_taken_over(tmp_path):
    theirs, ours = network(), network()
    save_file(theirs.state_dict(), tmp_path / "plain")
    ours.load_state_dict(load_file(tmp_path / "plain"))
    assert all((ours.state_dict()[name] == array).all() for name, array in theirs.state_dict().items())


def test_loading_a_model_draws_no_random_numbers(file):
    minidl.seed(1)
    first = nn.Dense(2, 2).weight.numpy().copy()
    minidl.seed(1)
    minidl.load(file)
    assert (nn.Dense(2, 2).weight.numpy() == first).all()


# PyTorch


def torch_case():
    """A network whose weights anyone can write down, and inputs."""
    model = nn.Sequential(nn.Dense(3, 4), nn.ReLU(), nn.Dense(4, 2))
    for k, parameter in enumerate(model.parameters()):
        count = np.arange(parameter.size, dtype=np.float32).reshape(parameter.shape)
        parameter.data[...] = np.float32(0.25) * ((count * 7 + 3 * k) % 11 - 5)
        parameter.changed()
    return model, (np.arange(6, dtype=np.float32).reshape(2, 3) - 2) / 4


def test_a_saved_model_gives_what_pytorch_computes_from_its_file(tmp_path):
    model, x = torch_case()
    minidl.save(tmp_path / "m", model)
    computed_by_pytorch = [[1.953125, 0.140625], [2.125, 0.328125]]  # 2.13, from this file, as in the test below
    np.testing.assert_allclose(minidl.load(tmp_path / "m")(x).numpy(), computed_by_pytorch, atol=1e-6)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_pytorch_reads_our_file_and_we_read_pytorchs(tmp_path):
    import torch
    from safetensors.torch import load_file as torch_load
    from safetensors.torch import save_file as torch_save

    model, x = torch_case()
    minidl.save(tmp_path / "m", model)
    state = torch_load(tmp_path / "m")
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    for layer in (0, 2):  # minidl's weight is (in, out), PyTorch's (out, in)
        theirs[layer].load_state_dict(
            {"weight": state[f"layers.{layer}.weight"].T, "bias": state[f"layers.{layer}.bias"]}
        )
    np.testing.assert_allclose(theirs(torch.tensor(x)).detach().numpy(), model(x).numpy(), atol=1e-6)
    back = {f"layers.{k}": (v.T.contiguous() if k.endswith("weight") else v) for k, v in theirs.state_dict().items()}
    torch_save(back, tmp_path / "t")
    again = torch_case()[0]
    again.load_state_dict(load_file(tmp_path / "t"))
    assert again(x).numpy().tobytes() == model(x).numpy().tobytes()


# what is refused


def test_all_mismatches_are_listed_at_once_and_nothing_is_loaded(file):
    other = nn.Sequential(nn.Dense(4, 5), nn.BatchNorm(5), nn.ReLU(), nn.Dense(5, 2, bias=False))
    before = other.state_dict()
    with pytest.raises(StateError) as refused:
        minidl.load(file, other)
    for words in ("m.safetensors", "'layers.0.weight' has shape (4, 3), expected (4, 5)", "'layers.1.running_var'",
                  "unexpected 'layers.3.bias'"):  # fmt: skip
        assert words in str(refused.value)
    assert all((before[name] == array).all() for name, array in other.state_dict().items())


def test_one_flipped_bit_anywhere_is_found(file):
    data = file.read_bytes()
    for at in range(0, len(data), 7):
        spoilt = bytearray(data)
        spoilt[at] ^= 1 << at % 8
        file.write_bytes(spoilt)
        with pytest.raises(DataError, match="m.safetensors: "):
            minidl.load(file)


def test_a_file_cut_anywhere_is_refused_by_name(file):
    data = file.read_bytes()
    for length in range(0, len(data), 13):
        file.write_bytes(data[:length])
        with pytest.raises(DataError, match="m.safetensors: (not|damaged)"):
            minidl.load(file)


def changed_content(**values):
    def change(header):
        tree = json.loads(header)
        content = json.loads(tree["__metadata__"]["minidl"]) | values
        tree["__metadata__"]["minidl"] = json.dumps(content)
        return json.dumps(tree, separators=(",", ":"))

    return change


DENSE = {"layer": "Dense", "in_features": 10**6, "out_features": 10**6, "bias": True}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed_content(version=VERSION + 1, minidl="9.9"), "written by minidl 9.9 in version 2 .* update minidl"),
        (changed_content(format="minidl-run"), "not a minidl model: it says that it is a 'minidl-run'"),
        (changed_content(model=DENSE), "a model larger than the arrays in it"),
        (changed_content(model={"layer": "os.system"}), "holds a os.system, which is not one of minidl's layers"),
        (changed_content(model=[1]), "its description of the model"),
        (lambda h: h.replace('"data_offsets":[0,', '"data_offsets":[4,', 1), "does not lie at 4"),
        (lambda h: h.replace('"shape":[4,3]', '"shape":[4,4]'), r"F32\[4, 4\] does not lie at"),
        (lambda h: h.replace('"F32"', '"BF16"', 1), "BF16"),
        (lambda h: h.replace('"shape":[4,3]', f'"shape":[{2**62},{2**62}]'), "does not lie at"),
        (lambda h: h.replace('"shape":[4,3]', '"shape":[-4,-3]'), "not natural numbers"),
        (lambda h: h[:-1] + h[h.index(',"layers.0.bias"') :], "a key is there twice"),
        (lambda h: h[:-1] + ',"x":' + "[" * 5000 + "]" * 5000 + "}", "more brackets|nested too deeply"),
    ],
)  # fmt: skip
def test_a_file_made_to_mislead_is_refused_by_name(file, change, message):
    rewrite(file, change)
    with pytest.raises((DataError, StateError), match=f"m.safetensors: .*{message}"):
        minidl.load(file)


@pytest.mark.slow
def test_three_hundred_spoilt_files_raise_nothing_but_minidls_errors(capsys):
    outcomes = fuzz(300, seed=1)
    assert outcomes["DataError"] > 150


# how it is written


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x"
    write_durably(path, b"old")

    class Bad:
        pass

    with pytest.raises(TypeError):
        write_durably(path, b"half of the new", Bad())
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_full_disk_is_said_in_one_line(tmp_path):
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    minidl.save(tmp_path / "m", network())
    old = (tmp_path / "m").read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(WriteError, match=r"m: cannot be written \(File too large\): what was there before is kept"):
            minidl.save(tmp_path / "m", network(), more=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / "m").read_bytes() == old
    assert os.listdir(tmp_path) == ["m"]


def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(StateError, match="cannot be stored: .*set"):
        minidl.save(tmp_path / "m", network(), note={1, 2})
    assert not os.listdir(tmp_path)
