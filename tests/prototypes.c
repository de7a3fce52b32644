// Holds what gilbench.h says about CPython against a build's own Python.h: each function of the
// table, the layout of each struct, each constant. Only compiled, by prototypes.t, once a build:
//     cc -std=c11 -fsyntax-only -I. -I PREFIX/include/python3.14t tests/prototypes.c
#include <Python.h>

// Without this gilbench.h would leave its own structs out. They get other names, so that both can
// be seen at once.
#undef Py_PYTHON_H
#define PyCFunction gb_PyCFunction
#define PyMethodDef gb_PyMethodDef
#define PyType_Slot gb_PyType_Slot
#define PyType_Spec gb_PyType_Spec
#define PyStatus gb_PyStatus
#define PyInterpreterConfig gb_PyInterpreterConfig
// The implementation calls these as gb_py.Py_TYPE(); the macros of that name would get in between.
#undef Py_TYPE
#undef Py_CompileString
#define GILBENCH_IMPLEMENTATION  // for its constants
#include "gilbench.h"
#undef PyCFunction
#undef PyMethodDef
#undef PyType_Slot
#undef PyType_Spec
#undef PyStatus
#undef PyInterpreterConfig

// One more entry from the command line, -D'EXTRA_FUNCTIONS(X)=X(int, PyDict_New, (void))', is how
// prototypes.t proves that a wrong one is found.
#ifndef EXTRA_FUNCTIONS
#define EXTRA_FUNCTIONS(X)
#endif
#ifndef EXTRA_FIELDS
#define EXTRA_FIELDS(X)
#endif
#ifndef EXTRA_CONSTANTS
#define EXTRA_CONSTANTS(X)
#endif

#define SAME(a, b) __builtin_types_compatible_p(a, b)

#define CHECK_FUNCTION(type, name, arguments)                                                      \
    _Static_assert(SAME(__typeof__(&name), type(*) arguments), "the prototype of " #name);
GB_PY_FUNCTIONS(CHECK_FUNCTION)
EXTRA_FUNCTIONS(CHECK_FUNCTION)

#define CHECK_EXCEPTION(name) _Static_assert(SAME(__typeof__(name), PyObject *), "type of " #name);
GB_PY_EXCEPTIONS(CHECK_EXCEPTION)

_Static_assert(SAME(Py_ssize_t, ptrdiff_t), "Py_ssize_t");
_Static_assert(SAME(PyCFunction, gb_PyCFunction), "PyCFunction");

#define CHECK_SIZE(type) _Static_assert(sizeof(type) == sizeof(gb_##type), "the size of " #type);
CHECK_SIZE(PyMethodDef)
CHECK_SIZE(PyType_Slot)
CHECK_SIZE(PyType_Spec)
CHECK_SIZE(PyStatus)
CHECK_SIZE(PyInterpreterConfig)

#define FIELDS(X)                                                                                  \
    X(PyMethodDef, ml_name)                                                                        \
    X(PyMethodDef, ml_meth)                                                                        \
    X(PyMethodDef, ml_flags)                                                                       \
    X(PyMethodDef, ml_doc)                                                                         \
    X(PyType_Slot, slot)                                                                           \
    X(PyType_Slot, pfunc)                                                                          \
    X(PyType_Spec, name)                                                                           \
    X(PyType_Spec, basicsize)                                                                      \
    X(PyType_Spec, itemsize)                                                                       \
    X(PyType_Spec, flags)                                                                          \
    X(PyStatus, func)                                                                              \
    X(PyStatus, err_msg)                                                                           \
    X(PyStatus, exitcode)                                                                          \
    X(PyInterpreterConfig, use_main_obmalloc)                                                      \
    X(PyInterpreterConfig, allow_fork)                                                             \
    X(PyInterpreterConfig, allow_exec)                                                             \
    X(PyInterpreterConfig, allow_threads)                                                          \
    X(PyInterpreterConfig, allow_daemon_threads)                                                   \
    X(PyInterpreterConfig, check_multi_interp_extensions)                                          \
    X(PyInterpreterConfig, gil)

#define CHECK_FIELD(type, field)                                                                   \
    _Static_assert(offsetof(type, field) == offsetof(gb_##type, field) &&                          \
                   SAME(__typeof__(((type *)0)->field), __typeof__(((gb_##type *)0)->field)),      \
                   "the field " #field " of " #type);
FIELDS(CHECK_FIELD)
EXTRA_FIELDS(CHECK_FIELD)
_Static_assert(offsetof(PyStatus, _type) == offsetof(gb_PyStatus, _type) &&
                   sizeof(((PyStatus *)0)->_type) == sizeof(((gb_PyStatus *)0)->_type) &&
                   !_PyStatus_TYPE_OK, "an enum");
_Static_assert(offsetof(PyType_Spec, slots) == offsetof(gb_PyType_Spec, slots), "its slots");

// The numbers are those of the slots, which the gateway has in a function of its own.
#define CONSTANTS(X)                                                                               \
    X(GB__PY_NONE, Py_CONSTANT_NONE)                                                               \
    X(GB__PY_TRUE, Py_CONSTANT_TRUE)                                                               \
    X(GB__PY_EMPTY_BYTES, Py_CONSTANT_EMPTY_BYTES)                                                 \
    X(GB__PY_FILE_INPUT, Py_file_input)                                                            \
    X(GB__PY_OWN_GIL, PyInterpreterConfig_OWN_GIL)                                                 \
    X(GB__METH_VARARGS, METH_VARARGS)                                                              \
    X(GB__METH_NOARGS, METH_NOARGS)                                                                \
    X(GB__METH_O, METH_O)                                                                          \
    X(GB__PY_LIST_SUBCLASS, Py_TPFLAGS_LIST_SUBCLASS)                                              \
    X(GB__PY_TUPLE_SUBCLASS, Py_TPFLAGS_TUPLE_SUBCLASS)                                            \
    X(50, Py_tp_call)                                                                              \
    X(52, Py_tp_dealloc)                                                                           \
    X(62, Py_tp_iter)                                                                              \
    X(63, Py_tp_iternext)                                                                          \
    X(64, Py_tp_methods)                                                                           \
    X(77, Py_am_await)

#define CHECK_CONSTANT(ours, theirs) _Static_assert((ours) == (theirs), #ours " and " #theirs);
CONSTANTS(CHECK_CONSTANT)
EXTRA_CONSTANTS(CHECK_CONSTANT)
