# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Python's consumers of DLPack take: a capsule around a tensor of nv12slot's."""
import ctypes

from gi.repository import GstNv12Slot

api = ctypes.pythonapi
api.PyCapsule_New.restype = ctypes.py_object
api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
api.PyCapsule_IsValid.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
api.PyCapsule_GetPointer.restype = ctypes.c_void_p
api.PyCapsule_GetPointer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def free_unless_consumed(capsule):
    """Who consumes a tensor renames its capsule, and deletes the tensor when it is done."""
    if api.PyCapsule_IsValid(capsule, b"dltensor"):
        GstNv12Slot.dlpack_free(api.PyCapsule_GetPointer(capsule, b"dltensor"))


def dlpack_capsule(tensor):
    """`tensor` is what a function with export_dlpack in its name returned; the capsule owns it."""
    return api.PyCapsule_New(tensor, b"dltensor", ctypes.cast(free_unless_consumed, ctypes.c_void_p))
