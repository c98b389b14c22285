"""LPIPS with random weights against NumPy, its files and their errors."""

from pathlib import Path

import numpy as np
import pytest

from nst_tf.evaluation import lpips
from nst_tf.evaluation.lpips import LPIPS, locate_files
from nst_tf.util.errors import InputError
from tests.backbones.pytorch_files import pytorch_file

RNG = np.random.default_rng(6)
X, Y = (RNG.uniform(size=(40, 47, 3)).astype(np.float32) for _ in range(2))


def convolve(x, kernel, bias, stride, padding):
    """Correlate ``(C, H, W)`` with ``(out, C, h, w)`` in float64."""
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.tensordot(kernel.astype(np.float64), windows, axes=((1, 2, 3), (0, 3, 4))) + bias[:, None, None]


def pool(x):
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2].max(axis=(3, 4))


def alexnet(image, arrays):
    """Return torchvision's features after each ReLU, divided by their norm over the channels."""
    x = 2 * image.astype(np.float64).transpose(2, 0, 1) - 1
    x = (x - np.array([-0.030, -0.088, -0.188])[:, None, None]) / np.array([0.458, 0.448, 0.450])[:, None, None]
    layers = []
    for number, stride, padding in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        x = pool(x) if number in (3, 6) else x
        weight, bias = (arrays[f"features.{number}.{part}"] for part in ("weight", "bias"))
        x = np.maximum(convolve(x, weight, bias, stride, padding), 0)
        layers.append(x / (np.sqrt((x**2).sum(0)) + 1e-10))
    return layers


def test_the_distance_with_random_weights_matches_numpy(lpips_files, lpips_arrays):
    network, linear = lpips_arrays
    expected = sum(
        (linear[f"lin{n}.model.1.weight"][0, :, 0, 0][:, None, None] * (a - b) ** 2).sum(0).mean()
        for n, (a, b) in enumerate(zip(alexnet(X, network), alexnet(Y, network), strict=True))
    )
    measure = LPIPS(*locate_files(*lpips_files))
    assert measure.score(X, Y, [], []) == pytest.approx(expected, rel=1e-4)
    assert measure.distance(X, X) == 0
    assert measure.score(X, None, [], []) is None
    assert measure.distance(X[:31, :31], Y[:31, :31]) > 0
    with pytest.raises(InputError, match=r"40×30 pixels is too small for LPIPS; each side needs at least 31 pixels"):
        measure.distance(X[:30, :40], Y[:30, :40])


def test_the_name_has_the_hashes_of_the_files_unless_they_are_the_published_ones(lpips_files, monkeypatch):
    network, linear = locate_files(*lpips_files)
    assert (network.published, linear.published) == (False, False)
    assert LPIPS(network, linear).name == f"lpips_alexnet_{network.sha256[:8]}_{linear.sha256[:8]}"
    published = [file._replace(published=True) for file in (network, linear)]
    assert LPIPS(*published).name == "lpips_alexnet_torchvision"
    kind = lpips.NETWORK
    monkeypatch.setattr("nst_tf.evaluation.weights_files.digest", lambda path, algorithm: "7be5be79" + 56 * "0")
    assert kind.locate(lpips_files[0]).published
    assert not lpips.LINEAR.locate(lpips_files[1]).published


def test_the_linear_weights_of_the_installed_package_are_the_default(lpips_files, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(InputError, match=r"^evaluation\.lpips_linear is not set .*--lpips-linear.*lpips==0\.1\.4"):
        locate_files(lpips_files[0], None)
    folder = tmp_path / "lpips" / "weights" / "v0.1"
    folder.mkdir(parents=True)
    (tmp_path / "lpips" / "__init__.py").write_text("raise RuntimeError('the package is not run')")
    (folder / "alex.pth").write_bytes(Path(lpips_files[1]).read_bytes())
    assert locate_files(lpips_files[0], None)[1].path == folder / "alex.pth"


def changed(arrays, **changes):
    return {name: changes.get(name, array) for name, array in arrays.items()}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda a: b"<html>", "is a web page or XML; download the file itself"),
        (lambda a: b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS"),
        (lambda a: b"", "is empty"),
        (lambda a: pytorch_file(a)[:3000], "cannot be read"),
        (lambda a: pytorch_file({"lin0.weight": np.ones((1, 64, 1, 1), np.float32)}), "has no tensor lin0.model.1.wei"),
        (lambda a: pytorch_file(a | {"lin1.model.1.weight": np.ones((1, 128, 1, 1), np.float32)}), "1×128×1×1 values"),
        (lambda a: pytorch_file(a | {"lin0.model.1.weight": np.ones((1, 64, 1, 1), np.int64)}), "int64 values"),
        (lambda a: pytorch_file(a | {"lin4.model.1.weight": np.full((1, 256, 1, 1), np.nan, "f4")}), "NaN or infinity"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(content, reason, lpips_files, lpips_arrays, tmp_path):
    path = tmp_path / "linear.pth"
    path.write_bytes(content(lpips_arrays[1]))
    with pytest.raises(InputError) as caught:
        LPIPS(*locate_files(lpips_files[0], str(path)))
    message = str(caught.value)
    assert message.startswith("evaluation.lpips_linear: ")
    assert reason in message
    assert "\n" not in message


def test_a_missing_file_is_refused_in_one_line(lpips_files, tmp_path):
    with pytest.raises(InputError, match=r"^evaluation\.lpips_network is not set .*alexnet-owt-7be5be79\.pth\.$"):
        locate_files(None, lpips_files[1])
    with pytest.raises(InputError, match=r"^evaluation\.lpips_network=.*nowhere\.pth: there is no such file\. Give"):
        locate_files(str(tmp_path / "nowhere.pth"), lpips_files[1])
    with pytest.raises(InputError, match=r"^evaluation\.lpips_network: .* has no tensor features\.0\.weight"):
        locate_files(lpips_files[1], lpips_files[1])


@pytest.mark.slow
def test_the_distance_matches_pytorch(lpips_files, lpips_arrays):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    features = nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU()),
    )
    network, linear = ({k: torch.from_numpy(v) for k, v in arrays.items()} for arrays in lpips_arrays)
    features.load_state_dict({name.removeprefix("features."): value for name, value in network.items()})
    mean, std = (torch.tensor(x).reshape(3, 1, 1) for x in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))
    taps = []
    with torch.no_grad():
        x, y = ((2 * torch.from_numpy(image).permute(2, 0, 1) - 1 - mean) / std for image in (X, Y))
        batch = torch.stack([x, y])
        for module in features:
            batch = module(batch)
            if isinstance(module, nn.ReLU):
                taps.append(nn.functional.normalize(batch, dim=1))
        weights = [linear[f"lin{n}.model.1.weight"] for n in range(5)]
        pairs = zip(taps, weights, strict=True)
        expected = sum(nn.functional.conv2d((a[:1] - a[1:]) ** 2, w).mean().item() for a, w in pairs)
    assert LPIPS(*locate_files(*lpips_files)).distance(X, Y) == pytest.approx(expected, rel=1e-4)
