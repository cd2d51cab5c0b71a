/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_CUDA_DEVICE_INTERNAL_H
#define SOL_CUDA_DEVICE_INTERNAL_H
#include "device.h"

enum { SOL_SHAPES = 512 }; /* shapes of products that are remembered, a power of two */
/* a shape's descriptors and algorithm, made when it is seen first */
typedef struct {
  uint64_t key[4]; /* key[0] 0: free */
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t a, b, c;
  cublasLtMatmulAlgo_t algo;
} sol_shape_t;

struct sol_device {
  const sol_plugin_host_t *host;
  int index, sms;
  sol_queue_t queue[3];
  cublasLtHandle_t lt;
  void *workspace; /* of the products on the compute queue */
  size_t workspace_bytes;
  cublasLtMatmulPreference_t preference;
  sol_shape_t shape[SOL_SHAPES];
  char text[160];
};
void sol_shape_destroy (sol_shape_t *s); /* matmul.cu */
#endif
