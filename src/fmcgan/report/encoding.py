"""Encoding of pictures as files and as data URIs."""

import base64
import io
from dataclasses import dataclass, replace

from matplotlib.figure import Figure
from PIL import Image, ImageSequence, features

from fmcgan.analysis.section import Picture
from fmcgan.figure.chart import Chart, chart
from fmcgan.figure.files import figure_files, png_bytes
from fmcgan.figure.paper import layers

LARGEST_CHART = 400_000  # largest chart on a page, in bytes; larger ones are shown as pixels
_CSS_DPI = 96  # pixels of CSS per inch
LOSSY_QUALITY = 60  # of WebP with losses, where a page would be too large
LARGEST_WEBP = 16_383  # largest side of a WebP, in pixels


@dataclass(frozen=True)
class Encoded:
    """A picture as files, by suffix (``.png`` or ``.gif``), and as a chart or a data URI, sized in CSS pixels.

    A picture on paper has two data URIs of one size: of its images, and of the words beside them, which a page lays
    above the images. A figure of matplotlib is a chart, with files also as SVG and PDF. An animation has all frames,
    each as a data URI and a name; its own data URI is the last one.
    """

    files: dict[str, bytes]
    uri: str
    width: int
    height: int
    frames: tuple[tuple[str, str], ...] = ()
    words: str = ""
    chart: Chart | None = None

    @property
    def page_bytes(self) -> int:
        """Bytes on a page: of the chart, or of the data URIs of all frames or of the picture."""
        if self.chart is not None:
            return self.chart.size
        return sum(len(uri) for uri, _ in self.frames) or len(self.uri) + len(self.words)


def encode(picture: Picture, section: str = "") -> Encoded:
    """Encodes a picture: matplotlib figures as charts, others at one CSS pixel per pixel as lossless WebP.

    The name of the section makes the identifiers of a chart unique on a page.
    """
    content = picture.content
    if isinstance(content, Figure):
        files = figure_files(content)
        drawn = chart(content, f"{section}-{picture.name}", files[".svg"])
        width, height = (round(_CSS_DPI * inches) for inches in content.get_size_inches())
        if drawn.size > LARGEST_CHART:
            return Encoded(files, _uri(files), width, height)
        return Encoded(files, "", width, height, chart=drawn)
    if isinstance(content, bytes):
        with Image.open(io.BytesIO(content)) as image:
            uris = [image_uri(frame.copy()) for frame in ImageSequence.Iterator(image)]
            frames = tuple((uri, f"frame {number} of {len(uris)}") for number, uri in enumerate(uris, 1))
            return Encoded({".gif": content}, uris[-1], *image.size, frames if len(uris) > 1 else ())
    files = {".png": png_bytes(content)}
    if (split := layers(content)) is None:
        return Encoded(files, _uri(files), *content.size)
    images, words = split
    return Encoded(files, image_uri(images), *content.size, words=image_uri(words) if words.getbbox() else "")


def smaller(encoded: Encoded) -> Encoded:
    """Encodes the pixels of a picture for a page again, with losses; its files, and animations, are unchanged."""
    if ".png" not in encoded.files or "webp" not in encoded.uri[:20]:
        return encoded
    with Image.open(io.BytesIO(base64.b64decode(encoded.uri.partition(",")[2]))) as image:
        uri = lossy_uri(image)
    return replace(encoded, uri=uri) if len(uri) < len(encoded.uri) else encoded


def data_uri(content: bytes, media_type: str = "image/png") -> str:
    """Encodes content as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _uri(files: dict[str, bytes]) -> str:
    with Image.open(io.BytesIO(files[".png"])) as image:
        return image_uri(image, files[".png"])


def lossy_uri(image: Image.Image) -> str:
    """Encodes an image as WebP with losses; larger than `LARGEST_WEBP`, or without WebP, as `image_uri`."""
    if not _is_webp(image):
        return image_uri(image)
    content = io.BytesIO()
    shown = image if image.mode == "RGBA" else image.convert("RGB")
    shown.save(content, format="WEBP", quality=LOSSY_QUALITY, method=3)
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
