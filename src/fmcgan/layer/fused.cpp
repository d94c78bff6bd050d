// relu(scale * u + shift) and its gradient, where u is a map or its bilinear enlargement; see fused.py.
//
// Maps are channels-last, [samples, height, width, channels], float32 or bfloat16; `channels` is a multiple of LANES.
// Everything else is float32, [samples, channels]. A thread works on one sample and N * LANES channels at a time, whose
// u it keeps in its cache, [pixels, N]. No sum crosses threads, so results do not depend on their number.

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

// The value, or 0 where z is not positive; as in torch, a NaN counts as positive.
static inline Vector relu(Vector z, Vector value) { return z <= 0 ? Vector{} : value; }

struct Shape {
    long samples, height, width, channels;  // of the input
    int doubled;                            // whether u is the input at twice the height and width
    int threads;
    long input_pixels() const { return height * width; }
    long pixels() const { return input_pixels() * (doubled ? 4 : 1); }
};

// Reads u of one sample and N * LANES channels. F.interpolate(scale_factor=2, mode="bilinear"): each pixel is 9/16 of the
// nearest input pixel, 3/16 of the next ones in both directions and 1/16 of the diagonal one.
template <int N, class Map>
static void read(const Shape& shape, const Map* input, Vector* u) {
    const long channels = shape.channels, height = shape.height, width = shape.width;
    if (!shape.doubled) {
        for (long p = 0; p < shape.input_pixels(); p++)
            for (int k = 0; k < N; k++) u[p * N + k] = load(input + p * channels + k * LANES);
        return;
    }
    auto inside = [](long i, long size) { return i < 0 ? 0 : i < size ? i : size - 1; };
    for (long y = 0; y < 2 * height; y++) {
        const long near = y / 2 * width, next = inside(y % 2 ? y / 2 + 1 : y / 2 - 1, height) * width;
        for (int k = 0; k < N; k++) {
            const Map* from = input + k * LANES;
            auto column = [=](long x) {
                return 0.75f * load(from + (near + x) * channels) + 0.25f * load(from + (next + x) * channels);
            };
            Vector left = column(0), middle = left;
            for (long x = 0; x < width; x++) {
                const Vector right = column(inside(x + 1, width));
                Vector* to = u + (y * width + x) * 2 * N + k;
                to[0] = 0.75f * middle + 0.25f * left;
                to[N] = 0.75f * middle + 0.25f * right;
                left = middle, middle = right;
            }
        }
    }
}

// Writes the gradient of the input, given that of u: the transpose of `read`.
template <int N, class Map>
static void write(const Shape& shape, Map* output, const Vector* u) {
    const long channels = shape.channels, height = shape.height, width = shape.width;
    if (!shape.doubled) {
        for (long p = 0; p < shape.input_pixels(); p++)
            for (int k = 0; k < N; k++) store(output + p * channels + k * LANES, u[p * N + k]);
        return;
    }
    auto inside = [](long i, long size) { return i < 0 ? 0 : i < size ? i : size - 1; };
    for (long y = 0; y < height; y++) {
        const Vector* rows[4];
        for (long i = 0; i < 4; i++) rows[i] = u + inside(2 * y - 1 + i, 2 * height) * 2 * width * N;
        for (int k = 0; k < N; k++) {
            auto column = [&](long x) {
                const long i = x * N + k;
                return 0.75f * (rows[1][i] + rows[2][i]) + 0.25f * (rows[0][i] + rows[3][i]);
            };
            Vector left = column(0), first = left;
            for (long x = 0; x < width; x++) {
                const Vector second = column(2 * x + 1), right = x + 1 < width ? column(2 * x + 2) : second;
                const Vector sum = 0.75f * (first + second) + 0.25f * (left + right);
                store(output + (y * width + x) * channels + k * LANES, sum);
                left = second, first = right;
            }
        }
    }
}

// Calls work(sample, channel, u) for every sample and every N * LANES channels, with room for one u.
template <int N, class Work>
static void for_each_part(const Shape& shape, Work work) {
    #pragma omp parallel num_threads(shape.threads)
    {
        const size_t size = sizeof(Vector) * N * shape.pixels();
        size_t room = size + sizeof(Vector);
        std::unique_ptr<char[]> memory(new char[room]);
        void* start = memory.get();
        Vector* u = (Vector*)std::align(sizeof(Vector), size, start, room);
        #pragma omp for collapse(2) schedule(static)
        for (long sample = 0; sample < shape.samples; sample++)
            for (long channel = 0; channel < shape.channels; channel += N * LANES) work(sample, channel, u);
    }
}

template <int N>
static void load_all(const float* from, Vector* values) {
    for (int k = 0; k < N; k++) values[k] = load(from + k * LANES);
}

template <int N>
static void store_all(float* to, const Vector* values) {
    for (int k = 0; k < N; k++) store(to + k * LANES, values[k]);
}

// Mean and sum of squared deviations of u, each [samples, channels].
template <int N, class Map>
static void moments(const Shape& shape, const Map* input, float* means, float* squares) {
    for_each_part<N>(shape, [=](long sample, long channel, Vector* u) {
        read<N>(shape, input + sample * shape.input_pixels() * shape.channels + channel, u);
        const long pixels = shape.pixels(), i = sample * shape.channels + channel;
        Vector mean[N]{}, square[N]{};
        for (long p = 0; p < pixels; p++)
            for (int k = 0; k < N; k++) mean[k] += u[p * N + k];
        for (int k = 0; k < N; k++) mean[k] /= (float)pixels;
        for (long p = 0; p < pixels; p++)
            for (int k = 0; k < N; k++) square[k] += (u[p * N + k] - mean[k]) * (u[p * N + k] - mean[k]);
        store_all<N>(means + i, mean);
        store_all<N>(squares + i, square);
    });
}

