// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Driver API that the loaders of FFmpeg and GStreamer look for, and that the stand-in answers with
// CUDA_ERROR_NOT_SUPPORTED.

#include "unsupported.h"

using namespace nv12slot::standin;

extern "C" {

// OpenGL, EGL
STANDIN_UNSUPPORTED(cuGLGetDevices_v2);
STANDIN_UNSUPPORTED(cuGraphicsGLRegisterImage);
STANDIN_UNSUPPORTED(cuGraphicsGLRegisterBuffer);
STANDIN_UNSUPPORTED(cuGraphicsUnregisterResource);
STANDIN_UNSUPPORTED(cuGraphicsMapResources);
STANDIN_UNSUPPORTED(cuGraphicsUnmapResources);
STANDIN_UNSUPPORTED(cuGraphicsResourceSetMapFlags);
STANDIN_UNSUPPORTED(cuGraphicsResourceSetMapFlags_v2);
STANDIN_UNSUPPORTED(cuGraphicsSubResourceGetMappedArray);
STANDIN_UNSUPPORTED(cuGraphicsResourceGetMappedPointer_v2);
STANDIN_UNSUPPORTED(cuGraphicsEGLRegisterImage);
STANDIN_UNSUPPORTED(cuGraphicsResourceGetMappedEglFrame);
STANDIN_UNSUPPORTED(cuEGLStreamProducerConnect);
STANDIN_UNSUPPORTED(cuEGLStreamProducerDisconnect);
STANDIN_UNSUPPORTED(cuEGLStreamConsumerDisconnect);
STANDIN_UNSUPPORTED(cuEGLStreamProducerPresentFrame);
STANDIN_UNSUPPORTED(cuEGLStreamProducerReturnFrame);

// Textures, arrays, the linker
STANDIN_UNSUPPORTED(cuTexObjectCreate);
STANDIN_UNSUPPORTED(cuTexObjectDestroy);
STANDIN_UNSUPPORTED(cuArrayCreate_v2);
STANDIN_UNSUPPORTED(cuArray3DCreate_v2);
STANDIN_UNSUPPORTED(cuArrayDestroy);
STANDIN_UNSUPPORTED(cuMipmappedArrayGetLevel);
STANDIN_UNSUPPORTED(cuMipmappedArrayDestroy);
STANDIN_UNSUPPORTED(cuLinkCreate);
STANDIN_UNSUPPORTED(cuLinkCreate_v2);
STANDIN_UNSUPPORTED(cuLinkAddData);
STANDIN_UNSUPPORTED(cuLinkAddData_v2);
STANDIN_UNSUPPORTED(cuLinkComplete);
STANDIN_UNSUPPORTED(cuLinkDestroy);

// Sharing between processes and with other interfaces
STANDIN_UNSUPPORTED(cuIpcGetEventHandle);
STANDIN_UNSUPPORTED(cuIpcOpenEventHandle);
STANDIN_UNSUPPORTED(cuIpcGetMemHandle);
STANDIN_UNSUPPORTED(cuIpcOpenMemHandle);
STANDIN_UNSUPPORTED(cuIpcOpenMemHandle_v2);
STANDIN_UNSUPPORTED(cuIpcCloseMemHandle);
STANDIN_UNSUPPORTED(cuImportExternalMemory);
STANDIN_UNSUPPORTED(cuDestroyExternalMemory);
STANDIN_UNSUPPORTED(cuExternalMemoryGetMappedBuffer);
STANDIN_UNSUPPORTED(cuExternalMemoryGetMappedMipmappedArray);
STANDIN_UNSUPPORTED(cuImportExternalSemaphore);
STANDIN_UNSUPPORTED(cuDestroyExternalSemaphore);
STANDIN_UNSUPPORTED(cuSignalExternalSemaphoresAsync);
STANDIN_UNSUPPORTED(cuWaitExternalSemaphoresAsync);

// Virtual memory
STANDIN_UNSUPPORTED(cuMemAddressReserve);
STANDIN_UNSUPPORTED(cuMemAddressFree);
STANDIN_UNSUPPORTED(cuMemCreate);
STANDIN_UNSUPPORTED(cuMemRelease);
STANDIN_UNSUPPORTED(cuMemExportToShareableHandle);
STANDIN_UNSUPPORTED(cuMemImportFromShareableHandle);
STANDIN_UNSUPPORTED(cuMemSetAccess);
STANDIN_UNSUPPORTED(cuMemGetAccess);
STANDIN_UNSUPPORTED(cuMemGetAllocationGranularity);
STANDIN_UNSUPPORTED(cuMemGetAllocationPropertiesFromHandle);
STANDIN_UNSUPPORTED(cuMemMap);
STANDIN_UNSUPPORTED(cuMemUnmap);
STANDIN_UNSUPPORTED(cuMemRetainAllocationHandle);

}  // extern "C"
