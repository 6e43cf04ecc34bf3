/* The inner loops of `_overlaps.pyx`: one box of the query is compared with a block of boxes laid out coordinate by
   coordinate, without a branch, which compilers turn into vector instructions. In C, because only C can say that the
   pointers never meet and ask for a second version for processors with wider vectors, chosen when the module is
   loaded. No fused multiply-add in either: both round alike. */

#ifndef DSG_OVERLAPS_LOOPS_H
#define DSG_OVERLAPS_LOOPS_H

#include <stddef.h>

#ifdef DSG_ONE_VERSION /* sanitizers cannot look into the choice between two */
#define DSG_VERSIONS
#elif defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define DSG_VERSIONS __attribute__((target_clones("avx2", "default")))
#else
#define DSG_VERSIONS
#endif

#if defined(_MSC_VER)
#define DSG_RESTRICT __restrict
#else
#define DSG_RESTRICT __restrict__
#endif

#define DSG_BLOCK 64
#define DSG_SMALLER(a, b) ((a) < (b) ? (a) : (b))
#define DSG_LARGER(a, b) ((a) > (b) ? (a) : (b))

/* boxes [count, 4] and query [targets, 4], x1 y1 x2 y2, to the IoU [count, targets] with +1 widths. Boxes without
   area may have a union of 0 or less; they touch nothing, so any divisor will do. */
#define DSG_DEFINE_OVERLAPS(NAME, real)                                                                               \
    DSG_VERSIONS static void NAME(const float *DSG_RESTRICT boxes, ptrdiff_t count, const float *DSG_RESTRICT query, \
                                  ptrdiff_t targets, real *DSG_RESTRICT out)                                         \
    {                                                                                                                 \
        real left[DSG_BLOCK], top[DSG_BLOCK], right[DSG_BLOCK], bottom[DSG_BLOCK], size[DSG_BLOCK], iou[DSG_BLOCK];   \
        ptrdiff_t start, n, k;                                                                                        \
        for (start = 0; start < count; start += DSG_BLOCK) {                                                          \
            const ptrdiff_t used = DSG_SMALLER(count - start, DSG_BLOCK);                                             \
            const float *box = boxes + 4 * start;                                                                     \
            for (n = 0; n < used; n++) {                                                                              \
                left[n] = box[4 * n], top[n] = box[4 * n + 1];                                                        \
                right[n] = box[4 * n + 2], bottom[n] = box[4 * n + 3];                                                \
                size[n] = (right[n] - left[n] + 1) * (bottom[n] - top[n] + 1);                                        \
            }                                                                                                         \
            for (k = 0; k < targets; k++) {                                                                           \
                const real x1 = query[4 * k], y1 = query[4 * k + 1], x2 = query[4 * k + 2], y2 = query[4 * k + 3];    \
                const real area = (x2 - x1 + 1) * (y2 - y1 + 1);                                                      \
                real *column = out + start * targets + k;                                                             \
                for (n = 0; n < used; n++) {                                                                          \
                    const real wide = DSG_SMALLER(right[n], x2) - DSG_LARGER(left[n], x1) + 1;                        \
                    const real high = DSG_SMALLER(bottom[n], y2) - DSG_LARGER(top[n], y1) + 1;                        \
                    const real both = DSG_LARGER(wide, 0) * DSG_LARGER(high, 0);                                      \
                    const real either = size[n] + area - both;                                                        \
                    iou[n] = both / (either > 0 ? either : 1);                                                        \
                }                                                                                                     \
                for (n = 0; n < used; n++)                                                                            \
                    column[n * targets] = iou[n];                                                                     \
            }                                                                                                         \
        }                                                                                                             \
    }

DSG_DEFINE_OVERLAPS(dsg_overlaps_f32, float)
DSG_DEFINE_OVERLAPS(dsg_overlaps_f64, double)

#endif