// relu(scale * u + shift).
template <int N, class Map>
static void activate(const Shape& shape, const Map* input, const float* scale, const float* shift, Map* output) {
    for_each_part<N>(shape, [=](long sample, long channel, Vector* u) {
        read<N>(shape, input + sample * shape.input_pixels() * shape.channels + channel, u);
        const long pixels = shape.pixels(), i = sample * shape.channels + channel;
        Vector a[N], b[N];
        load_all<N>(scale + i, a);
        load_all<N>(shift + i, b);
        Map* to = output + sample * pixels * shape.channels + channel;
        for (long p = 0; p < pixels; p++)
            for (int k = 0; k < N; k++) {
                const Vector z = a[k] * u[p * N + k] + b[k];
                store(to + p * shape.channels + k * LANES, relu(z, z));
            }
    });
}

// Sums over the pixels of dz and of dz * (u - mean), where dz is the output's gradient before the ReLU.
template <int N, class Map>
static void gradient_sums(const Shape& shape, const Map* gradient, const Map* input, const float* scale,
                          const float* shift, const float* mean, float* sums, float* products) {
    for_each_part<N>(shape, [=](long sample, long channel, Vector* u) {
        read<N>(shape, input + sample * shape.input_pixels() * shape.channels + channel, u);
        const long pixels = shape.pixels(), i = sample * shape.channels + channel;
        Vector a[N], b[N], m[N], sum[N]{}, product[N]{};
        load_all<N>(scale + i, a);
        load_all<N>(shift + i, b);
        load_all<N>(mean + channel, m);
        const Map* from = gradient + sample * pixels * shape.channels + channel;
        for (long p = 0; p < pixels; p++)
            for (int k = 0; k < N; k++) {
                const Vector value = u[p * N + k], dy = load(from + p * shape.channels + k * LANES);
                const Vector dz = relu(a[k] * value + b[k], dy);
                sum[k] += dz;
                product[k] += dz * (value - m[k]);
            }
        store_all<N>(sums + i, sum);
        store_all<N>(products + i, product);
    });
}

// The gradient of the input: that of u is scale * dz - offset - slope * (u - mean).
template <int N, class Map>
static void input_gradient(const Shape& shape, const Map* gradient, const Map* input, const float* scale,
                           const float* shift, const float* mean, const float* offset, const float* slope,
                           Map* output) {
    for_each_part<N>(shape, [=](long sample, long channel, Vector* u) {
        const long first = sample * shape.input_pixels() * shape.channels + channel;
        read<N>(shape, input + first, u);
        const long pixels = shape.pixels(), i = sample * shape.channels + channel;
        Vector a[N], b[N], m[N], o[N], s[N];
        load_all<N>(scale + i, a);
        load_all<N>(shift + i, b);
        load_all<N>(mean + channel, m);
        load_all<N>(offset + channel, o);
        load_all<N>(slope + channel, s);
        const Map* from = gradient + sample * pixels * shape.channels + channel;
        for (long p = 0; p < pixels; p++)
            for (int k = 0; k < N; k++) {
                const Vector value = u[p * N + k], dy = load(from + p * shape.channels + k * LANES);
                const Vector dz = relu(a[k] * value + b[k], dy);
                u[p * N + k] = a[k] * dz - o[k] - s[k] * (value - m[k]);
            }
        write<N>(shape, output + first, u);
    });
}

// Calls function<2, Map> or, if the number of channels is an odd multiple of LANES, function<1, Map>.
#define CALL(function, ...)                                                   \
    if (shape->channels % (2 * LANES)) function<1>(*shape, __VA_ARGS__);     \
    else function<2>(*shape, __VA_ARGS__);

#define EXPORT(Map, suffix)                                                                                           \
    extern "C" void moments_##suffix(const Shape* shape, const Map* input, float* means, float* squares) {            \
        CALL(moments, input, means, squares);                                                                       \
    }                                                                                                                 \
    extern "C" void activate_##suffix(const Shape* shape, const Map* input, const float* scale, const float* shift,   \
                                      Map* output) {                                                                  \
        CALL(activate, input, scale, shift, output);                                                                \
    }                                                                                                                 \
    extern "C" void gradient_sums_##suffix(const Shape* shape, const Map* gradient, const Map* input,                 \
                                           const float* scale, const float* shift, const float* mean, float* sums,    \
                                           float* products) {                                                         \
        CALL(gradient_sums, gradient, input, scale, shift, mean, sums, products);                                   \
    }                                                                                                                 \
    extern "C" void input_gradient_##suffix(const Shape* shape, const Map* gradient, const Map* input,                \
                                            const float* scale, const float* shift, const float* mean,                \
                                            const float* offset, const float* slope, Map* output) {                   \
        CALL(input_gradient, gradient, input, scale, shift, mean, offset, slope, output);                           \
    }

EXPORT(float, float32)
EXPORT(bfloat16, bfloat16)
