// The gradient of 3 x 3 weights by Winograd's F(4x4, 3x3): dg = G' [sum over tiles of (B' d B) * (A dy A')] G, where
// the sums are products of matrices, one for each of the 36 elements, whose steps are tiles. d and dy are transformed
// into the workspace as far as it stays in the caches, one chunk of tile rows after another; their sums are added by
// the tree of reductions. Chunks depend on the shape alone.

#include "depthwise.h"
#include "winograd_weights.h"

enum {
  TILE = CJ_WINOGRAD_TILE,
  REACH = CJ_WINOGRAD_REACH,
  WINDOW = 3,
  MATRICES = CJ_WINOGRAD_MATRICES,
  SPACE = 16,              // values between matrices, which do not collide in the cache then
  CHUNK_BYTES = 12 << 20,  // of what is transformed: most of it stays in the caches
  MOST_CHUNKS = 16,        // each has sums of its own
  BLOCK = 512,             // weights transformed at a time
  // What transforms of a value cost, in multiply-adds.
  TILE_COST = 500,
  WEIGHT_COST = 400,
};

typedef struct {
  const cj_convolution_shape *shape;
  const cj_level *level;
  int64_t bytes;                 // of an element in memory
  int64_t rows, row_tiles;       // rows of tiles, of all images and planes, and the tiles of each
  int64_t chunk_rows, chunks;
  int64_t x_line, dy_line;       // values of a tile, in whole vectors
  int64_t first, tiles;          // the chunk at hand: its first row, its tiles
  const char *x, *dy;
  float *x_tiles, *dy_tiles, *sums;  // [36, tiles, line]; [chunks, 36, channels, filters]
  char *dw;
} winograd_weights;

static int64_t whole(int64_t values) { return cj_ceil_div(values, 16) * 16; }  // of every level's vectors

static winograd_weights make(const cj_convolution_shape *s) {
  winograd_weights job = {.shape = s, .level = cj_current_level(), .bytes = cj_dtype_bytes(s->dtype)};
  job.rows = s->batch * s->results[0] * cj_ceil_div(s->results[1], TILE);
  job.row_tiles = cj_ceil_div(s->results[2], TILE);
  job.x_line = whole(s->channels);
  job.dy_line = whole(s->filters);
  const int64_t row_bytes = MATRICES * job.row_tiles * (job.x_line + job.dy_line) * (int64_t)sizeof(float);
  const int64_t least = cj_ceil_div(job.rows, MOST_CHUNKS);
  const int64_t chunks = cj_ceil_div(job.rows, cj_max64(least, CHUNK_BYTES / cj_max64(1, row_bytes)));
  job.chunk_rows = cj_ceil_div(job.rows, cj_max64(1, chunks));
  job.chunks = cj_ceil_div(job.rows, cj_max64(1, job.chunk_rows));
  return job;
}

static int64_t sums_count(const winograd_weights *job) {
  return MATRICES * job->shape->channels * job->shape->filters;
}

int64_t cj_winograd_weights_workspace(const cj_convolution_shape *shape) {
  const int64_t *window = shape->window;
  if (shape->is_plain || shape->dtype == CJ_FLOAT64 || shape->groups != 1) return 0;
  if (window[0] != 1 || window[1] != WINDOW || window[2] != WINDOW) return 0;
  for (int axis = 0; axis < CJ_CONVOLUTION_AXES; axis++)
    if (shape->strides[axis] != 1 || shape->dilations[axis] != 1) return 0;
  const winograd_weights job = make(shape);
  const int64_t tiles = job.rows * job.row_tiles, pairs = shape->channels * shape->filters;
  const int64_t positions = shape->batch * shape->results[0] * shape->results[1] * shape->results[2];
  const int64_t cost = (tiles * MATRICES + WEIGHT_COST) * pairs +
                       tiles * TILE_COST * (shape->channels + shape->filters);
  if (cost >= positions * WINDOW * WINDOW * pairs) return 0;
  const int64_t chunk = MATRICES * (job.chunk_rows * job.row_tiles * (job.x_line + job.dy_line) + 2 * SPACE);
  return (chunk + job.chunks * sums_count(&job)) * (int64_t)sizeof(float) + CJ_WINOGRAD_OVERHANG;
}

// ---------------------------------------------------------------- tiles

// Positions of a source, some around it: what is outside is zero.
typedef struct {
  const char *data;
  const int64_t *extents;
  int64_t channels;
  int64_t rows, columns;  // to copy
} strip;

// Rows of a plane from `row` and column `column` on, as float32.
static void copy_strip(const winograd_weights *job, const strip *s, int64_t plane, int64_t row, int64_t column,
                       float *to) {
  const int64_t first = cj_max64(0, -column), end = cj_min64(s->columns, s->extents[2] - column);
  for (int64_t i = 0; i < s->rows; i++, to += s->columns * s->channels) {
    const bool inside = row + i >= 0 && row + i < s->extents[1] && plane >= 0 && first < end;
    const int64_t before = inside ? first : s->columns, behind = inside ? end : s->columns;
    memset(to, 0, (size_t)(before * s->channels) * sizeof(float));
    memset(to + behind * s->channels, 0, (size_t)((s->columns - behind) * s->channels) * sizeof(float));
    if (!inside) continue;
    const int64_t at = ((plane * s->extents[1] + row + i) * s->extents[2] + column + first) * s->channels;
    job->level->load[job->shape->dtype]((end - first) * s->channels, to + first * s->channels,
                                        s->data + at * job->bytes);
  }
}

