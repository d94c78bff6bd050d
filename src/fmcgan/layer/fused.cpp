// relu(scale * u + shift) and its gradient, where u is a map or its bilinear enlargement; see fused.py.
//
// Maps are channels-last, [samples, height, width, channels], float32 or bfloat16; `channels` is a multiple of LANES.
// Everything else is float32, [samples, channels]. A thread works on one sample and LANES channels at a time, whose u
// it keeps in its cache. No sum crosses threads, so results do not depend on their number.

#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

constexpr long LANES = 16;
typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));
typedef uint16_t bfloat16;

static inline Vector load(const float* from) {
    Vector value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

static inline Vector load(const bfloat16* from) {
    Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    return (Vector)(__builtin_convertvector(halves, Bits) << 16);
}

static inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof value); }

static inline void store(bfloat16* to, Vector value) {  // rounds to the nearest, ties to even
    const Bits bits = (Bits)value;
    const Halves halves = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, Halves);
    std::memcpy(to, &halves, sizeof halves);
}

static inline Vector where_positive(Vector condition, Vector value) {
    return (Vector)((Bits)(condition > 0) & (Bits)value);
}

struct Shape {
    long samples, height, width, channels;  // of the input
    int doubled;                            // whether u is the input at twice the height and width
    int threads;
    long input_pixels() const { return height * width; }
    long pixels() const { return input_pixels() * (doubled ? 4 : 1); }
};

// Reads u of one sample and LANES channels. F.interpolate(scale_factor=2, mode="bilinear"): each pixel is 9/16 of the
// nearest input pixel, 3/16 of the next ones in both directions and 1/16 of the diagonal one.
template <class Map>
static void read(const Map* input, const Shape& shape, Vector* u) {
    const long channels = shape.channels, height = shape.height, width = shape.width;
    if (!shape.doubled) {
        for (long p = 0; p < shape.input_pixels(); p++) u[p] = load(input + p * channels);
        return;
    }
    auto at = [=](long y, long x) { return load(input + (y * width + x) * channels); };
    auto inside = [](long i, long size) { return i < 0 ? 0 : i < size ? i : size - 1; };
    for (long y = 0; y < 2 * height; y++) {
        const long near = y / 2, next = inside(y % 2 ? near + 1 : near - 1, height);
        auto column = [&](long x) { return 0.75f * at(near, x) + 0.25f * at(next, x); };
        Vector left = column(0), middle = left;
        for (long x = 0; x < width; x++) {
            const Vector right = column(inside(x + 1, width));
            *u++ = 0.75f * middle + 0.25f * left;
            *u++ = 0.75f * middle + 0.25f * right;
            left = middle, middle = right;
        }
    }
}

// Writes the gradient of the input, given that of u: the transpose of `read`.
template <class Map>
static void write(Map* output, const Shape& shape, const Vector* u) {
    const long channels = shape.channels, height = shape.height, width = shape.width;
    if (!shape.doubled) {
        for (long p = 0; p < shape.input_pixels(); p++) store(output + p * channels, u[p]);
        return;
    }
    auto inside = [](long i, long size) { return i < 0 ? 0 : i < size ? i : size - 1; };
    for (long y = 0; y < height; y++) {
        const Vector* rows[4];
        for (long i = 0; i < 4; i++) rows[i] = u + inside(2 * y - 1 + i, 2 * height) * 2 * width;
        auto column = [&](long x) {
            return 0.75f * (rows[1][x] + rows[2][x]) + 0.25f * (rows[0][x] + rows[3][x]);
        };
        Vector left = column(0);
        for (long x = 0; x < width; x++) {
            const Vector first = column(2 * x), second = column(2 * x + 1);
            const Vector right = x + 1 < width ? column(2 * x + 2) : second;
            store(output + (y * width + x) * channels, 0.75f * (first + second) + 0.25f * (left + right));
            left = second;
        }
    }
}

// Calls work(sample, channel, u) for every sample and every LANES channels, with room for one u.
template <class Work>
static void for_each_part(const Shape& shape, Work work) {
    #pragma omp parallel num_threads(shape.threads)
    {
        const long room = sizeof(Vector) * (shape.pixels() + 1);
        std::unique_ptr<char[]> memory(new char[room]);
        void* start = memory.get();
        size_t size = room;
        Vector* u = (Vector*)std::align(sizeof(Vector), sizeof(Vector) * shape.pixels(), start, size);
        #pragma omp for collapse(2) schedule(static)
        for (long sample = 0; sample < shape.samples; sample++)
            for (long channel = 0; channel < shape.channels; channel += LANES) work(sample, channel, u);
    }
}

