import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmcgan.app.errors import UserError
from fmcgan.data.garments import GARMENTS
from fmcgan.inference.sample_writers import write_folder
from fmcgan.metric.samples_file import read_samples
from fmcgan.metric.samples_folder import read_folder

GREY = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)


def png(picture: Image.Image, **options) -> bytes:
    content = io.BytesIO()
    picture.save(content, "png", **options)
    return content.getvalue()


def put(path: Path, content: bytes | np.ndarray = GREY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else png(Image.fromarray(content)))


def with_header(content: bytes, **fields: int) -> bytes:
    """A PNG whose header says something else, with the right checksum."""
    names = ("width", "height", "depth", "colour", "compression", "filter", "interlace")
    values = dict(zip(names, struct.unpack(">IIBBBBB", content[16:29]), strict=True)) | fields
    header = b"IHDR" + struct.pack(">IIBBBBB", *values.values())
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def sixteen_bits(colour: int, channels: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write in colour."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 28, 28, 16, colour, 0, 0, 0)
    rows = (b"\0" + bytes(range(56)) * channels) * 28
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        read_samples(folder, GARMENTS)
    message = str(refused.value)
    assert message.startswith(f"samples={folder}: ")
    assert len(message.splitlines()) <= 2
    return message.removeprefix(f"samples={folder}: ")


def test_what_generate_writes_is_read_bit_for_bit(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (40, 28, 28)).astype(np.uint8)
    labels = np.repeat(np.arange(10), 4)
    write_folder([images], range(10), 4, tmp_path / "pictures", GARMENTS)
    read, read_labels = read_samples(tmp_path / "pictures", GARMENTS)
    assert np.array_equal(read[:, 0].numpy(), images)
    assert np.array_equal(read_labels.numpy(), labels)


def test_real_images_are_read_bit_for_bit(tmp_path, real_test):
    real = real_test.balanced(200)
    order = real.labels.argsort(stable=True)
    images, labels = real.images[order, 0].numpy(), real.labels[order].numpy()
    write_folder([images], range(10), 20, tmp_path, GARMENTS)
    read, read_labels = read_folder(tmp_path, GARMENTS)
    assert np.array_equal(read, images)
    assert np.array_equal(read_labels, labels)


def test_a_thousand_pictures_take_less_than_a_second(tmp_path):
    content = png(Image.fromarray(GREY))
    for label in range(10):
        (tmp_path / str(label)).mkdir()
        for index in range(100):
            (tmp_path / str(label) / f"{index}.png").write_bytes(content)
    start = time.process_time()
    images, _ = read_folder(tmp_path, GARMENTS)
    assert (images == GREY).all()
    assert time.process_time() - start < 1.0  # 0.2 s where this was written


def test_files_come_by_label_and_by_number(tmp_path):
    for place, name in enumerate(["9/1.png", "bag/x10.png", "bag/x9.png", "bag/x009.png", "0/b.PNG", "0/a.png"]):
        put(tmp_path / name, np.full((28, 28), place + 10, np.uint8))
    images, labels = read_folder(tmp_path, GARMENTS)
    assert images[:, 0, 0].tolist() == [15, 14, 13, 12, 11, 10]
    assert labels.tolist() == [0, 0, 8, 8, 8, 9]


def test_names_that_differ_in_leading_zeros_only_have_an_order_too(tmp_path):
    for zeros in (3, 0, 6, 1, 5, 2, 4):
        put(tmp_path / "bag" / f"{'0' * zeros}1.png", np.full((28, 28), zeros, np.uint8))
    assert read_folder(tmp_path, GARMENTS)[0][:, 0, 0].tolist() == [6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        *[(name, label) for label, name in enumerate(GARMENTS.class_names)],
        ("0", 0),
        ("09", 9),
        ("T-Shirt", 0),
        ("ankle_boot", 9),
    ],
)
def test_sub_folders_have_any_name_of_a_class(tmp_path, folder, label):
    put(tmp_path / folder / "a.png")
    assert read_folder(tmp_path, GARMENTS)[1].tolist() == [label]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_grey_is_read_from_every_mode(tmp_path, mode):
    put(tmp_path / "bag" / "a.png", png(Image.fromarray(GREY).convert(mode)))
    images, _ = read_folder(tmp_path, GARMENTS)
    assert np.array_equal(images[0], GREY)


