// Convolutions and their input gradients: what the two have in common, and what they ask of a SIMD level.

#ifndef CAJAL_PRIVATE_CONVOLUTION_H
#define CAJAL_PRIVATE_CONVOLUTION_H

#include "include/cajal_convolution.h"
#include "internal.h"

// Along an axis, result first + q * result_step is the sum over u of the source's value at start + q * source_step
// + u * tap_step times the weight of tap weight + u * weight_step, for q in 0..<count and u in 0..<taps.
// A convolution is one such phase. The gradient of a strided one is several: of the results with one remainder.
typedef struct {
  int64_t count, first, result_step;
  int64_t start, source_step;
  int64_t taps, tap_step;
  int64_t weight, weight_step;
} cj_phase;

// How a task multiplies: rows anywhere by a panel of columns, few columns by vectors along k, lines of neighbours by
// all columns.
typedef enum { CJ_TILES_OF_ROWS, CJ_TILES_OF_DOTS, CJ_TILES_OF_LINES } cj_convolution_tiles;

typedef struct cj_convolution_job {
  cj_dtype dtype;
  int64_t bytes, compute_bytes;  // of an element in memory and of a sum
  const cj_level *level;
  const cj_gemm_kernels *kernels;
  uint64_t number;  // of the call
  bool is_gradient, is_winograd;
  int64_t batch, groups, channels, columns;  // the latter of a group: what is summed over, what results
  const char *source, *weights;
  char *result;
  int64_t source_channels, result_channels;  // of all groups
  int64_t source_extents[CJ_CONVOLUTION_AXES], result_extents[CJ_CONVOLUTION_AXES];
  int64_t window[CJ_CONVOLUTION_AXES], strides[CJ_CONVOLUTION_AXES], dilations[CJ_CONVOLUTION_AXES];
  int64_t before[CJ_CONVOLUTION_AXES];
  int64_t phases[CJ_CONVOLUTION_AXES];
  int64_t lowest[CJ_CONVOLUTION_AXES], reach[CJ_CONVOLUTION_AXES];  // of the source around q * source_step, all phases
  bool copies;            // the source, with zeros around it, instead of reading it in place
  int64_t position_bytes;  // of a source position
  cj_convolution_tiles tiles;
  int64_t width;            // columns of a panel of packed weights
  int64_t part, slab_taps;  // channels and taps of a slab of weights
  // A task has a box of results by a block of columns. Axis 0 is the batch.
  // Each q stands for `unit` results.
  int64_t counts[1 + CJ_CONVOLUTION_AXES], box[1 + CJ_CONVOLUTION_AXES], unit[1 + CJ_CONVOLUTION_AXES];
  int64_t most_box, least_box;  // q that a box has at most, and at least where there are as many
  int64_t block_columns, column_blocks;
  cj_block_done done;
  void *context;
  char *panels;  // weights, packed or transformed
} cj_convolution_job;

// Positions along an axis: `count` of them from `first` on, `step` apart. Those of further taps, where these are held
// apart, are as far from them as the taps.
typedef struct {
  int64_t first, count, step, taps;
  bool is_apart;
} cj_span;

void cj_convolution_copy(const cj_convolution_job *job, int64_t image, int64_t images, int64_t group,
                         const cj_span *spans, char *to);

// What a panel has of a tap: columns of a group from `column` on, and channels from `channel` on, those of taps behind
// it too where they follow.
cj_gemm_lines cj_convolution_weights(const cj_convolution_job *job, int64_t group, int64_t tap, int64_t channel,
                                     int64_t channels, int64_t column, int64_t columns);
cj_phase cj_convolution_phase(const cj_convolution_job *job, int axis, int64_t phase);
// Where the source is that tap `tap` of the window meets at q = 0.
int64_t cj_convolution_source_of(const cj_convolution_job *job, int axis, int64_t tap);
// The source around q in first..<first + count, all phases: in one piece, unless taps far apart take less each for
// itself. At most the window's extent for each q.
cj_span cj_convolution_span(const cj_convolution_job *job, int axis, int64_t first, int64_t count);
// Phase number `index` of all axes: false if it has no results from `first` on.
bool cj_convolution_phases(const cj_convolution_job *job, int64_t index, const int64_t *first, cj_phase *phases);
int64_t cj_convolution_phase_count(const cj_convolution_job *job);

// Packed weights lie by groups, panels, phases, parts of channels, taps, channels. The last are steps as kernels take
// them; the bytes of `channels` of them.
int64_t cj_convolution_step_bytes(const cj_convolution_job *job, int64_t channels);
int64_t cj_convolution_panels_bytes(const cj_convolution_job *job);
char *cj_convolution_panel(const cj_convolution_job *job, int64_t group, int64_t panel);
void cj_convolution_pack_panel(void *job, int64_t group_and_panel);
// Tap `index` of a phase among the window's, the last axis fastest.
int64_t cj_convolution_tap(const cj_convolution_job *job, const cj_phase *phases, int64_t index);
// One task: a box of results, all their phases, some columns of one group.
void cj_convolution_box(const cj_convolution_job *job, const int64_t *first, const int64_t *counts, int64_t group,
                        int64_t column, int64_t columns);

// Whether Winograd's way is for this shape.
bool cj_winograd_is_less(const cj_convolution_shape *shape, bool is_gradient);
int64_t cj_winograd_panels_bytes(const cj_convolution_job *job);
void cj_winograd_plan(cj_convolution_job *job);
void cj_winograd_pack_panel(void *job, int64_t panel);
void cj_winograd_box(const cj_convolution_job *job, const int64_t *first, const int64_t *counts, int64_t group,
                     int64_t column, int64_t columns);

#endif
