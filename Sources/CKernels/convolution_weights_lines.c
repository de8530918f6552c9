// The weights' gradient of a small window: dw has few rows, so that what would be gathered for them takes longer than
// its products. x is copied as lines with zeros around, in which each row of dw finds its values a step apart, and dy
// is read where it lies. See convolution_weights.c for the sums of chunks.

#include "depthwise.h"
#include "weights_lines.h"

enum {
  ROWS = 256,               // of dw at most
  POSITIONS = 256,          // of a block at most: a panel of them stays in the first-level cache
  SOURCE_BYTES = 64 << 10,  // copied for a block at most
  SUMS_BYTES = 128 << 10,   // of a chunk at most
  LEAST_LINE = 8,           // positions
  LEAST_TASKS = 16,         // wanted, so that uneven threads finish together
};

typedef struct {
  const cj_convolution_shape *shape;
  const cj_level *level;
  const cj_gemm_kernels *kernels;
  int64_t bytes, compute_bytes;  // of an element in memory and of a sum
  int64_t rows;
  int64_t lines, positions;  // of a block at most
  int64_t line_blocks, position_blocks, blocks;
  int64_t source_lines, source_positions;  // of x that a block meets, of each plane
  int64_t chunk, chunks;                   // blocks of a chunk
  const char *x, *dy;
  char *sums;
} lines_gradient;

static int64_t even_part(int64_t extent, int64_t most) {
  return cj_ceil_div(extent, cj_ceil_div(extent, most));
}

// What `results` results along an axis meet.
static int64_t reach(const cj_convolution_shape *s, int axis, int64_t results) {
  return (results - 1) * s->strides[axis] + (s->window[axis] - 1) * s->dilations[axis] + 1;
}

// Whole panels.
static int64_t sums_line(const lines_gradient *job) {
  return cj_ceil_div(job->shape->filters, job->kernels->width) * job->kernels->width * job->compute_bytes;
}

static int64_t source_bytes(const lines_gradient *job) {
  return job->shape->window[0] * job->source_lines * job->source_positions * job->shape->channels * job->compute_bytes;
}

// False: not for this shape.
static bool make(const cj_convolution_shape *s, lines_gradient *job) {
  const cj_level *level = cj_current_level();
  *job = (lines_gradient){.shape = s,
                          .level = level,
                          .kernels = level->gemm[s->dtype],
                          .bytes = cj_dtype_bytes(s->dtype),
                          .rows = s->window[0] * s->window[1] * s->window[2] * s->channels};
  job->compute_bytes = job->bytes == 2 ? 4 : job->bytes;
  if (s->groups != 1 || job->rows > ROWS || s->results[2] < LEAST_LINE) return false;
  if (s->batch * s->results[0] * s->results[1] == 0) return false;
  for (int axis = 0; axis < CJ_CONVOLUTION_AXES; axis++)
    if (s->dilations[axis] > SOURCE_BYTES || s->strides[axis] > SOURCE_BYTES) return false;
  job->positions = even_part(s->results[2], POSITIONS);
  job->lines = even_part(s->results[1], cj_max64(1, POSITIONS / job->positions));
  job->source_lines = reach(s, 1, job->lines);
  job->source_positions = reach(s, 2, job->positions);
  job->line_blocks = cj_ceil_div(s->results[1], job->lines);
  job->position_blocks = cj_ceil_div(s->results[2], job->positions);
  job->blocks = s->batch * s->results[0] * job->line_blocks * job->position_blocks;
  job->chunk = cj_max64(1, cj_ceil_div(job->blocks, LEAST_TASKS));
  job->chunks = cj_ceil_div(job->blocks, job->chunk);
  if (job->source_lines > SOURCE_BYTES || job->source_positions > SOURCE_BYTES) return false;
  return job->blocks > 0 && source_bytes(job) <= SOURCE_BYTES && sums_line(job) * job->rows <= SUMS_BYTES;
}

// ---------------------------------------------------------------- blocks

// Where a block begins: image and plane of y, line, position.
typedef struct {
  int64_t image, plane, line, position, lines, positions;
} block;

static block find_block(const lines_gradient *job, int64_t index) {
  const cj_convolution_shape *s = job->shape;
  block b = {.position = index % job->position_blocks * job->positions};
  index /= job->position_blocks;
  b.line = index % job->line_blocks * job->lines;
  index /= job->line_blocks;
  b.plane = index % s->results[0];
  b.image = index / s->results[0];
  b.lines = cj_min64(job->lines, s->results[1] - b.line);
  b.positions = cj_min64(job->positions, s->results[2] - b.position);
  return b;
}

// Positions from `first` on of a line of x, zeros outside; NULL: all are.
static void copy_line(const lines_gradient *job, const char *line, int64_t first, char *to) {
  const int64_t channels = job->shape->channels, extent = job->shape->extents[2], bytes = channels * job->compute_bytes;
  const int64_t count = job->source_positions, start = line ? cj_min64(count, cj_max64(0, -first)) : count;
  const int64_t end = cj_max64(start, cj_min64(count, extent - first));
  memset(to, 0, (size_t)(start * bytes));
  if (start < end)
    job->level->load[job->shape->dtype]((end - start) * channels, to + start * bytes,
                                        line + (first + start) * channels * job->bytes);
  memset(to + end * bytes, 0, (size_t)((count - end) * bytes));
}