def test_fewer_bits_are_scaled_as_the_format_says(tmp_path):
    put(tmp_path / "bag" / "1.png", png(Image.fromarray(GREY > 127)))
    palette = Image.fromarray((GREY // 64).astype(np.uint8), "P")
    palette.putpalette([level for grey in (0, 10, 200, 255) for level in (grey,) * 3])
    put(tmp_path / "bag" / "2.png", png(palette, bits=2))
    images, _ = read_folder(tmp_path, GARMENTS)
    assert np.array_equal(images[0], np.where(GREY > 127, 255, 0))
    assert np.array_equal(images[1], np.array([0, 10, 200, 255])[GREY // 64])


COLOUR = np.stack([GREY, GREY, GREY], axis=-1)
COLOUR[27, 27, 2] ^= 1
WHOLE = png(Image.fromarray(GREY))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (COLOUR, "is in colour (its channels differ); expected grey"),
        (COLOUR[..., ::-1].copy(), "is in colour"),
        (np.dstack([COLOUR, np.full((28, 28), 255, np.uint8)]), "is in colour"),
        (np.dstack([GREY, GREY, GREY, np.full((28, 28), 254, np.uint8)]), "is transparent in places"),
        (png(Image.fromarray(GREY), transparency=int(GREY[3, 3])), "is transparent in places"),
        (np.zeros((32, 28), np.uint8), "is 28 x 32 pixels, expected 28 x 28"),
        (with_header(WHOLE, width=2**31 - 1, height=2**31 - 1), "is 2147483647 x 2147483647"),
        (sixteen_bits(colour=0, channels=1), "has 16 bits a pixel, expected 8; convert to uint8 0..255"),
        (sixteen_bits(colour=2, channels=3), "has 16 bits a pixel"),
        (b"", "is empty"),
        (b"\xff\xd8\xff\xe0 JPEG", "is not a PNG despite its name"),
        (WHOLE[:8] + b"\0\0\0\4CgBI" + bytes(8) + WHOLE[8:], "is damaged or cut short"),
        (WHOLE[:20], "is damaged or cut short"),
        (WHOLE[:300], "is damaged or cut short"),
        (WHOLE[:-12], "is damaged or cut short"),
        (with_header(WHOLE, colour=2), "is damaged or cut short"),
        (with_header(WHOLE, colour=7), "is damaged or cut short"),
    ],
)
def test_a_picture_that_cannot_be_used_is_named(tmp_path, content, told):
    put(tmp_path / "bag" / "000000.png")
    put(tmp_path / "bag" / "000001.png", content)
    assert refusal(tmp_path).startswith(f"bag/000001.png {told}")


def test_damage_is_never_read_as_another_picture(tmp_path):
    drawing = np.zeros((28, 28), np.uint8)
    drawing[5:20, 8:20] = GREY[5:20, 8:20]
    whole = png(Image.fromarray(drawing))
    refused = 0
    for place in range(len(whole)):
        put(tmp_path / "bag" / "0.png", whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert np.array_equal(read_folder(tmp_path, GARMENTS)[0][0], drawing), place
        except UserError:
            refused += 1
    assert refused >= len(whole) - 12  # all but what stands behind the pixels


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hats/0.png", "each sub-folder must be named by a class: unknown class 'hats'; choose from 0 t-shirt, 1 tr"),
        ("all/0.png", "each sub-folder must be named by a class: unknown class 'all'"),
        ("10/0.png", "each sub-folder must be named by a class: unknown class '10'"),
        ("0.png", "0.png is not a folder of a class; move images into the sub-folder of their class"),
        ("8/1.png", "the sub-folders 8 and bag both mean bag; put the images of a class into one"),
        ("bag/1.jpg", "bag/1.jpg: .jpg may have changed the grey levels; save PNGs"),
        ("bag/1.JPEG", "bag/1.JPEG: .JPEG may have changed the grey levels"),
        ("bag/Thumbs.db", "bag/Thumbs.db is not a PNG; only PNGs may be in a class folder"),
        ("bag/more/1.png", "bag/more is not a PNG"),
        ("bag/more.png/1.png", "bag/more.png is not a PNG"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(tmp_path, name, told):
    put(tmp_path / "bag" / "0.png")
    put(tmp_path / name)
    assert refusal(tmp_path).startswith(told)


def test_hidden_files_are_passed_over(tmp_path):
    for name in ("bag/0.png", "bag/1.png", ".DS_Store", "bag/.DS_Store", "bag/._0.png", ".ipynb_checkpoints/0.png"):
        put(tmp_path / name)
    assert len(read_samples(tmp_path, GARMENTS)[0]) == 2


def test_folders_without_enough_pictures_are_refused(tmp_path):
    assert refusal(tmp_path).startswith("no images in this folder; expected PNGs in sub-folders named by class")
    (tmp_path / "bag").mkdir()
    assert refusal(tmp_path).startswith("no images in this folder")
    put(tmp_path / "bag" / "0.png")
    assert "with N of at least 2, got uint8 [1, 28, 28]" in refusal(tmp_path)


def test_an_empty_class_folder_is_a_missing_class(tmp_path, caplog):
    for label in range(9):
        put(tmp_path / str(label) / "0.png")
    (tmp_path / "boot").mkdir()
    assert read_samples(tmp_path, GARMENTS)[1].tolist() == list(range(9))
    assert caplog.messages == [f"samples={tmp_path}: no images of boot"]


def test_pictures_of_floats_that_were_cast_are_refused(tmp_path):
    for name in ("bag/0.png", "bag/1.png"):
        put(tmp_path / name, GREY // 128)
    assert "only the grey levels 0, 1, like floats" in refusal(tmp_path)


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "0.png").symlink_to(tmp_path / "gone.png")
    assert refusal(tmp_path) == f"cannot be read: No such file or directory ({tmp_path / 'bag' / '0.png'})"