// Mean and sum of squared deviations of u, each [samples, channels].
template <class Map>
static void moments(const Shape& shape, const Map* input, float* means, float* squares) {
    for_each_part(shape, [=](long sample, long channel, Vector* u) {
        read(input + sample * shape.input_pixels() * shape.channels + channel, shape, u);
        const long pixels = shape.pixels(), i = sample * shape.channels + channel;
        Vector sum{}, square{};
        for (long p = 0; p < pixels; p++) sum += u[p];
        const Vector mean = sum / (float)pixels;
        for (long p = 0; p < pixels; p++) square += (u[p] - mean) * (u[p] - mean);
        store(means + i, mean);
        store(squares + i, square);
    });
}

// relu(scale * u + shift).
template <class Map>
static void activate(const Shape& shape, const Map* input, const float* scale, const float* shift, Map* output) {
    for_each_part(shape, [=](long sample, long channel, Vector* u) {
        read(input + sample * shape.input_pixels() * shape.channels + channel, shape, u);
        const long pixels = shape.pixels(), i = sample * shape.channels + channel;
        const Vector a = load(scale + i), b = load(shift + i);
        Map* to = output + sample * pixels * shape.channels + channel;
        for (long p = 0; p < pixels; p++) {
            const Vector z = a * u[p] + b;
            store(to + p * shape.channels, z > 0 ? z : z * 0);  // a NaN stays one
        }
    });
}

// Sums over the pixels of dz and of dz * (u - mean), where dz is the output's gradient before the ReLU.
template <class Map>
static void gradient_sums(const Shape& shape, const Map* gradient, const Map* input, const float* scale,
                          const float* shift, const float* mean, float* sums, float* products) {
    for_each_part(shape, [=](long sample, long channel, Vector* u) {
        read(input + sample * shape.input_pixels() * shape.channels + channel, shape, u);
        const long pixels = shape.pixels(), i = sample * shape.channels + channel;
        const Vector a = load(scale + i), b = load(shift + i), m = load(mean + channel);
        const Map* from = gradient + sample * pixels * shape.channels + channel;
        Vector sum{}, product{};
        for (long p = 0; p < pixels; p++) {
            const Vector dz = where_positive(a * u[p] + b, load(from + p * shape.channels));
            sum += dz;
            product += dz * (u[p] - m);
        }
        store(sums + i, sum);
        store(products + i, product);
    });
}

// The gradient of the input: that of u is scale * dz - offset - slope * (u - mean).
template <class Map>
static void input_gradient(const Shape& shape, const Map* gradient, const Map* input, const float* scale,
                           const float* shift, const float* mean, const float* offset, const float* slope,
                           Map* output) {
    for_each_part(shape, [=](long sample, long channel, Vector* u) {
        const long first = sample * shape.input_pixels() * shape.channels + channel;
        read(input + first, shape, u);
        const long pixels = shape.pixels(), i = sample * shape.channels + channel;
        const Vector a = load(scale + i), b = load(shift + i), m = load(mean + channel);
        const Vector o = load(offset + channel), s = load(slope + channel);
        const Map* from = gradient + sample * pixels * shape.channels + channel;
        for (long p = 0; p < pixels; p++) {
            const Vector dz = where_positive(a * u[p] + b, load(from + p * shape.channels));
            u[p] = a * dz - o - s * (u[p] - m);
        }
        write(output + first, shape, u);
    });
}

#define EXPORT(Map, suffix)                                                                                           \
    extern "C" void moments_##suffix(const Shape* shape, const Map* input, float* means, float* squares) {            \
        moments(*shape, input, means, squares);                                                                       \
    }                                                                                                                 \
    extern "C" void activate_##suffix(const Shape* shape, const Map* input, const float* scale, const float* shift,   \
                                      Map* output) {                                                                  \
        activate(*shape, input, scale, shift, output);                                                                \
    }                                                                                                                 \
    extern "C" void gradient_sums_##suffix(const Shape* shape, const Map* gradient, const Map* input,                 \
                                           const float* scale, const float* shift, const float* mean, float* sums,    \
                                           float* products) {                                                         \
        gradient_sums(*shape, gradient, input, scale, shift, mean, sums, products);                                   \
    }                                                                                                                 \
    extern "C" void input_gradient_##suffix(const Shape* shape, const Map* gradient, const Map* input,                \
                                            const float* scale, const float* shift, const float* mean,                \
                                            const float* offset, const float* slope, Map* output) {                   \
        input_gradient(*shape, gradient, input, scale, shift, mean, offset, slope, output);                           \
    }

EXPORT(float, float32)
EXPORT(bfloat16, bfloat16)
