"""Encoding of pictures as files and as data URIs."""

import base64
import io
from dataclasses import dataclass, replace

from matplotlib.figure import Figure
from PIL import Image, ImageSequence, features

from fmcgan.analysis.section import Picture
from fmcgan.figure.png import DPI, png_bytes, save_figure

CSS_DPI = 96  # pixels of CSS per inch
LARGEST_SVG = 100_000  # largest SVG on a page, in bytes; larger ones are shown as pixels
LOSSY_QUALITY = 60  # of WebP with losses, where a page would be too large
LARGEST_WEBP = 16_383  # largest side of a WebP, in pixels


@dataclass(frozen=True)
class Encoded:
    """A picture as files, by suffix (``.png`` or ``.gif``, and ``.svg``), and as a data URI, sized in CSS pixels.

    An animation has all frames, each as a data URI and a name; its own data URI is the last one.
    """

    files: dict[str, bytes]
    uri: str
    width: int
    height: int
    frames: tuple[tuple[str, str], ...] = ()

    @property
    def page_bytes(self) -> int:
        """Bytes of its data URIs on a page: of all frames, or of the picture."""
        return sum(len(uri) for uri, _ in self.frames) or len(self.uri)


def encode(picture: Picture) -> Encoded:
    """Encodes a picture: matplotlib figures at their size in inches, others at one CSS pixel per pixel.

    PNGs of the resolution `DPI` count as matplotlib figures. Pages hold lossless WebP, half the size of PNG.
    """
    content = picture.content
    if isinstance(content, Figure):
        files = {".png": png_bytes(content)}
        if picture.vector:
            svg = io.BytesIO()
            save_figure(content, svg, format="svg", metadata={"Date": None})
            files[".svg"] = svg.getvalue()
        width, height = (round(CSS_DPI * inches) for inches in content.get_size_inches())
        return Encoded(files, _uri(files), width, height)
    if isinstance(content, bytes):
        with Image.open(io.BytesIO(content)) as image:
            uris = [image_uri(frame.copy()) for frame in ImageSequence.Iterator(image)]
            frames = tuple((uri, f"frame {number} of {len(uris)}") for number, uri in enumerate(uris, 1))
            return Encoded({".gif": content}, uris[-1], *image.size, frames if len(uris) > 1 else ())
    files = {".png": png_bytes(content)}
    return Encoded(files, _uri(files), *css_size(content))


def css_size(image: Image.Image) -> tuple[int, int]:
    """Returns width and height of an image in CSS pixels; see `encode`."""
    dpi = image.info.get("dpi", (CSS_DPI, CSS_DPI))[0]
    drawn = abs(dpi - DPI) < 1  # PNG stores pixels per metre: 120 dpi is read as 119.99
    width, height = (round(side * CSS_DPI / DPI) if drawn else side for side in image.size)
    return width, height


def smaller(encoded: Encoded) -> Encoded:
    """Encodes the pixels of a picture for a page again, with losses; its files, and animations, are unchanged."""
    if ".png" not in encoded.files or "webp" not in encoded.uri[:20]:
        return encoded
    with Image.open(io.BytesIO(encoded.files[".png"])) as image:
        uri = lossy_uri(image)
    return replace(encoded, uri=uri) if len(uri) < len(encoded.uri) else encoded


def data_uri(content: bytes, media_type: str = "image/png") -> str:
    """Encodes content as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _uri(files: dict[str, bytes]) -> str:
    if len(files.get(".svg", b"")) in range(1, LARGEST_SVG + 1):
        return data_uri(files[".svg"], "image/svg+xml")
    with Image.open(io.BytesIO(files[".png"])) as image:
        return image_uri(image, files[".png"])


def lossy_uri(image: Image.Image) -> str:
    """Encodes an image as WebP with losses; larger than `LARGEST_WEBP`, or without WebP, as `image_uri`."""
    if not _is_webp(image):
        return image_uri(image)
    content = io.BytesIO()
    image.convert("RGB").save(content, format="WEBP", quality=LOSSY_QUALITY, method=3)
    return data_uri(content.getvalue(), "image/webp")


def image_uri(image: Image.Image, png: bytes | None = None) -> str:
    """Encodes an image without losses as WebP if it can, else as PNG, which may be given."""
    if not _is_webp(image):
        return data_uri(png or png_bytes(image))
    content = io.BytesIO()
    is_opaque = image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255
    shown = image.convert("RGB") if is_opaque else image
    # Higher methods and quality are slower without gain; lower methods give twice the size.
    shown.save(content, format="WEBP", lossless=True, quality=50, method=2)
    return data_uri(content.getvalue(), "image/webp")


def _is_webp(image: Image.Image) -> bool:
    """Tests whether an image can be encoded as WebP."""
    return max(image.size) <= LARGEST_WEBP and bool(features.check("webp"))
