"""Small files in the true formats of MNIST, CIFAR-10 and IMDB."""

import struct

from minidl.data import mnist

BATCHES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def write_digits(folder, count, test=20):
    """Four IDX files, of MNIST's first digits."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, part, size in (("train", mnist()[0], count), ("t10k", mnist()[1], test)):
        images, labels = part.inputs[:size].tobytes(), part.labels[:size].astype("u1").tobytes()
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, size, 28, 28) + images)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, size) + labels)
    return folder


def write_cifar(folder, count=3):
    """Six files of `count` records. In file f, record r has label (f + r) % 10; its planes are all f, r and 7."""
    folder.mkdir(parents=True, exist_ok=True)
    for f, name in enumerate(BATCHES):
        records = [
            bytes([(f + r) % 10]) + bytes([f]) * 1024 + bytes([r]) * 1024 + bytes([7]) * 1024 for r in range(count)
        ]
        (folder / name).write_bytes(b"".join(records))
    return folder


def write_imdb(folder, reviews=None):
    """Reviews as aclImdb has them: one file each, named by number and stars."""
    reviews = reviews or {
        "train/neg": ["Bad, bad film.<br /><br />I don't like it", "the plot is bad"],
        "train/pos": ["The best film: I like it!", "It's GOOD", "good film"],
        "test/neg": ["bad plot, unseen words"],
        "test/pos": ["", "best"],
    }
    for name, texts in reviews.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i, text in enumerate(texts):
            (folder / name / f"{i}_7.txt").write_text(text, encoding="utf-8")
    return folder
