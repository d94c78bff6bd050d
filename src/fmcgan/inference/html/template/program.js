"use strict";
// Executes a program (see program.py): a generator, one image at a time, on plain arrays.

/** Converts bytes to numbers. */
function numbersOf(bytes, dtype) {
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  if (dtype === "float32") return new Float32Array(buffer);
  return Float32Array.from(new Uint16Array(buffer), (half) => {
    const sign = half & 0x8000 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
}

const size = (shape) => shape.reduce((product, length) => product * length, 1);

/** Returns the strides of an array of `shape`, broadcast to this number of axes (0 along broadcast axes). */
function strides(shape, axes = shape.length) {
  const steps = new Array(axes).fill(0);
  for (let axis = shape.length - 1, step = 1; axis >= 0; step *= shape[axis--]) {
    steps[axis + axes - shape.length] = shape[axis] === 1 ? 0 : step;
  }
  return steps;
}

/** Calls `visit(place, index)` for every element of an array of `shape`; `steps` are the strides of `index`. */
function walk(shape, steps, visit) {
  const at = new Array(shape.length).fill(0);
  for (let place = 0, index = 0, all = size(shape); place < all; place++) {
    visit(place, index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index += steps[axis];
      if (++at[axis] < shape[axis]) break;
      index -= steps[axis] * shape[axis];
      at[axis] = 0;
    }
  }
}

/** Broadcasts `x` to `shape`. */
function broadcast(x, shape) {
  if (x.data.length === size(shape)) return x.data;
  const out = new Float32Array(size(shape));
  walk(shape, strides(x.shape, shape.length), (place, index) => { out[place] = x.data[index]; });
  return out;
}

function elementwise(step, inputs, combine) {
  const left = broadcast(inputs[0], step.shape), out = new Float32Array(left.length);
  if (inputs.length === 1) {
    for (let i = 0; i < out.length; i++) out[i] = combine(left[i], step.number);
  } else {
    const right = broadcast(inputs[1], step.shape);
    for (let i = 0; i < out.length; i++) out[i] = combine(left[i], right[i]);
  }
  return out;
}

function resized(step, x, sample) {
  const [height, width] = x.shape.slice(-2), [tall, wide] = step.shape.slice(-2);
  const maps = size(x.shape) / (height * width), out = new Float32Array(size(step.shape));
  for (let map = 0, place = 0; map < maps; map++) {
    const plane = x.data.subarray(map * height * width, (map + 1) * height * width);
    for (let row = 0; row < tall; row++) {
      for (let column = 0; column < wide; column++) {
        out[place++] = sample(plane, width, height, row * (height / tall), column * (width / wide), height / tall);
      }
    }
  }
  return out;
}

/** Adds the 3 x 3 convolution of one channel to `out`. Nearly all the time is spent here. */
function convolve3x3(kernel, at, padded, from, columns, out, to, tall, wide) {
  const a = kernel[at], b = kernel[at + 1], c = kernel[at + 2], d = kernel[at + 3], e = kernel[at + 4];
  const f = kernel[at + 5], g = kernel[at + 6], h = kernel[at + 7], i = kernel[at + 8];
  for (let row = 0; row < tall; row++, from += columns, to += wide) {
    let first = from, second = from + columns, third = from + 2 * columns;
    for (let place = to; place < to + wide; place++, first++, second++, third++) {
      out[place] += a * padded[first] + b * padded[first + 1] + c * padded[first + 2]
        + d * padded[second] + e * padded[second + 1] + f * padded[second + 2]
        + g * padded[third] + h * padded[third + 1] + i * padded[third + 2];
    }
  }
}

const OPERATIONS = {
  embedding: (step, [table, index]) => {
    const length = table.shape[1], first = index.data[0] * length;
    return table.data.slice(first, first + length);
  },

  concatenate: (step, parts) => {
    const out = new Float32Array(size(step.shape));
    let place = 0;
    for (const part of parts) { out.set(part.data, place); place += part.data.length; }
    return out;
  },

  reshape: (step, [x]) => x.data,

  permute: (step, [x]) => {
    const out = new Float32Array(x.data.length), steps = strides(x.shape);
    walk(step.shape, step.axes.map((axis) => steps[axis]), (place, index) => { out[place] = x.data[index]; });
    return out;
  },

  matrix_product: (step, [left, right, bias]) => {
    const [rows, inner] = left.shape.slice(-2), columns = right.shape[right.shape.length - 1];
    const out = new Float32Array(size(step.shape)), pages = out.length / (rows * columns);
    if (bias) out.set(broadcast(bias, step.shape));
    for (let page = 0; page < pages; page++) {
      for (let row = 0; row < rows; row++) {
        const to = (page * rows + row) * columns;
        for (let k = 0; k < inner; k++) {
          const factor = left.data[(page * rows + row) * inner + k], from = (page * inner + k) * columns;
          for (let column = 0; column < columns; column++) out[to + column] += factor * right.data[from + column];
        }
      }
    }
    return out;
  },

  by_channel: (step, [x, factor, summand]) => {
    const out = new Float32Array(x.data.length), length = x.data.length / x.shape[1];
    for (let i = 0; i < out.length; i++) {
      const channel = Math.floor(i / length);
      out[i] = x.data[i] * factor.data[channel] + summand.data[channel];
    }
    return out;
  },

  add: (step, inputs) => elementwise(step, inputs, (a, b) => a + b),
  subtract: (step, inputs) => elementwise(step, inputs, (a, b) => a - b),
  multiply: (step, inputs) => elementwise(step, inputs, (a, b) => a * b),
  leaky_relu: (step, [x]) => x.data.map((value) => (value > 0 ? value : step.slope * value)),
  tanh: (step, [x]) => x.data.map(Math.tanh),

  softmax: (step, [x]) => {
    const length = x.shape[x.shape.length - 1], out = new Float32Array(x.data.length);
    for (let first = 0; first < out.length; first += length) {
      let largest = -Infinity, sum = 0;
      for (let i = first; i < first + length; i++) largest = Math.max(largest, x.data[i]);
      for (let i = first; i < first + length; i++) sum += out[i] = Math.exp(x.data[i] - largest);
      for (let i = first; i < first + length; i++) out[i] /= sum;
    }
    return out;
  },

  convolution: (step, [x, weight, bias]) => {
    const [, channels, height, width] = x.shape, [, maps, tall, wide] = step.shape;
    const [, inputs, kernelRows, kernelColumns] = weight.shape, { stride, padding, groups } = step;
    const rows = height + 2 * padding, columns = width + 2 * padding;
    const padded = new Float32Array(channels * rows * columns);
    for (let line = 0; line < channels * height; line++) {
      const channel = Math.floor(line / height), row = line % height;
      const to = (channel * rows + row + padding) * columns + padding;
      padded.set(x.data.subarray(line * width, (line + 1) * width), to);
    }
    const out = new Float32Array(maps * tall * wide);
    const area = kernelRows * kernelColumns;
    let w = 0;
    for (let map = 0; map < maps; map++) {
      const first = Math.floor(map / (maps / groups)) * inputs;
      if (bias) out.fill(bias.data[map], map * tall * wide, (map + 1) * tall * wide);
      for (let channel = first; channel < first + inputs; channel++) {
        const kernel = w;
        w += area;
        if (area === 9 && stride === 1) {
          convolve3x3(weight.data, kernel, padded, channel * rows * columns, columns, out, map * tall * wide, tall, wide);
          continue;
        }
        for (let r = 0; r < kernelRows; r++) {
          for (let c = 0; c < kernelColumns; c++) {
            const factor = weight.data[kernel + r * kernelColumns + c];
            for (let row = 0; row < tall; row++) {
              const to = (map * tall + row) * wide, from = (channel * rows + row * stride + r) * columns + c;
              for (let column = 0; column < wide; column++) out[to + column] += factor * padded[from + column * stride];
            }
          }
        }
      }
    }
    return out;
  },

  transposed_convolution: (step, [x, weight, bias]) => {
    const [, channels, height, width] = x.shape, [, maps, tall, wide] = step.shape;
    const [, outputs, kernelRows, kernelColumns] = weight.shape, { stride, padding, groups } = step;
    const rows = (height - 1) * stride + kernelRows, columns = (width - 1) * stride + kernelColumns;
    const full = new Float32Array(maps * rows * columns);
    let w = 0;
    for (let channel = 0; channel < channels; channel++) {
      const first = Math.floor(channel / (channels / groups)) * outputs;
      for (let map = first; map < first + outputs; map++) {
        for (let r = 0; r < kernelRows; r++) {
          for (let c = 0; c < kernelColumns; c++) {
            const factor = weight.data[w++];
            for (let row = 0; row < height; row++) {
              const to = (map * rows + row * stride + r) * columns + c, from = (channel * height + row) * width;
              for (let column = 0; column < width; column++) full[to + column * stride] += factor * x.data[from + column];
            }
          }
        }
      }
    }
    const out = new Float32Array(maps * tall * wide);
    for (let map = 0; map < maps; map++) {
      for (let row = 0; row < tall; row++) {
        const from = (map * rows + row + padding) * columns + padding, to = (map * tall + row) * wide;
        for (let column = 0; column < wide; column++) out[to + column] = full[from + column] + (bias ? bias.data[map] : 0);
      }
    }
    return out;
  },

  nearest: (step, [x]) =>
    resized(step, x, (plane, width, height, row, column) => plane[Math.floor(row) * width + Math.floor(column)]),

  // Pixel centres are at half-integers; edge pixels are replicated.
  bilinear: (step, [x]) =>
    resized(step, x, (plane, width, height, row, column, scale) => {
      const y = Math.max(row + scale / 2 - 0.5, 0), z = Math.max(column + scale / 2 - 0.5, 0);
      const top = Math.floor(y), left = Math.floor(z), down = y - top, along = z - left;
      const bottom = Math.min(top + 1, height - 1), right = Math.min(left + 1, width - 1);
      return (1 - down) * ((1 - along) * plane[top * width + left] + along * plane[top * width + right])
        + down * ((1 - along) * plane[bottom * width + left] + along * plane[bottom * width + right]);
    }),
};

/**
 * Returns the generator that a program describes.
 * @param program `latent_dim`, `steps`, `output`, `dtype` and `tensors`: name -> `shape` and `first`, its offset
 * @param bytes of all tensors, one after the other, little-endian
 * @returns (latent Float32Array [Z], label, psi of the truncation) -> Float32Array [C * H * W] in -1..1
 */
function generatorOf(program, bytes) {
  const numbers = numbersOf(bytes, program.dtype), constants = {};
  for (const [name, { shape, first }] of Object.entries(program.tensors)) {
    constants[name] = { shape, data: numbers.subarray(first, first + size(shape)) };
  }
  return (latent, label, psi = 1) => {
    const values = { ...constants, latent: { shape: [1, program.latent_dim], data: latent }, labels: { shape: [1], data: [label] } };
    values.psi = { shape: [], data: [psi] };
    for (const step of program.steps) {
      const inputs = step.in.map((name) => values[name]);
      values[step.out] = { shape: step.shape, data: OPERATIONS[step.op](step, inputs) };
    }
    return values[program.output].data;
  };
}