// Planes of `channels` values in a strip, from a tile on, and of the transformed tile.
static cj_winograd_planes in_strip(float *data, const strip *s) {
  const int64_t column = s->channels * (int64_t)sizeof(float);
  return (cj_winograd_planes){(char *)data, s->columns * column, column};
}

static cj_winograd_planes transformed(const winograd_weights *job, float *tiles, int64_t line, int64_t tile) {
  const int64_t matrix = (job->tiles * line + SPACE) * (int64_t)sizeof(float);
  return (cj_winograd_planes){(char *)(tiles + tile * line), REACH * matrix, matrix};
}

static void transform_row(void *context, int64_t index) {
  const winograd_weights *job = context;
  const cj_convolution_shape *s = job->shape;
  const int64_t high = cj_ceil_div(s->results[1], TILE), row = job->first + index, top = row % high * TILE;
  const int64_t image = row / high / s->results[0], plane = row / high % s->results[0], in = plane - s->before[0];
  const strip x = {job->x, s->extents, s->channels, REACH, job->row_tiles * TILE + 2};
  const strip dy = {job->dy, s->results, s->filters, TILE, job->row_tiles * TILE};
  const int64_t most = cj_max64(x.rows * x.columns * x.channels, dy.rows * dy.columns * dy.channels);
  float *copy = cj_scratch(CJ_SCRATCH_PRODUCT, most * (int64_t)sizeof(float) + CJ_WINOGRAD_OVERHANG);
  const bool inside = in >= 0 && in < s->extents[0];
  copy_strip(job, &x, inside ? image * s->extents[0] + in : -1, top - s->before[1], -s->before[2], copy);
  for (int64_t t = 0, tile = index * job->row_tiles; t < job->row_tiles; t++, tile++)
    job->level->winograd->source(x.channels, in_strip(copy + t * TILE * x.channels, &x),
                                 transformed(job, job->x_tiles, job->x_line, tile));
  copy_strip(job, &dy, image * s->results[0] + plane, top, 0, copy);
  for (int64_t t = 0, tile = index * job->row_tiles; t < job->row_tiles; t++, tile++)
    job->level->winograd->spread(dy.channels, in_strip(copy + t * TILE * dy.channels, &dy),
                                 transformed(job, job->dy_tiles, job->dy_line, tile));
}

// ---------------------------------------------------------------- weights

static void gather_weights(void *context, int64_t index) {
  const winograd_weights *job = context;
  const int64_t count = job->shape->channels * job->shape->filters, value = sizeof(float);
  const int64_t first = index * BLOCK, part = cj_min64(BLOCK, count - first);
  _Alignas(64) float stage[WINDOW * WINDOW][BLOCK];
  const cj_winograd_planes from = {(char *)(job->sums + first), REACH * count * value, count * value};
  job->level->winograd->gather(part, from, (cj_winograd_planes){(char *)stage, WINDOW * BLOCK * value, BLOCK * value});
  for (int64_t tap = 0; tap < WINDOW * WINDOW; tap++)
    job->level->store[job->shape->dtype](part, job->dw + (tap * count + first) * job->bytes, stage[tap]);
}

void cj_winograd_weights_run(const cj_convolution_shape *shape, const void *x, const void *dy, void *dw,
                             void *workspace) {
  winograd_weights job = make(shape);
  const int64_t most = job.chunk_rows * job.row_tiles, count = sums_count(&job);
  job.x = x;
  job.dy = dy;
  job.dw = dw;
  job.x_tiles = workspace;
  job.dy_tiles = job.x_tiles + MATRICES * (most * job.x_line + SPACE);
  job.sums = job.dy_tiles + MATRICES * (most * job.dy_line + SPACE);
  for (int64_t chunk = 0; chunk < job.chunks; chunk++) {
    job.first = chunk * job.chunk_rows;
    const int64_t rows = cj_min64(job.chunk_rows, job.rows - job.first);
    job.tiles = rows * job.row_tiles;
    cj_parallel(rows, transform_row, &job);
    const cj_product product = {.dtype = CJ_FLOAT32,
                                .a_transposed = true,
                                .batch = MATRICES,
                                .m = shape->channels,
                                .n = shape->filters,
                                .k = job.tiles,
                                .lda = job.x_line,
                                .a_batch = job.tiles * job.x_line + SPACE,
                                .ldb = job.dy_line,
                                .b_batch = job.tiles * job.dy_line + SPACE};
    cj_matmul(&product, job.x_tiles, job.dy_tiles, job.sums + chunk * count, NULL, NULL);
  }
  if (job.chunks > 1) cj_add_chunks(job.level, CJ_FLOAT32, job.chunks, count, job.sums, job.sums);
  cj_parallel(cj_ceil_div(shape->channels * shape->filters, BLOCK), gather_weights, &job);
}
