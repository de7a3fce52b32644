// Lab 11. Does my C extension bring the GIL back, and is it safe without?
#ifdef VARIANT  // the module, which the program below compiles from this file for each build
#include <Python.h>
#include <unistd.h>

static long n;

static PyObject *add(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
#if VARIANT == 3  // to do: Py_BEGIN_CRITICAL_SECTION(module); lets one thread at a time pass
#endif
    long seen = n;
    usleep(200);
    n = seen + 1;
#if VARIANT == 3  // to do: Py_END_CRITICAL_SECTION();
#endif
    return PyLong_FromLong(n);
}

static PyMethodDef functions[] = {{"add", add, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{VARIANT > 1 ? Py_mod_gil : 0, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "adder",
                                    .m_methods = functions, .m_slots = slots};
PyMODINIT_FUNC PyInit_adder(void) { return PyModuleDef_Init(&module); }
#else
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

int main(void)
{
    gb_error error;
    gb_python pair[2];
    char dir[] = "/tmp/lab11-XXXXXX", command[3 * GB_PATH];
    int gil = 0, lost = 0;
    puts("Predict: 4 threads call add() 500 times each. Where is the GIL on, and where is a call "
         "lost?\n  1 says nothing of the GIL   2 says that it needs none   3 is yours\n");
    if (gb_python_pair(pair, &error)) return puts(error.text), 1;
    if (!mkdtemp(dir) || setenv("PYTHONPATH", dir, 1)) return perror(dir), 1;
    for (int i = 0; i < 6; i++) {
        gb_round r;
        snprintf(command, sizeof command, "cc -shared -fPIC -DVARIANT=%d -I'%s' %s -o %s/adder.so",
                 i % 3 + 1, pair[i / 3].include, __FILE__, dir);
        if (system(command)) return puts("The module has to compile, where lab11.c is."), 1;
        gb_task_config task = {.python = &pair[i / 3], .workers = 4, .source = "import adder\n"
            "def run():\n for _ in range(500): adder.add()\ndef answer(): return 2001-adder.add()"};
        if (gb_task(&task, &r, &error)) return puts(error.text), 1;
        gil = r.gil.enabled_after_load, lost = atoi(r.answer);
        printf("  %-9s variant %d   GIL %-3s %-12s %4d of 2,000 calls lost\n", pair[i / 3].id,
               i % 3 + 1, gil ? "on" : "off", r.gil.reenabled_by, lost);
    }
    snprintf(command, sizeof command, "rm -r %s", dir);
    if (system(command)) return 1;
    printf("\nWhy: a module that doesn't say Py_mod_gil brings the GIL back for all. One that says "
           "so has to\nhave locks of its own: two threads were in add() at once. In yours %d calls "
           "are lost, and the\nGIL is %s.\n\n", lost, gil ? "on" : "off");
    puts(!gil && !lost ? "PASS: no GIL, nothing lost." : "To do: no GIL and nothing lost, both.");
    return gil || lost;
}
#endif
