// Calls CPython's C API from one binary on every build found: no Python.h, a child for each.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

static int count_in(const gb_python *python)
{
    gb_error error;
    if (gb_python_start(python, &error)) return fprintf(stderr, "%s\n", error.text), 1;
    PyObject *list = gb_py.PyList_New(0);
    for (long i = 0; i < 10; i++) {
        PyObject *number = gb_py.PyLong_FromLong(i * i);
        gb_py.PyList_Append(list, number);
        gb_py.Py_DecRef(number);
    }
    PyObject *text = gb_py.PyObject_Str(list);
    printf("%s: %s\n", python->id, gb_py.PyUnicode_AsUTF8AndSize(text, NULL));
    gb_py.Py_DecRef(text);
    gb_py.Py_DecRef(list);
    fflush(stdout);
    return gb_py.Py_FinalizeEx() ? 1 : 0;
}

int main(void)
{
    gb_error error;
    gb_python *found;
    size_t n;
    int failed = 0;
    if (gb_pythons(NULL, 0, &found, &n, &error)) return fprintf(stderr, "%s\n", error.text), 1;
    for (size_t i = 0; i < n; i++) {
        if (!found[i].usable) continue;
        pid_t child = fork();  // an interpreter can't be unloaded
        if (child == 0) _exit(count_in(&found[i]));
        int status = 1;
        if (child < 0 || waitpid(child, &status, 0) < 0 || status) failed = 1;
    }
    free(found);
    return failed;
}