static void copy_source(const lines_gradient *job, const block *b, char *to) {
  const cj_convolution_shape *s = job->shape;
  const int64_t line_bytes = s->extents[2] * s->channels * job->bytes;
  for (int64_t t = 0; t < s->window[0]; t++) {
    const int64_t plane = b->plane * s->strides[0] + t * s->dilations[0] - s->before[0];
    for (int64_t i = 0; i < job->source_lines; i++) {
      const int64_t line = b->line * s->strides[1] + i - s->before[1];
      const bool inside = plane >= 0 && plane < s->extents[0] && line >= 0 && line < s->extents[1];
      const int64_t at = (b->image * s->extents[0] + plane) * s->extents[1] + line;
      copy_line(job, inside ? job->x + at * line_bytes : NULL, b->position * s->strides[2] - s->before[2], to);
      to += job->source_positions * s->channels * job->compute_bytes;
    }
  }
}

// dy of a block as the kernel reads it: where it lies, unless its numbers are to be widened, or a panel reaches behind
// its end. Gives the bytes between lines.
static const char *find_gradient(const lines_gradient *job, const block *b, char *copy, int64_t *line_bytes) {
  const cj_convolution_shape *s = job->shape;
  const int64_t line = (b->image * s->results[0] + b->plane) * s->results[1] + b->line, filters = s->filters;
  const char *dy = job->dy + (line * s->results[2] + b->position) * filters * job->bytes;
  // From the last position on.
  const int64_t last = (line + b->lines - 1) * s->results[2] + b->position + b->positions - 1;
  const int64_t rest = (s->batch * s->results[0] * s->results[1] * s->results[2] - last) * filters;
  *line_bytes = s->results[2] * filters * job->bytes;
  if (job->bytes == job->compute_bytes && rest * job->bytes >= sums_line(job)) return dy;
  const int64_t values = b->positions * filters;
  for (int64_t i = 0; i < b->lines; i++)
    job->level->load[s->dtype](values, copy + i * values * job->compute_bytes, dy + i * *line_bytes);
  *line_bytes = values * job->compute_bytes;
  return copy;
}

static void find_offsets(const lines_gradient *job, int64_t *offsets) {
  const cj_convolution_shape *s = job->shape;
  for (int64_t t0 = 0; t0 < s->window[0]; t0++)
    for (int64_t t1 = 0; t1 < s->window[1]; t1++)
      for (int64_t t2 = 0; t2 < s->window[2]; t2++)
        for (int64_t c = 0; c < s->channels; c++) {
          const int64_t line = t0 * job->source_lines + t1 * s->dilations[1];
          const int64_t position = line * job->source_positions + t2 * s->dilations[2];
          *offsets++ = (position * s->channels + c) * job->compute_bytes;
        }
}

static void run_chunk(void *context, int64_t chunk) {
  const lines_gradient *job = context;
  const cj_convolution_shape *s = job->shape;
  const int64_t line = sums_line(job), columns = s->filters * job->compute_bytes, sums = job->rows * line;
  const int64_t source = cj_gemm_in_lines(source_bytes(job)), copy = job->lines * job->positions * columns + line;
  char *scratch = cj_scratch(CJ_SCRATCH_PRODUCT, sums + source + copy);
  int64_t offsets[ROWS];
  find_offsets(job, offsets);
  memset(scratch, 0, (size_t)sums);
  const int64_t end = cj_min64(job->blocks, (chunk + 1) * job->chunk);
  for (int64_t index = chunk * job->chunk; index < end; index++) {
    const block b = find_block(job, index);
    cj_gemm_positions part = {.rows = job->rows,
                              .columns = s->filters,
                              .lines = b.lines,
                              .positions = b.positions,
                              .a = scratch + sums,
                              .offsets = offsets,
                              .a_step = s->strides[2] * s->channels * job->compute_bytes,
                              .b_step = columns,
                              .sums = scratch,
                              .sums_line = line};
    part.a_line = s->strides[1] * job->source_positions * s->channels * job->compute_bytes;
    copy_source(job, &b, scratch + sums);
    part.b = find_gradient(job, &b, scratch + sums + source, &part.b_line);
    job->kernels->multiply_positions(&part);
  }
  for (int64_t row = 0; row < job->rows; row++)
    memcpy(job->sums + (chunk * job->rows + row) * columns, scratch + row * line, (size_t)columns);
}

// ---------------------------------------------------------------- entry

int64_t cj_weights_lines_workspace(const cj_convolution_shape *shape) {
  lines_gradient job;
  return make(shape, &job) ? job.chunks * job.rows * shape->filters * job.compute_bytes : 0;
}

void cj_weights_lines_run(const cj_convolution_shape *shape, const void *x, const void *dy, void *dw,
                          void *workspace) {
  lines_gradient job;
  make(shape, &job);
  job.x = x;
  job.dy = dy;
  job.sums = workspace;
  cj_parallel(job.chunks, run_chunk, &job);
  cj_add_chunks(job.level, shape->dtype, job.chunks, job.rows * shape->filters, job.sums, dw);
}
