"""Texts that try to be more than text. Names of files may hold all of them."""

PAYLOADS = {
    "image": "<img src=x onerror=alert(1)>",
    "script": "</script><script>alert(1)<!--",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "entity": "&lt;b&gt;&#60;img src=x onerror=alert(1)&#62;",
    "comment": "--><svg onload=alert(1)>",
    "link": "[here](javascript:alert(1)) ![x](x)",
    "autolink": "<javascript:alert(1)> <x@y.zz>",
    "table": "a | b || `c` |",
    "backticks": "``` `a`` <img src=x onerror=alert(1)> ` **b**",
    "lines": "a\n\n# heading\n\n<img src=x onerror=alert(1)>\n- b",
    "emphasis": "**a** _b_ ~~c~~ __d__ \\*",
    "mathtext": "$\\frac{a$ $x_1$ $",
    "escape": "\x1b[2J\x1b]0;title\x07\x9b1m",
    "direction": "a\u202egnp.exe",
    "bytes": "M\udcfcller L\udcc3\udca4ufe",
    "surrogate": "\ud800 \udfff",
    "letters": "Läufe 日本 💾",
    "formula": "=cmd|' /C calc'!A0",
    "template": "{{ 7 * 7 }} {% raw %} ${oc.env:HOME} %s {0}",
}
"""By what they try."""
